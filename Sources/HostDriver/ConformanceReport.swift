// SPDX-License-Identifier: Apache-2.0

/// The rules of the specification for a controller, and their violations.
public struct ConformanceReport: Sendable, Hashable {
  /// One requirement that was checked.
  public struct Rule: Sendable, Hashable {
    /// Stable: `cap-read-only`.
    public var id: String
    /// The section: `Base 3.1.4`, of NVM Express Base 2.1, `NVM 3.3` of NVM Command Set 1.1, or `PCIe` of the transport.
    public var source: String
    public var requirement: String
    /// The controller's actual behaviour; nil if it follows the rule.
    public var found: String?
  }

  /// In the order of the examination.
  public var rules: [Rule] = []

  public init() {}

  /// The rules that were not kept.
  public var broken: [Rule] { rules.filter { $0.found != nil } }
}

extension ConformanceReport.Rule: CustomStringConvertible {
  public var description: String {
    found.map { "\(id): \(requirement) (\(source)): \($0)" } ?? "\(id): \(requirement) (\(source))"
  }
}
