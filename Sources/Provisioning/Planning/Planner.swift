// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import SystemPackage

/// Computes the ordered steps from the observed state to the desired state.
///
/// A change has two phases: facts that freeze a value, or depend on an object that changes, are taken down in reverse setup order; then all
/// facts are brought to their desired state. Facts that a change does not affect stay up.
struct Planner {
  /// The desired facts in setup order, then those of the journal that the profile no longer has.
  let facts: [Fact]
  let standings: [Standing]
  let ownership: Ownership
  let machine: Machine
  /// Backing → loop device, also of those that are recognised without a journal.
  let loops: [String: String]

  /// Whether the switch is on, the link or the object there.
  private let isUp: [Bool]
  /// The facts that need a fact.
  private let dependents: [[Int]]
  private let sharedDrivers: Set<FilePath>
  /// Facts to take down.
  private var lowered: Set<Int> = []
  /// Directories that are removed and recreated.
  private var remade: Set<Int> = []

  /// - Parameter fromNothing: plans for an empty machine, with only built-in objects of the kernel and files.
  init(
    _ desired: DesiredState, _ ownership: Ownership, on machine: Machine,
    fromNothing: Bool = false
  ) throws(ProvisioningError) {
    self.ownership = ownership
    self.machine = machine
    facts = fromNothing ? desired.facts : Leftovers(of: desired, ownership, on: machine).facts
    var dependents = [[Int]](repeating: [], count: facts.count)
    for (index, fact) in facts.enumerated() {
      for needed in fact.needs { dependents[needed].append(index) }
    }
    self.dependents = dependents
    sharedDrivers = Self.sharedDrivers(facts, on: machine)
    if fromNothing {
      standings = facts.map { Self.standing(of: $0, onEmpty: machine) }
      isUp = facts.map { _ in false }
      loops = [:]
      return
    }
    var observation = Observation(machine, ownership: ownership)
    var standings: [Standing] = []
    var isUp: [Bool] = []
    for fact in facts {
      let look = try observation.look(at: fact)
      standings.append(look.0)
      isUp.append(look.isUp)
    }
    self.standings = standings
    self.isUp = isUp
    loops = observation.loops
  }

  private static func standing(of fact: Fact, onEmpty machine: Machine) -> Standing {
    switch fact.content {
    case .module(let name, _):
      (try? machine.modules.state(of: name)) == .builtIn ? .satisfied : .absent
    case .file(let path, _):
      (try? machine.storage.describe(FilePath(path))) == nil ? .absent : .satisfied
    case .controller: .satisfied
    default: fact.wish == .present && !fact.isDefault ? .absent : .satisfied
    }
  }

  // MARK: Which facts move

  /// Whether a fact does not have its desired state.
  func needsWork(_ index: Int) -> Bool { standings[index] != .satisfied }

  /// A default of an object that does not exist yet.
  private func isFresh(_ index: Int) -> Bool {
    facts[index].isDefault && standings[index] == .absent
  }

  mutating func steps() -> [Step] {
    for index in facts.indices where needsWork(index) && !isFresh(index) { change(index) }
    let later = facts.indices.filter { lowered.contains($0) && isLate($0) }
    let down = facts.indices.filter { lowered.contains($0) && !isLate($0) }
    var steps = takingDown(down)
    for index in facts.indices where isRaised(index) { steps += raising(index) }
    return steps + takingDown(later)
  }

  /// An ANA group is removed after its namespaces have left it, unless its port is removed.
  private func isLate(_ index: Int) -> Bool {
    guard facts[index].wish == .absent, case .directory(let path) = facts[index].content,
      case .anaGroup? = address(path)
    else { return false }
    let port = path.parent.parent
    return facts.contains { fact in
      guard case .directory(port) = fact.content else { return false }
      return fact.wish == .present
    }
  }

  private func address(_ path: FilePath) -> ConfigAddress? {
    ConfigAddress(path.string, below: machine.configFS.mountPoint)
  }

