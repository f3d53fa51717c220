// SPDX-License-Identifier: Apache-2.0

/// The facts of a machine that provisioning needs.
public struct KernelFacts: Sendable, Hashable, Codable {
  /// `uname -r`.
  public var release: String
  public var onlineCPUs: Int
  public var pageSize: Int
  /// Whether the process may configure the kernel.
  public var isPrivileged: Bool

  /// 32 hexadecimal digits that only this machine has (`/etc/machine-id`); nil if it has none.
  public var machineID: String?

  public init(
    release: String, onlineCPUs: Int, pageSize: Int, isPrivileged: Bool, machineID: String? = nil
  ) {
    self.machineID = machineID
    self.release = release
    self.onlineCPUs = onlineCPUs
    self.pageSize = pageSize
    self.isPrivileged = isPrivileged
  }
}
