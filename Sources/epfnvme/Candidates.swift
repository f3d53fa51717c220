// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import HostTools
internal import ControllerEmulation
internal import KernelEvents
internal import LinuxFiles
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// Completions of arguments: names on the machine at the time of completion.
///
/// The machine is that of the command line (`--kernel`) or of EPFNVME_KERNEL. Completion changes nothing and does not wait; names that
/// cannot be read are omitted silently.
enum Candidates {
  /// Endpoint controllers.
  static let controllers: CompletionKind = .custom { words, _, _ in
    safe(machine(words).controllers())
  }

  /// The names of profiles that are set up.
  static let names: CompletionKind = .custom { words, _, _ in
    safe(machine(words).run.journalNames())
  }

  /// The names of profiles that are set up, and profile files.
  static let namesAndProfiles: CompletionKind = .custom { words, _, prefix in
    safe(machine(words).run.journalNames() + profileFiles(prefix))
  }

  /// Profile files: below the directory of the word, and the installed ones.
  ///
  /// zsh has better path completion: it continues a word that ends in a slash.
  static var profiles: CompletionKind {
    if CompletionShell.requesting == .zsh { return .file(extensions: ["json"]) }
    return .custom { _, _, prefix in safe(profileFiles(prefix)) }
  }

  /// NVMe controllers of this machine, as devices and as PCI functions.
  static let disks: CompletionKind = .custom { _, _, _ in safe(diskNames()) }

  /// The disks of `check --host` and similar options, which also accept `auto`.
  static let hostDevices: CompletionKind = .custom { _, _, _ in safe(["auto"] + diskNames()) }

  /// `all`, `none`, or quirks separated by commas; the last one is completed.
  static let quirks: CompletionKind = .custom { _, _, prefix in
    let parts = prefix.split(separator: ",", omittingEmptySubsequences: false)
    let names = Quirk.allCases.map(\.rawValue)
    guard parts.count > 1 else { return ["all", "none"] + names }
    let before = parts.dropLast()
    return names.filter { name in !before.contains { $0 == name } }
      .map { (before.map(String.init) + [$0]).joined(separator: ",") }
  }

  static let kernels: CompletionKind = .list(["live", "simulated"])

  // MARK: The machine

  private static func diskNames() -> [String] {
    let functions = (try? HostBus().functions()) ?? []
    let nodes = functions.compactMap { (try? BusDevice($0))?.controllerName }
    return nodes.map { "/dev/\($0)" } + functions
  }

  private struct Named {
    var controllers: () -> [String]
    var run: RunDirectory
  }

  private static func machine(_ words: [String]) -> Named {
    switch kernel(words) ?? .fromEnvironment {
    case .live:
      Named(
        controllers: { ((try? EndpointDevice.all()) ?? []).map(\.name) }, run: RunDirectory())
    case .simulated(let file):
      Named(
        controllers: {
          do throws(StateFileError) {
            var kernel = SimulatedKernel(.linux7_2)
            if let file, let kept = try SimulatedKernel.snapshot(of: FilePath(file)) {
              kernel = kept
            }
            return kernel.endpointControllers
          } catch { return [] }
        },
        // A kernel in memory has no run directory that could be read.
        run: RunDirectory(FilePath((file ?? "/nonexistent") + ".run")))
    }
  }

  /// The last `--kernel` of a command line.
  private static func kernel(_ words: [String]) -> KernelChoice? {
    var choice: KernelChoice?
    for (index, word) in words.enumerated() {
      if word.hasPrefix("--kernel=") {
        choice = KernelChoice(argument: String(word.dropFirst("--kernel=".count))) ?? choice
      } else if word == "--kernel", index + 1 < words.count {
        choice = KernelChoice(argument: words[index + 1]) ?? choice
      }
    }
    return choice
  }

  // MARK: Files

  private static func profileFiles(_ prefix: String) -> [String] {
    let directory = prefix.lastIndex(of: "/").map { String(prefix[...$0]) } ?? ""
    let path = FilePath(directory.isEmpty ? "." : directory)
    var found: [String] = []
    for name in names(in: path) where !name.hasPrefix(".") {
      if name.hasSuffix(".json") {
        found.append(directory + name)
      } else if (try? directoryNames(path.appending(name))) != nil {
        found.append(directory + name + "/")
      }
    }
    guard directory.isEmpty, let installed = InstalledFiles.profiles else { return found }
    return found
      + names(in: installed).filter { $0.hasSuffix(".json") }.map { installed.appending($0).string }
  }

  private static func names(in path: FilePath) -> [String] {
    ((try? directoryNames(path)) ?? []).sorted()
  }

  /// bash expands completions, including command substitutions, so names with special characters of the shell are not offered.
  private static func safe(_ words: [String]) -> [String] {
    words.filter { word in
      !word.isEmpty
        && word.unicodeScalars.allSatisfy {
          $0.properties.isAlphabetic || ("0"..."9").contains($0)
            || "._-/:@%+,=".unicodeScalars.contains($0)
        }
    }
  }
}