  /// Takes down the facts that prevent the change of one fact.
  private mutating func change(_ index: Int) {
    let fact = facts[index]
    for state in fact.frozenBy { lower(state) }
    if fact.wish == .absent || isSwitchedOff(index) {
      lower(index)
      return
    }
    if case .attribute(let path, _, _, let role) = fact.content, !Self.isState(role) {
      if let directory = remaking(index, path) { remake(directory) }
      if path.name == "zoned" { remakeNamespaces(of: path) }
      return
    }
    // A device that is recreated may have another name, or other data.
    if case .loop = fact.content, isUp[index] { lower(index) }
    for dependent in dependents[index] { lower(dependent) }
  }

  private static func isState(_ role: Fact.Role) -> Bool {
    if case .state = role { true } else { false }
  }

  /// A switch that is on and must be turned off.
  private func isSwitchedOff(_ index: Int) -> Bool {
    guard case .attribute(_, .text(let text), _, .state(let on, _)) = facts[index].content,
      facts[index].wish == .present
    else { return false }
    return text != on && isUp[index]
  }

  private mutating func lower(_ index: Int) {
    guard lowered.insert(index).inserted else { return }
    for dependent in dependents[index] { lower(dependent) }
    guard facts[index].isSwitch, isUp[index] else { return }
    for state in facts[index].frozenBy { lower(state) }
    // A function that is bound again opens a connection again.
    for needed in facts[index].needs {
      if case .connection = facts[needed].content { lower(needed) }
    }
  }

  // MARK: Objects that are made again

  /// The directory that must be recreated because no write can set the value of an attribute.
  private func remaking(_ index: Int, _ path: FilePath) -> FilePath? {
    guard isChanged(index) else { return nil }
    switch facts[index].remaking {
    case .never:
      return isZonedOnOneSide(index, path) ? path.parent : nil
    case .always(let directory): return directory
    case .onceIdentified(let directory): return isIdentified(directory) ? directory : nil
    }
  }

  /// A namespace that was enabled with a zoned device stays zoned with another one. Therefore the device of such a namespace is not
  /// replaced; nor does a namespace get a zoned device, which could not be undone.
  private func isZonedOnOneSide(_ index: Int, _ path: FilePath) -> Bool {
    guard path.name == "device_path" else { return false }
    if Hazard.wasZoned(path, machine) { return true }
    let zoned = facts.compactMap { fact -> String? in
      guard case .attribute(let attribute, .text(let text), _, _) = fact.content,
        attribute.name == "zoned", sameAttributeText(text, "1")
      else { return nil }
      return "/dev/\(attribute.parent.name)"
    }
    let current = (try? machine.configFS.read(path).withoutTrailingNewline) ?? ""
    guard case .attribute(_, .text(let wanted), _, _) = facts[index].content else {
      return zoned.contains(current)
    }
    return zoned.contains(current) || zoned.contains(wanted.withoutTrailingNewline)
  }

  /// Whether a host has identified a subsystem: then a value that is there already is refused, too, and only then.
  private func isIdentified(_ subsystem: FilePath) -> Bool {
    let path = subsystem.appending("attr_model")
    guard let text = try? machine.configFS.read(path) else { return false }
    do { _ = try machine.configFS.write(text, to: path) } catch { return true }
    return false
  }

  /// The namespaces that store to a device which stops being zoned.
  private mutating func remakeNamespaces(of attribute: FilePath) {
    guard let text = try? machine.configFS.read(attribute), sameAttributeText(text, "1") else {
      return
    }
    let name = attribute.parent.name
    for fact in facts {
      guard case .attribute(let path, .text(let device), _, _) = fact.content,
        path.name == "device_path", sameAttributeText(device, "/dev/\(name)")
      else { continue }
      remake(path.parent)
    }
  }

