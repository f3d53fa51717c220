// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Objects in the journal that the profile no longer has, as facts to remove, after the desired facts.
///
/// They also have relations: a binding is removed only while its controller is stopped, a subsystem is unlinked from the port of a function
/// only while the function is not bound.
struct Leftovers {
  private(set) var facts: [Fact]
  /// Objects that other profiles share: they are not changed.
  private(set) var released: [String] = []

  private let desired: DesiredState
  private let ownership: Ownership
  private let machine: Machine
  /// Path → the desired fact about it.
  private var wanted: [String: Int] = [:]

  init(of desired: DesiredState, _ ownership: Ownership, on machine: Machine) {
    self.desired = desired
    self.ownership = ownership
    self.machine = machine
    facts = desired.facts
    var loops: Set<String> = []
    var connections: Set<FabricsAddress> = []
    for (index, fact) in facts.enumerated() {
      switch fact.content {
      case .directory(let path), .link(let path, _), .attribute(let path, _, _, _):
        wanted[path.string] = index
      case .loop(let backing, _): loops.insert(backing)
      case .connection(let address): connections.insert(address)
      default: break
      }
    }
    for entry in ownership.own.entries {
      switch entry.operation {
      case .createDirectory(let path) where wanted[path] == nil: directory(path)
      case .link(let path, let target) where wanted[path] == nil: link(path, target)
      case .write(let path, let value, _): attribute(path, value, entry)
      case .expectConnection(let address) where !connections.contains(address):
        add(.connection(address))
      case .attachLoop(let backing, let loop) where !loops.contains(backing):
        add(
          .loop(backing: backing, loop),
          disruption: "the loop device of \"\(backing)\" is removed")
      default: break
      }
    }
  }

  private static let reason = "the profile no longer has it"

  @discardableResult
  private mutating func add(
    _ content: Fact.Content, disruption: String? = nil, wish: Fact.Wish = .absent
  ) -> Int {
    var fact = Fact(content: content, reason: Self.reason, wish: wish)
    fact.disruption = disruption
    facts.append(fact)
    return facts.count - 1
  }

  private func address(_ path: String) -> ConfigAddress? {
    ConfigAddress(path, below: machine.configFS.mountPoint)
  }

  private mutating func directory(_ path: String) {
    if ownership.owner(of: path) != nil {
      released.append(path)
      if case .host? = address(path) { resetHost(path) }
      return
    }
    add(.directory(FilePath(path)))
  }

  /// Attributes of a shared host that only this profile set are reset to those of a new host.
  private mutating func resetHost(_ path: String) {
    for attribute in ownership.own.lastWritten.keys.sorted()
    where attribute.parentPath == path && ownership.isOwnAlone(attribute) {
      guard case .write(_, let value, let shown?)? = ProfileSchema.host.reset(attribute) else {
        continue
      }
      let index = add(.attribute(FilePath(attribute), value, shown: shown, .plain), wish: .present)
      facts[index].isDefault = true
      wanted[attribute] = index
    }
  }

  private mutating func link(_ path: String, _ target: String) {
    var disruption: String?
    var frozenBy: [Int] = []
    switch address(path) {
    case .binding(let controller, let name)?:
      disruption = "the host loses the NVMe controller of \(name)"
      frozenBy = [start(of: controller)]
    case .portLink(let port, let nqn)?:
      disruption = "hosts of port \(port) lose the subsystem"
      if servesFunctions(port) { frozenBy = desired.servingLinks[nqn] ?? [] }
    default: break
    }
    let index = add(.link(FilePath(path), to: FilePath(target)), disruption: disruption)
    facts[index].frozenBy = frozenBy
  }

  /// Whether functions reach subsystems through a port.
  private func servesFunctions(_ port: String) -> Bool {
    let path = desired.target.ports[port].transport.path
    guard let text = try? machine.configFS.read(path) else { return false }
    return sameAttributeText(text, "pci") || sameAttributeText(text, "loop")
  }

  private mutating func attribute(_ path: String, _ value: TextValue, _ entry: JournalEntry) {
    switch address(path) {
    case .controller(let name)?:
      let index = start(of: name)
      // No other profile starts it, and no other function is bound to it: it is stopped.
      if facts[index].wish == .unchanged, !hasOthers(at: name) { facts[index].wish = .absent }
    case .nullBlock(let device)? where wanted[path] == nil && ConfigAddress.isSwitch(path):
      add(
        Self.state(path), disruption: "the device /dev/\(device) is removed")
    case .namespace(let nqn, let id)? where wanted[path] == nil && ConfigAddress.isSwitch(path):
      add(Self.state(path), disruption: isSeen(nqn) ? "namespace \(id) is removed" : nil)
    case .host? where wanted[path] == nil && ownership.isWrittenByOthers(path):
      released.append(path)
    default: unknown(path, value, entry)
    }
  }

  private static func state(_ path: String) -> Fact.Content {
    .attribute(
      FilePath(path), .text(false.attributeText), shown: false.shownText,
      .state(on: true.attributeText, off: false.attributeText))
  }

  /// An attribute of an object that is kept, whose value in a new object is unknown.
  private mutating func unknown(_ path: String, _ value: TextValue, _ entry: JournalEntry) {
    guard wanted[path] == nil, case .text(let text) = value else { return }
    let object = path.parentPath.hasSuffix("/nvme") ? path.parentPath.parentPath : path.parentPath
    guard let owner = wanted[object] else { return }
    var fact = Fact(
      content: .attribute(FilePath(path), .text(text), shown: text, .plain),
      reason: "the profile no longer sets it, and the value in a new object is unknown")
    if case .write(_, .text(let old), _)? = entry.undo {
      fact.content = .attribute(FilePath(path), .text(old), shown: old, .plain)
      fact.reason = "the profile no longer sets it: its previous value is restored"
    } else {
      // Never satisfied: the value that was written is the one to lose.
      fact.remaking = .always(FilePath(object))
      fact.isDefault = true
      fact.content = .attribute(FilePath(path), .text(text), shown: "", .plain)
    }
    fact.needs = [owner]
    facts.append(fact)
  }

  /// The fact for a started controller; if the profile does not mention the controller, it is not changed.
  private mutating func start(of controller: String) -> Int {
    let attribute = desired.endpoints.controller(controller).isStarted
    if let known = wanted[attribute.path.string] { return known }
    let index = add(
      Self.state(attribute.path.string),
      disruption: "the PCIe link of \(controller) goes down", wish: .unchanged)
    wanted[attribute.path.string] = index
    return index
  }

  /// Whether functions of others are bound to a controller.
  private func hasOthers(at controller: String) -> Bool {
    let directory = desired.endpoints.controller(controller).directory
    return ((try? directory.links()) ?? []).contains { link in
      let path = directory.path.appending(link.name).string
      return ownership.own.links[path] == nil && wanted[path] == nil
    }
  }

  /// Whether hosts can reach a subsystem.
  private func isSeen(_ nqn: String) -> Bool {
    if desired.servingLinks[nqn] != nil { return true }
    let path = desired.target.subsystems[nqn].directory.path.string
    return ownership.own.links.values.contains(path)
  }
}
