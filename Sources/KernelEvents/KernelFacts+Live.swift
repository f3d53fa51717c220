// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

extension KernelFacts {
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
      pageSize: sysconf(CInt(_SC_PAGESIZE)), isPrivileged: geteuid() == 0)
  }
}
