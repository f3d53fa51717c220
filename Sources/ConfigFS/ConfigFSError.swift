// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// A failed configfs operation: the operation, its path and value, the cause, and a hint.
public struct ConfigFSError: Error, Hashable, Sendable {
  public enum Operation: String, Sendable, Hashable, Codable {
    case read, write, create, remove, link, unlink, list
  }

  public enum Cause: Hashable, Sendable {
    /// The kernel refused.
    case system(Errno)
    /// The kernel's text is not valid for the attribute.
    case malformed(text: String, expected: String)
    /// The kernel accepted only the first bytes; the rest would be parsed as a second value.
    case shortWrite(taken: Int, of: Int)
  }

  public var operation: Operation
  public var path: FilePath
  public var value: String?
  public var cause: Cause
  /// Kernel messages about it, oldest first.
  public var kernelLog: [String] = []
  public var hint: String?

  public init(
    _ operation: Operation, _ path: FilePath, value: String? = nil, _ cause: Cause,
    kernelLog: [String] = [], hint: String? = nil
  ) {
    self.operation = operation
    self.path = path
    self.value = value
    self.cause = cause
    self.kernelLog = kernelLog
    self.hint = hint
  }

  /// The errno, when it was the kernel that refused.
  public var errno: Errno? {
    guard case .system(let errno) = cause else { return nil }
    return errno
  }
}

extension ConfigFSError: CustomStringConvertible {
  public var description: String {
    let shown = value.map { "\"\($0.withoutTrailingNewline)\"" }
    let attempt =
      switch operation {
      case .read: "cannot read \(path)"
      case .write: "cannot write \(shown ?? "a value") to \(path)"
      case .create: "cannot create \(path)"
      case .remove: "cannot remove \(path)"
      case .link: "cannot link \(path) to \(value ?? "its target")"
      case .unlink: "cannot remove the link \(path)"
      case .list: "cannot list \(path)"
      }
    var text =
      switch cause {
      case .system(let errno): "\(attempt): \(errno.nameAndText)"
      case .malformed(let text, let expected):
        "\(attempt): the kernel shows \"\(text.withoutTrailingNewline)\" where \(expected) was expected"
      case .shortWrite(let taken, let total):
        "\(attempt): the kernel accepted \(taken) of \(total) bytes"
      }
    for line in kernelLog { text += "\n  kernel: \(line)" }
    if let hint { text += "\n  hint: \(hint)" }
    return text
  }
}
