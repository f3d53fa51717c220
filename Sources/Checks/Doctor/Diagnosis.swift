// SPDX-License-Identifier: Apache-2.0
public import Provisioning

/// The diagnosis of a machine: findings, facts, and facts that could not be read.
public struct Diagnosis: Hashable, Sendable {
  /// `this kernel`, `the simulated kernel`.
  public var machine: String
  /// `uname -r`.
  public var release: String
  /// The profile that the machine was checked for; nil for none.
  public var profile: String?
  /// The facts that were found, in order.
  public var seen: [Fact] = []
  public var findings: [Finding] = []
  /// Facts that could not be read. No conclusion is drawn from them.
  public var notSeen: [Unseen] = []

  /// A fact about the machine that is neither good nor bad.
  public struct Fact: Hashable, Sendable {
    public var name: String
    public var value: String
  }

  /// A fact that could not be read.
  public struct Unseen: Hashable, Sendable {
    public var what: String
    /// With the path and the errno, where there is one.
    public var reason: String
  }

  public init(machine: String, release: String, profile: String? = nil) {
    self.machine = machine
    self.release = release
    self.profile = profile
  }

  public func count(_ severity: Finding.Severity) -> Int {
    findings.count { $0.severity == severity }
  }

  /// Whether no finding is an error.
  public var isFit: Bool { count(.error) == 0 }

  public var json: JSONValue {
    [
      "machine": .string(machine), "release": .string(release), "profile": JSONValue(profile),
      "fit": .bool(isFit), "errors": JSONValue(count(.error)),
      "warnings": JSONValue(count(.warning)), "notes": JSONValue(count(.note)),
      "findings": .array(findings.map(\.json)),
      "seen": .array(seen.map { ["name": .string($0.name), "value": .string($0.value)] }),
      "notSeen": .array(
        notSeen.map { ["what": .string($0.what), "reason": .string($0.reason)] }),
    ]
  }
}
