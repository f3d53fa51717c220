// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

/// The program that the kernel itself calls for modules, for builds without libkmod.
/// - Source: `Documentation/admin-guide/sysctl/kernel.rst`, `modprobe`.
struct LoaderProgram {
  var path: String

  static var ofRunningKernel: LoaderProgram {
    let named = (try? readFile("/proc/sys/kernel/modprobe"))?.trimmed ?? ""
    return LoaderProgram(path: named.isEmpty ? "/sbin/modprobe" : named)
  }

  func load(_ name: String, parameters: [String]) throws(ModuleError) {
    let status: CInt
    let said: String
    do {
      // `errno(namedIn:)` parses the texts of the C locale.
      let ending = try ChildProcess([path, name] + parameters).run()
      (status, said) = (ending.status, ending.output)
    } catch {
      throw ModuleError(.load, name, error, reason: "\(path) cannot be started")
    }
    guard status != 0 else { return }
    let errno = Self.errno(namedIn: said)
    throw ModuleError(
      .load, name, errno, reason: said.isEmpty ? FailureReason.loading(errno) : said)
  }

  /// The options of a module in the machine's configuration; none if the program cannot list them.
  func options(of name: String) -> String {
    guard let ending = try? ChildProcess([path, "--showconfig"]).run(), ending.status == 0 else {
      return ""
    }
    let lines = ending.output.split(separator: "\n").compactMap { line -> Substring? in
      let words = line.split(separator: " ", maxSplits: 2)
      guard words.count == 3, words[0] == "options",
        LiveModules.canonical(String(words[1])) == name
      else { return nil }
      return words[2]
    }
    return lines.joined(separator: " ")
  }

  /// The errno in a program's output; `modprobe` ends a line with the text of `strerror`.
  static func errno(namedIn text: String) -> Errno {
    let lines = text.split(separator: "\n")
    for number in CInt(1)...133 {
      let errno = Errno(rawValue: number)
      if lines.contains(where: { $0.hasSuffix(": \(errno.description)") }) { return errno }
    }
    return text.contains("not found") ? .noSuchFileOrDirectory : .ioError
  }
}
