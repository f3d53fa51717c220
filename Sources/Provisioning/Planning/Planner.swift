// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Desired minus observed: the ordered steps from what is to what shall be.
struct Planner {
  let facts: [Fact]
  let standings: [Standing]
  let owned: Ledger
  let machine: Machine

  private var lowered: Set<Int> = []

  /// - Parameter fromNothing: takes the machine for an empty one: nothing stands but what the kernel has built in, and files.
  init(
    _ desired: DesiredState, owned: Ledger, on machine: Machine, fromNothing: Bool = false
  ) throws(ProvisioningError) {
    facts = desired.facts
    self.owned = owned
    self.machine = machine
    if fromNothing {
      standings = facts.map { Self.standing(of: $0, onEmpty: machine) }
      return
    }
    var observation = Observation(machine, owned: owned)
    var standings: [Standing] = []
    for fact in facts { standings.append(try observation.standing(of: fact)) }
    self.standings = standings
  }

  private static func standing(of fact: Fact, onEmpty machine: Machine) -> Standing {
    switch fact.content {
    case .module(let name, _):
      (try? machine.modules.state(of: name)) == .builtIn ? .satisfied : .absent
    case .file(let path, _):
      (try? machine.storage.describe(FilePath(path))) == nil ? .absent : .satisfied
    case .controller: .satisfied
    default: .absent
    }
  }

  mutating func steps() -> [Step] {
    let obsolete = obsoleteEntries()
    // Something that this profile no longer has is taken away only with every controller down.
    if !obsolete.isEmpty { _ = loweringBindings() }
    var steps = lowering(for: facts.indices.filter(needsWork))
    steps += obsolete
    for index in facts.indices where standings[index] != .satisfied || isRaisedAgain(index) {
      steps += raising(index)
    }
    return steps
  }

  /// Takes down what stands in the way of some facts.
  /// - Returns: the steps of everything that goes down.
  mutating func lowering(for changing: [Int]) -> [Step] {
    for index in changing {
      for state in facts[index].frozenBy { lower(state) }
    }
    // A loop device or a device that comes back may have another name.
    for index in facts.indices where changing.contains(index) || lowered.contains(index) {
      for dependent in facts.indices where facts[dependent].needs.contains(index) {
        if isSwitch(dependent) { lower(dependent) }
      }
    }
    return facts.indices.reversed().filter { lowered.contains($0) }.compactMap(lowering)
  }

  /// Takes every controller down.
  mutating func loweringBindings() -> [Step] {
    for index in facts.indices where facts[index].disruption != nil && isBinding(index) {
      lower(index)
    }
    return lowering(for: [])
  }

  // MARK: Which facts move

  private func needsWork(_ index: Int) -> Bool { standings[index] != .satisfied }

  /// Links and switches can be taken down and brought up again; the rest stays.
  private func isSwitch(_ index: Int) -> Bool {
    switch facts[index].content {
    case .link, .connection: true
    case .attribute(_, _, _, .state): true
    default: false
    }
  }

  /// The binding of a function or the start of a controller.
  private func isBinding(_ index: Int) -> Bool {
    switch facts[index].content {
    case .link(let path, _), .attribute(let path, _, _, .state):
      Self.isBinding(path.string)
    default: false
    }
  }

  /// Whether a path is `…/controllers/EPC/…`.
  private static func isBinding(_ path: String) -> Bool {
    path.parentPath.parentPath.hasSuffix("/controllers")
  }

  private mutating func lower(_ index: Int) {
    guard isSwitch(index), standings[index] == .satisfied, lowered.insert(index).inserted else {
      return
    }
    for dependent in facts.indices where facts[dependent].needs.contains(index) {
      lower(dependent)
    }
    // A function that is bound again opens a connection again.
    for needed in facts[index].needs {
      if case .connection = facts[needed].content { lower(needed) }
    }
  }

  private func isRaisedAgain(_ index: Int) -> Bool {
    if lowered.contains(index) { return true }
    switch facts[index].content {
    case .controller:
      return facts[index].needs.contains { lowered.contains($0) || needsWork($0) }
    case .attribute(_, _, _, .usedAtBind(isShared: true)):
      // Another function of the driver may have changed the shared header since.
      return facts[index].frozenBy.contains { lowered.contains($0) || needsWork($0) }
    case .attribute(_, .loopDevice, _, _):
      return facts[index].needs.contains { lowered.contains($0) || needsWork($0) }
    default: return false
    }
  }

  // MARK: Steps

