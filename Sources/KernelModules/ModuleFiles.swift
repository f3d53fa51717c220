// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LinuxFiles
internal import SystemPackage

/// The lists that `depmod` and the kernel's build leave beside the modules, for builds without libkmod.
/// - Source: `man 5 modules.dep`; `Documentation/kbuild/kbuild.rst`, `modules.builtin`.
struct ModuleFiles {
  var builtIn: Set<String>
  var loadable: Set<String>

  init(builtInList: String, dependencyList: String) {
    builtIn = Set(builtInList.split(separator: "\n").compactMap(Self.moduleName))
    loadable = Set(
      dependencyList.split(separator: "\n").compactMap { Self.moduleName($0.prefix { $0 != ":" }) })
  }

  func state(of name: String) -> ModuleState {
    builtIn.contains(name) ? .builtIn : loadable.contains(name) ? .loadable : .missing
  }

  static var ofRunningKernel: ModuleFiles {
    let directory = FilePath("/lib/modules").appending(kernelRelease ?? "unknown")
    return ModuleFiles(
      builtInList: (try? readFile(directory.appending("modules.builtin"))) ?? "",
      dependencyList: (try? readFile(directory.appending("modules.dep"))) ?? "")
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
