// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// A module operation that failed.
public struct ModuleError: Error, Hashable, Sendable {
  public enum Operation: String, Sendable, Hashable, Codable { case lookUp, load, unload }

  public var operation: Operation
  public var module: String
  public var errno: Errno
  /// Details of the loader or the kernel beyond the errno.
  public var reason: String?
  public var kernelLog: [String] = []
  public var hint: String?

  public init(
    _ operation: Operation, _ module: String, _ errno: Errno, reason: String? = nil,
    kernelLog: [String] = [], hint: String? = nil
  ) {
    self.operation = operation
    self.module = module
    self.errno = errno
    self.reason = reason
    self.kernelLog = kernelLog
    self.hint = hint
  }
}
