// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import SystemPackage

/// The steps that take facts down and bring them up.
extension Planner {
  // MARK: Down

  func takingDown(_ indices: [Int]) -> [Step] {
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

  func isRaised(_ index: Int) -> Bool {
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
    return sharedDrivers.contains(path.string.parentPath.parentPath)
  }

  /// Whether the plan creates the object of a fact.
  func isMadeAnew(_ fact: Fact) -> Bool {
    fact.needs.contains { index in
      guard case .directory = facts[index].content else { return false }
      return remade.contains(index) || standings[index] == .absent
    }
  }

  func raising(_ index: Int) -> [Step] {
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
}
