// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// The diagnosis of a machine: findings, facts, and facts that could not be read.
package struct MachineDiagnosis: Hashable, Sendable {
  /// The end of the cable that the machine is.
  package enum Role: String, Sendable, Hashable { case board, host }

  package var role = Role.board
  /// `this kernel`, `the simulated kernel`.
  package var machine: String
  /// `uname -r`.
  package var release: String
  /// The profile that the machine was checked for; nil for none.
  package var profile: String?
  /// The facts that were found, in order.
  package var found: [Fact] = []
  package var findings: [Finding] = []
  /// Facts that could not be read. No conclusion is drawn from them.
  package var notInspected: [Uninspected] = []

  /// A fact about the machine that is neither good nor bad.
  package struct Fact: Hashable, Sendable {
    package var name: String
    package var value: String
  }

  /// A fact that could not be read.
  package struct Uninspected: Hashable, Sendable {
    package var what: String
    /// With the path and the errno, where there is one.
    package var reason: String
  }

  package init(machine: String, release: String, profile: String? = nil) {
    self.machine = machine
    self.release = release
    self.profile = profile
  }

  package func count(_ severity: Finding.Severity) -> Int {
    findings.count { $0.severity == severity }
  }

  /// Whether no finding is an error.
  package var isFit: Bool { count(.error) == 0 }

  package var json: JSONValue {
    [
      "role": .string(role.rawValue), "machine": .string(machine), "release": .string(release),
      "profile": JSONValue(profile),
      "fit": .bool(isFit), "errors": JSONValue(count(.error)),
      "warnings": JSONValue(count(.warning)), "notes": JSONValue(count(.note)),
      "findings": .array(findings.map(\.json)),
      "found": .array(found.map { ["name": .string($0.name), "value": .string($0.value)] }),
      "notInspected": .array(
        notInspected.map { ["what": .string($0.what), "reason": .string($0.reason)] }),
    ]
  }
}
