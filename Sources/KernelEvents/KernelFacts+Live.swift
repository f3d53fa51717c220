// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
public import LinuxFiles
internal import SystemPackage

extension KernelFacts {
  /// The machine's ID; nil if the file is missing, or has no ID yet (`uninitialized`, in images of a first boot).
  /// - Source: machine-id(5).
  public static func machineID(in files: some SystemFiles) -> String? {
    guard let text = try? files.text(of: "/etc/machine-id") else { return nil }
    let digits = text.lowercased()
    let isID =
      digits.utf8.count == 32 && digits.allSatisfy(\.isHexDigit) && digits.contains { $0 != "0" }
    return isID ? digits : nil
  }

  /// The facts of the running kernel and this process.
  public static func live() -> KernelFacts {
    let release = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      guard let start = buffer.baseAddress,
        unsafe epfnvme_kernel_release(start, buffer.count) == 0
      else { return "unknown" }
      return unsafe String(cString: start)
    }
    return KernelFacts(
      release: release, onlineCPUs: max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))),
      pageSize: sysconf(CInt(_SC_PAGESIZE)), isPrivileged: geteuid() == 0,
      machineID: machineID(in: LiveSystemFiles()))
  }
}
