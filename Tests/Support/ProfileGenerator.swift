// SPDX-License-Identifier: Apache-2.0
public import Provisioning
internal import Numbers
public import SimulatedKernel

/// Valid profiles, reproducible by the number of a seed, for tests of properties of every profile.
public struct ProfileGenerator {
  private var random: SplitMix64
  private let kernelRelease: SimulatedKernel.Release
  private var isMainline: Bool { kernelRelease == .linux7_2 }

  private init(seed: UInt64, _ kernelRelease: SimulatedKernel.Release) {
    random = SplitMix64(seed: seed)
    self.kernelRelease = kernelRelease
  }

  /// A profile that ``machine`` with the kernel release can apply.
  public static func profile(
    seed: UInt64, for kernelRelease: SimulatedKernel.Release
  ) -> Profile {
    var generator = ProfileGenerator(seed: seed, kernelRelease)
    return generator.profile("generated-\(seed)")
  }

  /// A profile and another one of the same name, so that objects coincide.
  public static func pair(
    seed: UInt64, for kernelRelease: SimulatedKernel.Release
  ) -> (Profile, Profile) {
    let first = profile(seed: seed, for: kernelRelease)
    var generator = ProfileGenerator(seed: seed + 100_000, kernelRelease)
    return (first, generator.profile(first.name))
  }