  private mutating func remake(_ directory: FilePath) {
    guard
      let index = facts.firstIndex(where: {
        if case .directory(directory) = $0.content { $0.wish == .present } else { false }
      }), isUp[index], remade.insert(index).inserted
    else { return }
    lower(index)
    // Its entries are removed first.
    let prefix = directory.string + "/"
    for inner in facts.indices where lowered.contains(inner) {
      if case .directory(let path) = facts[inner].content, path.string.hasPrefix(prefix),
        facts[inner].wish == .present, isUp[inner]
      {
        remade.insert(inner)
      }
    }
  }

  // MARK: Down

  private func takingDown(_ indices: [Int]) -> [Step] {
    // A connection is removed immediately after its binding: an undo that recreates the link connects again.
    func rank(_ step: Step) -> ConfigAddress.Rank {
      if case .disconnect = step.operation { return .binding }
      return step.operation.rank(below: machine.configFS.mountPoint)
    }
    return indices.compactMap { index in step(takingDown: index).map { (index, $0) } }
      .sorted { a, b in
        let ranks = (rank(a.1), rank(b.1))
        return ranks.0 == ranks.1 ? a.0 > b.0 : ranks.0 > ranks.1
      }.map(\.1)
  }

  private func step(takingDown index: Int) -> Step? {
    let fact = facts[index]
    guard isUp[index] else { return nil }
    let reason =
      fact.wish == .absent
      ? "the profile no longer has it"
      : isSwitchedOff(index) ? fact.reason : "something below it changes"
    let disruption = isNoticed(fact) ? fact.disruption : nil
    switch fact.content {
    case .link(let path, let target):
      return Step(
        .unlink(path: path.string, target: target.string), reason: reason, disruption: disruption)
    case .connection(let address):
      return Step(
        .disconnect(address, sparing: ownership.own.spared(address)), reason: reason)
    case .attribute(let path, _, _, .state(let on, let off)):
      return Step(
        .write(path: path.string, value: .text(off), shown: off), reason: reason,
        disruption: disruption, undo: .write(on))
    case .loop(let backing, let wanted):
      let made = ownership.own.configurations[backing] ?? wanted
      return Step(
        .detachLoop(backing: backing, file: made.file, device: loops[backing]), reason: reason,
        disruption: disruption, undo: .operation(.attachLoop(backing: backing, made)))
    case .directory(let path) where fact.wish == .absent || remade.contains(index):
      return Step(
        .removeDirectory(path: path.string),
        reason: fact.wish == .absent ? reason : "the values can be set only at creation",
        disruption: fact.wish == .absent ? nil : disruption,
        undo: .operation(ownership.own.restoration(of: path.string)))
    default: return nil
    }
  }

  /// The effect on hosts of taking down a switch or link depends on whether it is in use.
  private func isNoticed(_ fact: Fact) -> Bool {
    guard case .link(let path, _) = fact.content, case .portLink? = address(path) else {
      return true
    }
    // The removal of a port is intended; a change of a port that is kept interrupts its hosts.
    return fact.wish == .present
  }

  // MARK: Up

  private func isRaised(_ index: Int) -> Bool {
    let fact = facts[index]
    guard fact.wish != .absent else { return false }
    let isDown = lowered.contains(index)
    switch fact.content {
    case .attribute(_, .text(let text), _, .state(let on, _)):
      if fact.wish == .unchanged { return isUp[index] && isDown }
      return text == on ? !isUp[index] || isDown : false
    case .attribute(_, let value, _, let role):
      if fact.isDefault { return isChanged(index) && !isMadeAnew(fact) }
      if needsWork(index) || isMadeAnew(fact) { return true }
      if case .loopDevice = value { return isDown }
      // Another function of the driver may have changed the shared header since.
      guard case .usedAtBind(isShared: true) = role, hasSiblings(fact) else { return false }
      return fact.frozenBy.contains { lowered.contains($0) || needsWork($0) }
    case .directory: return needsWork(index) || remade.contains(index)
    case .lateDirectory: return needsWork(index) || isMadeAnew(fact)
    case .deviceNode, .link, .connection, .loop: return needsWork(index) || isDown
    case .controller: return fact.needs.contains { lowered.contains($0) || needsWork($0) }
    case .configFSMounted, .module, .file: return needsWork(index)
    }
  }

