// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import SystemPackage

/// One thing that shall be so, and how it hangs together with others.
///
/// A desired state is a list of facts in bring-up order. Two relations say what may be changed when: a fact *needs* others to
/// stand, and a fact is *frozen* by others: its value cannot, or must not, be changed while they stand.
struct Fact {
  enum Content {
    case configFSMounted
    case module(String, parameters: [String])
    case file(path: String, bytes: UInt64)
    case loop(backing: String, LoopConfiguration)
    case directory(FilePath)
    /// A directory that the kernel makes by itself after another one.
    case lateDirectory(FilePath)
    case deviceNode(FilePath)
    case attribute(FilePath, TextValue, shown: String, Role)
    case link(FilePath, to: FilePath)
    /// The connection that binding a function opens, and that unbinding leaves open.
    case connection(FabricsAddress)
    case controller(function: FilePath, driver: String)
  }

  enum Role: Equatable {
    case plain
    /// Kept as the kernel shows it, without knowing what it means: never written when it is right already.
    case raw
    /// A switch; writing `off` takes it down.
    case state(off: String)
    /// The driver takes the value at bind; what is shown later need not be what is in force. `isShared` when all functions
    /// of the driver show one value.
    case usedAtBind(isShared: Bool)
  }

  var content: Content
  var reason: String
  /// What a host notices when the fact is taken down.
  var disruption: String?
  /// Facts that must stand for this one.
  var needs: [Int] = []
  /// Facts that must be down while this one is made or changed.
  var frozenBy: [Int] = []
}

/// Facts in the making: remembers places, so that relations can be stated as they come.
struct FactList {
  private(set) var facts: [Fact] = []

  @discardableResult
  mutating func add(
    _ content: Fact.Content, _ reason: String, disruption: String? = nil, needs: [Int] = []
  ) -> Int {
    facts.append(Fact(content: content, reason: reason, disruption: disruption, needs: needs))
    return facts.count - 1
  }

  @discardableResult
  mutating func add<Value>(
    _ attribute: Attribute<Value>, _ value: Value, _ reason: String, role: Fact.Role = .plain,
    disruption: String? = nil, needs: [Int] = []
  ) -> Int {
    add(
      .attribute(
        attribute.path, .text(value.attributeText), shown: value.shownText, role), reason,
      disruption: disruption, needs: needs)
  }

  mutating func freeze(_ facts: [Int], by states: [Int]) {
    for fact in facts { self.facts[fact].frozenBy += states }
  }

  mutating func require(_ fact: Int, _ needed: [Int]) {
    facts[fact].needs += needed
  }
}