  /// A machine that takes every generated profile.
  public static var machine: SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].maximumFunctions = 4
    machine.options = [.passthru, .authentication, .integrity, .peerToPeerMemory]
    machine.tcpTargets = [.init("192.0.2.10", subsystems: [remote])]
    return machine
  }

  private static let remote = "nqn.2026-01.org.example:remote"

  // MARK: Choices

  private mutating func chance(_ percent: Int) -> Bool { Int(random.next() % 100) < percent }
  private mutating func pick<T>(_ values: [T]) -> T {
    values[Int(random.next() % UInt64(values.count))]
  }
  private mutating func number<T: FixedWidthInteger>(_ range: ClosedRange<T>) -> T {
    T.random(in: range, using: &random)
  }
  /// A value, or nothing.
  private mutating func maybe<T>(
    _ percent: Int = 40, _ make: (inout ProfileGenerator) -> T
  ) -> T? {
    chance(percent) ? make(&self) : nil
  }
  private mutating func text(upTo limit: Int) -> String {
    let letters = Array("ABCXYZabcxyz0189 -_./:'\"$\\#")
    var text = String(pick(Array("ABCabc019")))
    for _ in 0..<number(0...limit - 2) { text.append(pick(letters)) }
    // A blank at the end is indistinguishable from padding.
    return text + pick(["x", "7", "Z"])
  }
  private mutating func hex(_ digits: Int) -> String {
    (0..<digits).map { _ in pick(Array("0123456789abcdef")) }.reduce(into: "") { $0.append($1) }
  }

  // MARK: The parts

  private mutating func profile(_ name: String) -> Profile {
    var profile = Profile(name: name)
    profile.description = maybe { $0.text(upTo: 40) }
    profile.driver =
      chance(50) ? .auto : isMainline ? .nvmetPCIEPF : .pciEPFNVMe
    for number in 0..<number(1...2) {
      profile.subsystems.append(subsystem("nqn.2026-01.org.example:\(name).\(number)", &profile))
    }
    addHosts(to: &profile)
    addFunctions(to: &profile)
    if chance(30) { addTCPPort(to: &profile) }
    if chance(20) { addIdlePort(to: &profile) }
    return profile
  }

  private mutating func backing(_ name: String) -> Profile.Backing.Store {
    switch number(0...9) {
    case 0...3:
      return .file(file(name))
    case 4...6:
      var device = Profile.LoopDevice(file: file(name))
      device.blockSize = maybe { $0.pick([512, 1024, 4096]) }
      device.directIO = chance(20)
      device.offset = chance(20) ? 4096 * number(1...64) : 0
      return .loopDevice(device)
    default: return .nullBlock(nullBlock())
    }
  }

  private mutating func file(_ name: String) -> Profile.File {
    Profile.File(path: "/srv/\(name).img", sizeMiB: number(1...64), create: true)
  }

  private mutating func nullBlock() -> Profile.NullBlock {
    var device = Profile.NullBlock()
    device.sizeMiB = maybe(80) { $0.number(64...4096) }
    device.blockSize = maybe { $0.pick([512, 1024, 2048, 4096]) }
    device.memoryBacked = maybe(60) { $0.chance(80) }
    device.submitQueues = maybe { $0.number(1...16) }
    device.hardwareQueueDepth = maybe { $0.number(1...256) }
    device.completionNanoseconds = maybe(20) { $0.number(0...100_000) }
    device.irqMode = maybe(20) { $0.number(0...2) }
    device.mbps = maybe(20) { $0.number(0...1000) }
    if isMainline { device.rotational = maybe(20) { $0.chance(50) } }
    if chance(20) {
      device.zoned = true
      device.sizeMiB = 1024
      device.zoneSizeMiB = maybe { $0.pick([4, 16, 64]) }
      device.zoneCapacityMiB = maybe { $0.number(1...4) }
      // Four zones at least; what is no limit the kernel would take for none.
      device.maximumOpenZones = maybe { $0.number(0...2) }
      device.maximumActiveZones = maybe { $0.number(2...3) }
    } else if device.memoryBacked == true {
      device.discard = maybe { $0.chance(70) }
      device.cacheSizeMiB = maybe(20) { $0.number(0...16) }
    }
    // They change the zones' limit of an append, which never shrinks in a subsystem (nvmet.md, 6).
    let limits = ["max_sectors", "virt_boundary"]
    for (name, value) in [
      ("fua", "0"), ("max_sectors", "2048"), ("no_sched", "1"), ("virt_boundary", "1"),
      ("home_node", "0"),
    ] where chance(10) && !(device.zoned == true && limits.contains(name)) {
      device.attributes.append(Profile.RawAttribute(name: name, text: value))
    }
    add(
      Profile.NullBlock.self, to: &device.settings,
      except: [
        "device", "sizeMiB", "blockSize", "memoryBacked", "discard", "cacheSizeMiB", "submitQueues",
        "hardwareQueueDepth", "completionNanoseconds", "irqMode", "mbps", "rotational", "zoned",
        "zoneSizeMiB", "zoneCapacityMiB", "maximumOpenZones", "maximumActiveZones",
      ])
    return device
  }

  /// Values of the keys that need no special choice here: those that no other value or rule restricts.
  private mutating func add<Object: KeyedObject>(
    _ object: Object.Type, to settings: inout Settings, except chosen: Set<String>
  ) {
    for row in Object.schemaRows where !chosen.contains(row.name) && chance(10) {
      switch row.kind {
      case .boolean: settings[row.name] = .boolean(chance(50))
      case .integer(let range):
        settings[row.name] = .integer(number(range.lowerBound...min(range.upperBound, 64)))
      case .words(let words): settings[row.name] = .text(pick(words))
      default: continue
      }
    }
  }

  private mutating func subsystem(_ nqn: String, _ profile: inout Profile) -> Profile.Subsystem {
    var subsystem = Profile.Subsystem(nqn: nqn)
    subsystem.model = maybe { $0.text(upTo: 40) }
    subsystem.serial = maybe { $0.text(upTo: 20) }
    subsystem.firmware = maybe { $0.text(upTo: 8) }
    subsystem.ieeeOUI = maybe(20) { $0.number(0...0xff_ffff) }
    subsystem.version = maybe(20) { $0.pick(["1.3", "1.4", "2.0", "2.1", "1.2.1"]) }
    if isMainline {
      subsystem.vendorID = maybe(20) { $0.number(1...0xfffe) }
      subsystem.subsystemVendorID = maybe(20) { $0.number(0...0xffff) }
    }
    subsystem.controllerIDMinimum = maybe(20) { $0.number(1...100) }
    subsystem.controllerIDMaximum = maybe(20) { $0.number(200...65535) }
    if chance(20) {
      subsystem.attributes.append(
        Profile.RawAttribute(name: "attr_pi_enable", text: pick(["0", "1"])))
    }
    for index in 0..<pick([0, 1, 1, 2, 3]) {
      let name = "b\(profile.backings.count)"
      profile.backings.append(
        Profile.Backing(name: name, store: backing("\(profile.name)-\(name)")))
      subsystem.namespaces.append(namespace(UInt32(index) * 3 + number(1...3), name, profile))
    }
    return subsystem
  }

  private mutating func namespace(
    _ id: UInt32, _ backing: String, _ profile: Profile
  ) -> Profile.Namespace {
    var namespace = Profile.Namespace(id: id, backing: backing)
    namespace.uuid = maybe(20) {
      "\($0.hex(8))-\($0.hex(4))-4\($0.hex(3))-a\($0.hex(3))-\($0.hex(12))"
    }
    namespace.nguid = maybe(20) { $0.chance(20) ? String(repeating: "0", count: 32) : $0.hex(32) }
    namespace.anaGroup = maybe(20) { $0.number(1...127) }
    namespace.enabled = chance(85)
    var isZoned = false
    if case .nullBlock(let device)? = profile.backing(named: backing)?.store {
      isZoned = device.zoned == true
    }
    if !isZoned { namespace.bufferedIO = maybe(20) { $0.chance(70) } }
    if isMainline { namespace.reservations = maybe(20) { $0.chance(70) } }
    return namespace
  }

  /// Hosts for one subsystem, which then has no function.
  private mutating func addHosts(to profile: inout Profile) {
    guard chance(30) else { return }
    let index = profile.subsystems.count - 1
    for number in 0..<number(1...2) {
      profile.subsystems[index].allowedHosts.append("nqn.2026-01.org.example:host.\(number)")
    }
    if chance(50) {
      profile.hosts.append(
        Profile.Host(
          nqn: "nqn.2026-01.org.example:host.0",
          attributes: [
            Profile.RawAttribute(name: "dhchap_key", text: "DHHC-1:00:\(hex(20)):"),
            Profile.RawAttribute(name: "dhchap_dhgroup", text: pick(["null", "ffdhe2048"])),
          ]))
    }
    if chance(30) { profile.hosts.append(Profile.Host(nqn: "nqn.2026-01.org.example:nobody")) }
  }

  private mutating func addFunctions(to profile: inout Profile) {
    // One header for all functions of a driver.
    let vendor: UInt16 = number(1...0xfffe)
    let device: UInt16 = number(0...0xfffe)
    let identifier = maybe { $0.number(0...0xfffe) as UInt16 }
    for index in profile.subsystems.indices
    where profile.subsystems[index].allowedHosts.isEmpty && chance(80) {
      let nqn = profile.subsystems[index].nqn
      var function = Profile.Function(
        name: "function.\(profile.functions.count)", vendorID: vendor, deviceID: device,
        target: .local(nqn: nqn, spelled: pick([.loop, .pci])))
      function.subsystemID = identifier
      shape(&function)
      if chance(50) {
        profile.subsystems[index].maximumQueueID = number(
          (function.ioQueues ?? 1)...(function.ioQueues ?? 4))
      }
      profile.functions.append(function)
    }
    if !isMainline, chance(15) {
      var target = Profile.TCPTarget(nqn: Self.remote, address: "192.0.2.10")
      target.keepAliveSeconds = maybe { $0.number(1...60) }
      target.reconnectDelaySeconds = maybe { $0.number(1...60) }
      target.controllerLossSeconds = maybe { $0.number(-1...600) }
      var function = Profile.Function(
        name: "remote", vendorID: vendor, deviceID: device, target: .tcp(target))
      function.subsystemID = identifier
      shape(&function)
      profile.functions.append(function)
    }
    let isStarted = chance(80)
    for index in profile.functions.indices { profile.functions[index].start = isStarted }
  }

  private mutating func shape(_ function: inout Profile.Function) {
    // One more is the admin queue's, and a queue more than the machine has processors is not made.
    function.ioQueues = maybe(70) { $0.number(1...8) }
    let vectors = (function.ioQueues ?? 4) + 1
    function.msixVectors = chance(80) ? number(vectors...64) : 0
    function.msiVectors =
      function.msixVectors == 0 || chance(70) ? UInt8(number(vectors...32)) : 0
    function.mdtsKiB = maybe { $0.pick([8, 64, 128, 256, 512]) }
    function.queueSize = maybe(30) { $0.number(16...1024) }
    if !isMainline { function.dma = maybe(30) { $0.chance(50) } }
    function.controller = pick(["auto", "a40000000.pcie-ep"])
  }

  private mutating func addTCPPort(to profile: inout Profile) {
    var port = Profile.Port(id: number(100...200), transport: .tcp)
    port.addressFamily = "ipv4"
    port.address = pick(["127.0.0.1", "0.0.0.0"])
    port.service = "\(number(1024...65535) as UInt16)"
    port.subsystems = profile.subsystems.map(\.nqn).filter { _ in chance(50) }
    port.maximumQueueSize = maybe { $0.number(16...1024) }
    port.inlineDataSize = maybe { $0.number(0...32768) }
    if isMainline { port.mdts = maybe { $0.number(0...255) } }
    if chance(30) {
      port.attributes = [Profile.RawAttribute(name: "addr_treq", text: "not required")]
    }
    for group in [1, 2, 9] as [UInt32] where chance(30) {
      port.anaGroups.append(
        Profile.ANAGroup(
          id: group, state: pick(["optimized", "non-optimized", "inaccessible", "persistent-loss"]))
      )
    }
    profile.ports.append(port)
  }

  /// A port that nothing is linked to.
  private mutating func addIdlePort(to profile: inout Profile) {
    var port = Profile.Port(id: number(300...400), transport: pick([.loop, .tcp]))
    port.addressFamily = "ipv4"
    port.address = "127.0.0.1"
    port.service = "4420"
    port.maximumQueueSize = maybe { $0.number(16...1024) }
    profile.ports.append(port)
  }
}
