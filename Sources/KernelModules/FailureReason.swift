// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

/// The meaning of an errno of the module system calls, as text.
enum FailureReason {
  /// - Source: `kernel/module/main.c`, `load_module`, `finit_module`; `kernel/module/signing.c`, `module_sig_check`.
  static func loading(_ errno: Errno) -> String? {
    switch errno.rawValue {
    case 1:
      isLoadingDisabled
        ? "the kernel loads no more modules until the next boot" : "it requires privileges"
    case 2: "there is no such module for this kernel, or a symbol that it needs is missing"
    case 8:
      "the file is not a module for this kernel: another version, configuration or architecture"
    case 12: "the kernel has no memory for it"
    case 17: "it is already loaded"
    case 19: "it found no device that it serves"
    case 22: "a parameter is wrong, or it was built for another kernel configuration"
    case 38: "this kernel was built without loadable modules"
    case 74: "the file or its signature is damaged"
    case 126: "it is not signed with a key that this kernel knows"
    case 127: "the key that signed it has expired"
    case 128: "the key that signed it was revoked"
    case 129: "its signature was rejected"
    default: nil
    }
  }

  /// - Source: `kernel/module/main.c`, `delete_module`.
  static func unloading(_ errno: Errno, module: String) -> String? {
    switch errno.rawValue {
    case 1: "it requires privileges"
    case 2: "it is not loaded"
    case 11:
      holders(of: module).isEmpty
        ? "it is in use"
        : "these modules use it: \(holders(of: module).joined(separator: ", "))"
    case 16: "it is starting, stopping or cannot be unloaded"
    case 38: "this kernel was built without unloading"
    default: nil
    }
  }

  private static var isLoadingDisabled: Bool {
    (try? readFile("/proc/sys/kernel/modules_disabled"))?.trimmed == "1"
  }

  private static func holders(of module: String) -> [String] {
    let path = FilePath("/sys/module").appending(module).appending("holders")
    return ((try? directoryNames(path)) ?? []).sorted()
  }
}
