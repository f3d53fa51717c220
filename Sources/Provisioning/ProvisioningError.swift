// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
public import KernelModules
public import SystemPackage

/// A failure of provisioning or of a check.
public struct ProvisioningError: Error, Hashable, Sendable {
  /// Callers can act on the kinds; each is one exit code, `interrupted` that of its signal.
  public enum Kind: String, Sendable, Hashable {
    /// A change would disrupt a host, and force was not requested.
    case disruptive
    /// The profile is malformed.
    case malformedProfile
    /// A file or device that the profile names is not there or cannot be used.
    case inputMissing
    /// The kernel lacks a module, a driver or a file system.
    case unsupported
    /// An internal error.
    case `internal`
    /// The checked object differs from its expectation; the program itself did not fail.
    case different
    /// The journal or the lock cannot be written.
    case cannotCreate
    /// An operation failed, and everything was undone.
    case operationFailed
    /// A wait ran out, or another run holds the lock.
    case timedOut
    /// An operation failed, and something could not be undone.
    case rollbackIncomplete
    /// The process may not configure the kernel.
    case needsPrivileges
    /// Valid, but not on this machine.
    case impossible
    /// A signal ended the run, and everything was undone.
    case interrupted
  }

  public var kind: Kind
  /// The attempted operation, in a word of the plan: `write`, `link`, `load module` …
  public var operation: String?
  public var path: String?
  public var value: String?
  public var errno: Errno?
  /// The whole sentence.
  public var message: String
  public var hint: String?
  /// Kernel messages about it, oldest first.
  public var kernelLog: [String] = []
  /// Objects that could not be undone.
  public var leftovers: [String] = []
  /// The signal that ended the run.
  public var signal: CInt?

  public init(
    _ kind: Kind, _ message: String, operation: String? = nil, path: String? = nil,
    value: String? = nil, errno: Errno? = nil, hint: String? = nil, kernelLog: [String] = []
  ) {
    self.kind = kind
    self.message = message
    self.operation = operation
    self.path = path
    self.value = value
    self.errno = errno
    self.hint = hint
    self.kernelLog = kernelLog
  }

  public init(_ error: ConfigFSError, kind: Kind = .operationFailed) {
    var plain = error
    plain.kernelLog = []
    plain.hint = nil
    self.init(
      kind, "\(plain)", operation: error.operation.rawValue, path: error.path.string,
      value: error.value?.withoutTrailingNewline, errno: error.errno, hint: error.hint,
      kernelLog: error.kernelLog)
  }

  public init(_ error: ModuleError, kind: Kind = .operationFailed) {
    let verb = error.operation == .unload ? "unload" : "load"
    let reason = error.reason.map { ": \($0)" } ?? ""
    self.init(
      kind, "cannot \(verb) the module \(error.module): \(error.errno.nameAndText)\(reason)",
      operation: "\(verb) module", path: error.module, errno: error.errno, hint: error.hint,
      kernelLog: error.kernelLog)
  }
}

extension ProvisioningError: CustomStringConvertible {
  public var description: String {
    var text = message
    for line in kernelLog { text += "\n  kernel: \(line)" }
    for leftover in leftovers { text += "\n  left over: \(leftover)" }
    if let hint { text += "\n  hint: \(hint)" }
    return text
  }
}