  /// Whether the driver of a function has another one, on the machine or in the profile.
  private func hasSiblings(_ fact: Fact) -> Bool {
    guard let path = fact.path else { return false }
    return sharedDrivers.contains(path.parent.parent)
  }

  /// The directories of function drivers that have more than one function.
  private static func sharedDrivers(_ facts: [Fact], on machine: Machine) -> Set<FilePath> {
    var functions: [FilePath: Set<String>] = [:]
    let root = machine.configFS.mountPoint.appending("pci_ep/functions")
    for fact in facts {
      guard case .directory(let path) = fact.content,
        path.parent.parent == root
      else { continue }
      functions[path.parent, default: []].insert(path.name)
    }
    for driver in functions.keys {
      for entry in (try? machine.configFS.entries(of: driver)) ?? [] where entry.kind == .directory
      {
        functions[driver]?.insert(entry.name)
      }
    }
    return Set(functions.filter { $0.value.count > 1 }.keys)
  }

  private func isChanged(_ index: Int) -> Bool {
    if case .differs = standings[index] { true } else { false }
  }

  /// Whether the plan creates the object of a fact.
  private func isMadeAnew(_ fact: Fact) -> Bool {
    fact.needs.contains { index in
      guard case .directory = facts[index].content else { return false }
      return remade.contains(index) || standings[index] == .absent
    }
  }

  private func raising(_ index: Int) -> [Step] {
    let fact = facts[index]
    let comesBack = lowered.contains(index) && isUp[index] && !isMadeAnew(fact)
    let reason = comesBack ? "restored: \(fact.reason)" : fact.reason
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
        .write(path: path.string, value: value, shown: expected),
        undo: isMadeAnew(fact) ? undoInNewObject(role) : undo(index, role))
    }
  }

  /// An attribute of an object that is removed by the undo of its creation.
  private func undoInNewObject(_ role: Fact.Role) -> Step.Undo {
    switch role {
    case .usedAtBind(isShared: true): .capture
    case .raw: .ifDifferent
    case .state(_, let off): .write(off)
    default: .nothing
    }
  }

  private func undo(_ index: Int, _ role: Fact.Role) -> Step.Undo {
    switch (role, standings[index]) {
    case (.usedAtBind(isShared: true), _): .capture
    case (.raw, .absent): .ifDifferent
    // An unset value cannot be restored, except a secret.
    case (.raw, .differs(let current))
    where sameAttributeText(current, "")
      && !SecretAttribute.matches(facts[index].path?.string ?? ""):
      .nothing
    case (.state(_, let off), _): .write(off)
    case (_, .absent): .nothing
    // An unset path cannot be written back; it vanishes with its namespace.
    case (_, .differs(let current)):
      sameAttributeText(current, "(null)") ? .nothing : .write(writable(current, index))
    case (_, .satisfied): .nothing
    }
  }

  /// The bytes that restore a shown value: the written ones, if they are equivalent.
  private func writable(_ shown: String, _ index: Int) -> String {
    guard let path = facts[index].path?.string else { return shown }
    // The driver keeps every byte, a line feed as well.
    if path.hasSuffix("/ctrl_opts") { return shown.withoutTrailingNewline }
    if SecretAttribute.matches(path) { return SecretAttribute.written(shown, to: path) }
    guard let written = ownership.own.lastWritten[path], sameAttributeText(shown, written) else {
      return shown
    }
    return written
  }

  // MARK: Questions

  /// The effect on a host of changing one fact.
  func disruptions(ofFixing index: Int) -> [String] {
    var planner = self
    planner.change(index)
    let lowered = planner.facts.indices.filter { planner.lowered.contains($0) }
    return planner.takingDown(lowered).compactMap(\.disruption).uniqued()
  }
}

extension Array where Element: Hashable {
  func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
