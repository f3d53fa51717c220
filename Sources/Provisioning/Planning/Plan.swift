// SPDX-License-Identifier: Apache-2.0

/// The steps of `setup`, in order, with their reasons. A plan is data and has no effect.
public struct Plan: Hashable, Sendable {
  /// The profile's name, which is the journal's.
  public var name: String
  /// The function driver that was chosen; nil for a profile without functions.
  public var driver: String?
  public var steps: [Step]
  public var warnings: [ProfileIssue]
  /// Existing objects that the profile adopts, as journal entries: shared objects, and a whole profile whose journal was lost.
  var claims: [JournalEntry] = []
  /// Whether everything matches the profile but the journal is missing: it is written again.
  public var isAdoption = false
  /// Objects that are left to the other profiles which have them, too.
  var released: [String] = []
  /// Reasons why the kernel would refuse a step, which may go away.
  var obstacles: [ProvisioningError] = []

  /// Whether anything would change on the machine.
  public var changesAnything: Bool { !steps.isEmpty }
  /// Whether the journal would change.
  var changesJournal: Bool { changesAnything || !claims.isEmpty || !released.isEmpty }
  public var disruptions: [Step] { steps.filter { $0.disruption != nil } }
}

/// One effect with its reason and its way back.
public struct Step: Hashable, Sendable {
  public var operation: Operation
  public var reason: String
  /// The effect on a host; nil if there is none.
  public var disruption: String?
  public var undo: Undo

  /// The undo of a step.
  public enum Undo: Hashable, Sendable {
    /// The object is removed with its directory, or nothing was changed.
    case nothing
    /// Remove what was created, create what was removed.
    case inverse
    /// Write this text.
    case write(String)
    /// Do this.
    case operation(Operation)
    /// Read the value before writing; if it is already correct, write nothing; otherwise restore it.
    case capture
    /// Read the value before writing; if it is already correct, write nothing. The object is removed with its directory.
    case ifDifferent
  }

  init(
    _ operation: Operation, reason: String, disruption: String? = nil, undo: Undo = .inverse
  ) {
    self.operation = operation
    self.reason = reason
    self.disruption = disruption
    self.undo = undo
  }
}

extension Step.Undo {
  /// Whether the value is read before it is written.
  var readsFirst: Bool { self == .capture || self == .ifDifferent }
}

extension Plan {
  public var json: JSONValue {
    [
      "name": .string(name), "driver": JSONValue(driver), "changes": .bool(changesAnything),
      "steps": .array(
        steps.enumerated().map { index, step in
          guard case .object(let members) = step.operation.reportedJSON else { return .null }
          return .object(
            [.init("step", JSONValue(index + 1))] + members + [
              .init("reason", .string(step.reason)),
              .init("disruptive", step.disruption.map { .string($0) } ?? false),
            ])
        }), "warnings": .array(warnings.map(\.json)),
    ]
  }
}
