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
  let isUp: [Bool]
  /// The facts that need a fact.
  let dependents: [[Int]]
  /// The paths of function drivers that have more than one function.
  let sharedDrivers: Set<String>
  /// The paths of the directories of all facts.
  let directories: Set<String>
  /// Facts to take down.
  private(set) var lowered: Set<Int> = []
  /// Directories that are removed and recreated.
  private(set) var remade: Set<Int> = []

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
    directories = Set(
      facts.compactMap { fact in
        if case .directory(let path) = fact.content { path.string } else { nil }
      })
    sharedDrivers = Self.sharedDrivers(directories, on: machine)
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

  func isChanged(_ index: Int) -> Bool {
    if case .differs = standings[index] { true } else { false }
  }

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
    for index in raisingOrder() { steps += raising(index) }
    return steps + takingDown(later)
  }

  /// Hosts keep their access to a namespace that changes its ANA group: the new group becomes accessible first, then the namespace moves,
  /// and then its old group may become inaccessible.
  private func raisingOrder() -> [Int] {
    var order: [Int] = []
    var moves: [Int] = []
    var losses: [Int] = []
    for index in facts.indices where isRaised(index) {
      guard case .attribute(let path, .text(let text), _, _) = facts[index].content,
        !isMadeAnew(facts[index])
      else {
        order.append(index)
        continue
      }
      switch path.name {
      case "ana_grpid": moves.append(index)
      case "ana_state" where !NamespaceAccess.isAccessible(text): losses.append(index)
      default: order.append(index)
      }
    }
    guard !moves.isEmpty || !losses.isEmpty else { return order }
    // A function that comes up again finds the groups as the profile has them.
    let end = order.firstIndex { index in
      facts[index].path.flatMap { address($0) }.map { $0.rank >= .function } ?? false
    }
    order.insert(contentsOf: moves + losses, at: end ?? order.endIndex)
    return order
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

  func address(_ path: FilePath) -> ConfigAddress? {
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
  func isSwitchedOff(_ index: Int) -> Bool {
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

  private static func sharedDrivers(
    _ directories: Set<String>, on machine: Machine
  ) -> Set<String> {
    let root = machine.configFS.mountPoint.string + "/pci_ep/functions"
    var functions: [String: Set<String>] = [:]
    for path in directories where path.parentPath.parentPath == root {
      functions[path.parentPath, default: []].insert(path.lastComponent ?? "")
    }
    for driver in functions.keys {
      for entry in (try? machine.configFS.entries(of: FilePath(driver))) ?? []
      where entry.kind == .directory {
        functions[driver]?.insert(entry.name)
      }
    }
    return Set(functions.filter { $0.value.count > 1 }.keys)
  }

  // MARK: Questions

  /// The path of an operation → its effect on hosts that lose namespaces by ANA states.
  func accessLosses() -> [String: String] {
    // Most differences have nothing to do with ANA.
    let isConcerned = facts.indices.contains { index in
      needsWork(index) && facts[index].path?.string.contains("/ana_") == true
    }
    guard isConcerned else { return [:] }
    var planner = self
    let steps = planner.steps()
    var losses: [String: String] = [:]
    for (step, loss) in zip(steps, NamespaceAccess.losses(in: steps, machine.configFS)) {
      if let loss { losses[step.operation.path] = loss }
    }
    return losses
  }

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