  private func lowering(_ index: Int) -> Step? {
    let fact = facts[index]
    let because = "something below it changes"
    switch fact.content {
    case .link(let path, let target):
      return Step(
        .unlink(path: path.string, target: target.string), reason: because,
        disruption: fact.disruption)
    case .connection(let address):
      return Step(.disconnect(address, sparing: owned.spared(address)), reason: because)
    case .attribute(let path, .text(let on), _, .state(let off)):
      return Step(
        .write(path: path.string, value: .text(off), shown: off), reason: because,
        disruption: fact.disruption, undo: .write(on))
    default: return nil
    }
  }

  private func raising(_ index: Int) -> [Step] {
    let fact = facts[index]
    let reason = lowered.contains(index) ? "comes back: \(fact.reason)" : fact.reason
    func step(_ operation: Operation, undo: Step.Undo = .inverse) -> [Step] {
      [Step(operation, reason: reason, undo: undo)]
    }
    switch fact.content {
    case .configFSMounted:
      return step(.mountConfigFS(at: machine.configFS.mountPoint.string), undo: .nothing)
    case .module(let name, let parameters):
      return step(.loadModule(name, parameters: parameters), undo: .nothing)
    case .file(let path, let bytes): return step(.createFile(path: path, bytes: bytes))
    case .loop(let backing, let loop): return step(.attachLoop(backing: backing, loop))
    case .directory(let path): return step(.createDirectory(path: path.string))
    case .lateDirectory(let path):
      return step(.awaitDirectory(path: path.string), undo: .nothing)
    case .deviceNode(let path): return step(.awaitDevice(path: path.string), undo: .nothing)
    case .link(let path, let target):
      return step(.link(path: path.string, target: target.string))
    case .connection(let address): return step(.expectConnection(address))
    case .controller(let function, let driver):
      return step(.verifyController(function: function.string, driver: driver), undo: .nothing)
    case .attribute(let path, let value, let shown, let role):
      let expected: String? = if case .text = value { shown } else { nil }
      return step(
        .write(path: path.string, value: value, shown: expected), undo: undo(index, role))
    }
  }

  private func undo(_ index: Int, _ role: Fact.Role) -> Step.Undo {
    switch (role, standings[index]) {
    case (.usedAtBind(isShared: true), _): .capture
    case (.raw, .absent): .ifDifferent
    // What is unset cannot be written back.
    case (.raw, .differs(let current)) where sameAttributeText(current, ""): .nothing
    case (.state(let off), .absent): .write(off)
    case (.state(let off), .satisfied): .write(off)
    case (_, .absent): .nothing
    // An unset path cannot be written back; it vanishes with its namespace.
    case (_, .differs(let current)):
      sameAttributeText(current, "(null)") ? .nothing : .write(current)
    case (_, .satisfied): .nothing
    }
  }

  // MARK: What the profile no longer has

  /// What the journal says is ours and no fact wants, as steps that take it away.
  func obsoleteEntries() -> [Step] {
    var wanted: Set<String> = []
    var connections: Set<FabricsAddress> = []
    for fact in facts {
      switch fact.content {
      case .directory(let path), .link(let path, _), .attribute(let path, _, _, _):
        wanted.insert(path.string)
      case .loop(let backing, _): wanted.insert("loop \(backing)")
      case .connection(let address): connections.insert(address)
      default: break
      }
    }
    var steps: [Step] = []
    let reason = "the profile no longer has it"
    for entry in owned.entries.reversed() {
      switch entry.operation {
      case .createDirectory(let path) where !wanted.contains(path):
        steps.append(Step(.removeDirectory(path: path), reason: reason))
      case .link(let path, let target) where !wanted.contains(path):
        steps.append(
          Step(
            .unlink(path: path, target: target), reason: reason,
            disruption: Self.isBinding(path) ? "the host loses the NVMe controller" : nil))
      case .write(let path, .text(let text), _) where !wanted.contains(path):
        // A switch of an object that goes, or a replaced value of one that stays.
        if case .write(_, .text(let old), _)? = entry.undo {
          steps.append(
            Step(
              .write(path: path, value: .text(old), shown: nil), reason: reason, undo: .write(text))
          )
        }
      case .expectConnection(let address) where !connections.contains(address):
        steps.append(
          Step(.disconnect(address, sparing: owned.spared(address)), reason: reason))
      case .attachLoop(let backing, let loop) where !wanted.contains("loop \(backing)"):
        steps.append(
          Step(
            .detachLoop(backing: backing, file: loop.file, device: owned.loops[backing]),
            reason: reason))
      default: break
      }
    }
    return steps
  }
}
