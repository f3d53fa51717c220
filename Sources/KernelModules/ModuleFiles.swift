// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import LinuxFiles
internal import SystemPackage

/// The lists of `depmod` and of the kernel's build in the module directory, for builds without libkmod.
/// - Source: `man 5 modules.dep`; `Documentation/kbuild/kbuild.rst`, `modules.builtin`.
struct ModuleFiles {
  var builtIn: Set<String>
  /// The files by the modules' names.
  var loadable: [String: FilePath]

  /// - Parameter directory: where the paths of the lists begin.
  init(builtInList: String, dependencyList: String, in directory: FilePath) {
    builtIn = Set(builtInList.split(separator: "\n").compactMap(Self.moduleName))
    let files = dependencyList.split(separator: "\n").map { $0.prefix { $0 != ":" } }
    loadable = Dictionary(
      files.compactMap { file in
        Self.moduleName(file).map { ($0, directory.pushing(FilePath(String(file)))) }
      }, uniquingKeysWith: { first, _ in first })
  }

  func state(of name: String) -> ModuleState {
    if builtIn.contains(name) { return .builtIn }
    guard let file = loadable[name], Self.isThere(file.string) else { return .missing }
    return .loadable
  }

  /// Whether a file that the lists have is there: they are only as new as the last `depmod`.
  static func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  static var ofRunningKernel: ModuleFiles {
    let directory = FilePath("/lib/modules").appending(kernelRelease ?? "unknown")
    return ModuleFiles(
      builtInList: (try? readFile(directory.appending("modules.builtin"))) ?? "",
      dependencyList: (try? readFile(directory.appending("modules.dep"))) ?? "", in: directory)
  }

  private static var kernelRelease: String? {
    (try? readFile("/proc/sys/kernel/osrelease"))?.trimmed
  }

  /// `null_blk` of `kernel/drivers/block/null_blk/null_blk.ko.zst`.
  private static func moduleName(_ path: Substring) -> String? {
    guard let file = path.split(separator: "/").last,
      let name = file.split(separator: ".").first
    else { return nil }
    return LiveModules.canonical(String(name))
  }
}
