// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import SystemPackage

/// One fact about the machine that a profile or its journal states, and its relations to other facts.
///
/// A desired state is a list of facts in setup order. Two relations restrict changes: a fact *needs* others to exist, and a fact is
/// *frozen* by others: its value cannot, or must not, be changed while they are up.
struct Fact {
  enum Content {
    case configFSMounted
    case module(String, parameters: [String])
    case file(path: String, bytes: UInt64)
    case loop(backing: String, LoopConfiguration)
    case directory(FilePath)
    /// A directory that the kernel creates after another one.
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
    /// Kept in the kernel's format without interpretation; not written if it is already set.
    case raw
    /// A switch with its texts; it is up while it shows `on`.
    case state(on: String, off: String)
    /// The driver reads the value at bind; the value shown later may differ from the effective one. `isShared` if all functions of the
    /// driver show one value.
    case usedAtBind(isShared: Bool)
  }

  /// The desired state of the fact.
  enum Wish: Equatable {
    /// The fact holds.
    case present
    /// The profile no longer has it: it is removed.
    case absent
    /// It keeps the state that others set; if a change takes it down, it is restored.
    case unchanged
  }

  /// The way to set a value that a write cannot set.
  enum Remaking: Equatable {
    case never
    /// By removing the object of this path and making it again.
    case always(FilePath)
    /// Likewise, once a host has identified the subsystem.
    case onceIdentified(FilePath)
  }

  var content: Content
  var reason: String
  var wish = Wish.present
  /// The value of a fresh object: it is written only where another one is found.
  var isDefault = false
  /// Other acceptable texts: values that the kernel computed while others used the object.
  var alternatives: [String] = []
  var remaking = Remaking.never
  /// The effect on a host when the fact is taken down.
  var disruption: String?
  /// Facts that must be there for this one.
  var needs: [Int] = []
  /// Facts that must be down while this one is created or changed.
  var frozenBy: [Int] = []

  /// Its path below configfs or in the file system; nil if it has none.
  var path: FilePath? {
    switch content {
    case .directory(let path), .lateDirectory(let path), .deviceNode(let path),
      .attribute(let path, _, _, _), .link(let path, _), .controller(let path, _):
      path
    case .file(let path, _): FilePath(path)
    case .configFSMounted, .module, .loop, .connection: nil
    }
  }

  /// Whether it can be taken down and brought up again.
  var isSwitch: Bool {
    switch content {
    case .link, .connection, .loop, .attribute(_, _, _, .state): true
    default: false
    }
  }
}

/// A builder of facts, which records their indices for relations.
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
  mutating func add(_ fact: Fact) -> Int {
    facts.append(fact)
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

  /// A switch that is turned on or off; `nil` leaves it unchanged.
  @discardableResult
  mutating func add(
    _ attribute: Attribute<Bool>, isOn: Bool?, _ reason: String, disruption: String?,
    needs: [Int] = []
  ) -> Int {
    let value = isOn ?? true
    let index = add(
      attribute, value, reason, role: .state(on: true.attributeText, off: false.attributeText),
      disruption: disruption, needs: needs)
    if isOn == nil { facts[index].wish = .unchanged }
    return index
  }

  mutating func freeze(_ facts: [Int], by states: [Int]) {
    for fact in facts { self.facts[fact].frozenBy += states }
  }

  mutating func require(_ fact: Int, _ needed: [Int]) {
    facts[fact].needs += needed
  }

  mutating func accept(_ text: String, for facts: [Int]) {
    for fact in facts { self.facts[fact].alternatives.append(text) }
  }

  mutating func remake(_ facts: [Int], _ remaking: Fact.Remaking) {
    for fact in facts { self.facts[fact].remaking = remaking }
  }
}
