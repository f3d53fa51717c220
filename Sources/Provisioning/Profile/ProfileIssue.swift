// SPDX-License-Identifier: Apache-2.0

/// An error or a warning in a profile, with its location.
public struct ProfileIssue: Error, Hashable, Sendable {
  public enum Severity: String, Sendable, Hashable { case error, warning }

  public var severity: Severity
  /// `functions[0].msixVectors`; empty for the document itself.
  public var path: String
  /// nil if the profile was not read from a text.
  public var position: TextPosition?
  public var message: String
  public var hint: String?
  /// What it is about, where the doctor has a finding for that.
  package var topic: Topic?

  package struct Topic: Sendable, Hashable {
    package enum Kind: Sendable, Hashable { case portUnused, contiguousMemory, namespaceAccess }

    package var kind: Kind
    /// The objects, as the doctor's findings name them; of one kind with one subject there is one finding.
    package var subjects: [String]

    static func portUnused(_ port: UInt16) -> Topic {
      Topic(kind: .portUnused, subjects: ["\(port)"])
    }

    static func contiguousMemory(_ controllers: [String]) -> Topic {
      Topic(kind: .contiguousMemory, subjects: controllers)
    }

    static func namespaceAccess(_ namespace: UInt32, of nqn: String) -> Topic {
      Topic(kind: .namespaceAccess, subjects: ["\(nqn) namespace \(namespace)"])
    }
  }

  public init(
    _ severity: Severity, path: String, position: TextPosition? = nil, message: String,
    hint: String? = nil
  ) {
    self.severity = severity
    self.path = path
    self.position = position
    self.message = message
    self.hint = hint
  }

  /// `file.json:12:7: error: functions[0].msixVectors: …`.
  public func text(file: String) -> String {
    let place = position.map { ":\($0.line):\($0.column)" } ?? ""
    let subject = path.isEmpty ? "" : "\(path): "
    return "\(file)\(place): \(severity.rawValue): \(subject)\(message)"
      + (hint.map { "\n  hint: \($0)" } ?? "")
  }

  public var json: JSONValue {
    [
      "severity": .string(severity.rawValue), "path": .string(path),
      "line": position.map { JSONValue($0.line) } ?? .null,
      "column": position.map { JSONValue($0.column) } ?? .null, "message": .string(message),
      "hint": JSONValue(hint),
    ]
  }
}

/// All that is wrong in a profile.
public struct ProfileIssues: Error, Hashable, Sendable {
  public var issues: [ProfileIssue]

  public init(_ issues: [ProfileIssue]) { self.issues = issues }

  public var hasErrors: Bool { issues.contains { $0.severity == .error } }
}
