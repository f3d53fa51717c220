// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import NVMeTarget
internal import PCIEndpoint

/// What a profile must satisfy on any machine: the forms, limits and sums of the specification and of both drivers.
enum ProfileRules {
  /// The drivers' limits that a profile can run into.
  enum Limit {
    /// I/O queues that `pci_epf_nvme` can serve: 16 queues with the admin queue.
    static let ioQueuesOfPCIEPFNVMe: UInt16 = 15
    /// I/O queues that `nvmet_pci_epf` can serve: 128 queues with the admin queue.
    static let ioQueuesOfNVMeTPCIEPF: UInt16 = 127
    static let msiVectors: UInt8 = 32
    static let msixVectors: UInt16 = 2048
    /// Below it the Identify field wraps or says "no limit".
    static let smallestMDTSKiB: UInt32 = 8
    static let largestMDTSKiBOfPCIEPFNVMe: UInt32 = 1024
    static let largestMDTSKiBOfNVMeTPCIEPF: UInt32 = 2048
    static let namespaces = 1024
  }

  static func issues(of profile: Profile) -> [ProfileIssue] {
    let collector = IssueCollector()
    ProfileCheck(profile: profile, issues: collector).all()
    return collector.issues
  }

  /// Whether a text can be one component of a path, and of a line of output.
  static func problem(withComponent text: String, upTo limit: Int = 255) -> String? {
    if text.isEmpty { return "is empty" }
    if text == "." || text == ".." { return "cannot name a directory" }
    if text.utf8.count > limit { return "has \(text.utf8.count) bytes, more than \(limit)" }
    if text.utf8.contains(UInt8(ascii: "/")) {
      return "contains \"/\", which ends a directory name"
    }
    if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
      return "contains a control character"
    }
    return nil
  }

  /// The name of a profile is a file name, an argument and a part of device names.
  static func problem(withProfileName name: String) -> String? {
    let first = name.utf8.first.map(isAlphanumeric) ?? false
    let fits = name.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2e || $0 == 0x5f || $0 == 0x2d }
    guard first, fits, name.utf8.count <= 64 else {
      return
        "a name has 1 to 64 letters, digits, \".\", \"_\" and \"-\", the first a letter or digit"
    }
    return nil
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: false
    }
  }
}

struct ProfileCheck {
  let profile: Profile
  let issues: IssueCollector

  func error(_ path: String, _ message: String, hint: String? = nil) {
    issues.add(.error, path, nil, message, hint: hint)
  }

  func warn(_ path: String, _ message: String, hint: String? = nil) {
    issues.add(.warning, path, nil, message, hint: hint)
  }

  func check<T: ValidatedText>(_ text: String?, _ type: T.Type, _ path: String) {
    if let text, let problem = T.problem(with: text) {
      error(path, "\"\(text.prefix(60))\" \(problem)")
    }
  }

  func all() {
    if let problem = ProfileRules.problem(withProfileName: profile.name) { error("name", problem) }
    for backing in profile.backings { check(backing) }
    storesTwice()
    for (index, subsystem) in profile.subsystems.enumerated() {
      check(subsystem, "subsystems[\(index)]")
    }
    namespaceStores()
    for (index, port) in profile.ports.enumerated() { check(port, "ports[\(index)]") }
    for (index, function) in profile.functions.enumerated() {
      check(function, "functions[\(index)]")
    }
    twice(profile.subsystems.map(\.nqn), "subsystems", "nqn", "the NQN")
    twice(profile.ports.map { "\($0.id)" }, "ports", "id", "the port id")
    twice(profile.functions.map(\.name), "functions", "name", "the function name")
    rawAttributes()
    sharedHeaders()
    functionCounts()
  }

  func twice(_ values: [String], _ list: String, _ key: String, _ what: String) {
    var seen: [String: Int] = [:]
    for (index, value) in values.enumerated() {
      if let first = seen[value] {
        error(
          "\(list)[\(index)].\(key)", "\(what) \"\(value)\" is already that of \(list)[\(first)]")
      } else {
        seen[value] = index
      }
    }
  }

  // MARK: Backings

  func check(_ backing: Profile.Backing) {
    let path = "backings.\(backing.name)"
    if let problem = ProfileRules.problem(withComponent: backing.name, upTo: 64) {
      error(path, "the backing's name \(problem)")
    }
    switch backing.store {
    case .nullBlock(let device): check(device, backing, "\(path).nullBlock")
    case .file(let file): check(file, "\(path).file")
    case .block(let device): check(path: device, "\(path).block.path")
    case .loopDevice(let loop):
      check(loop.file, "\(path).loopDevice")
      if let size = loop.blockSize, !isBlockSize(size, upTo: 4096) {
        error(
          "\(path).loopDevice.blockSize", "a block size is 512, 1024, 2048 or 4096, not \(size)")
      }
      if loop.offset % UInt64(loop.blockSize ?? 512) != 0 {
        error("\(path).loopDevice.offsetBytes", "the offset is not a multiple of the block size")
      }
    }
    let isUsed = profile.subsystems.contains {
      $0.namespaces.contains { $0.backing == backing.name }
    }
    if !isUsed { warn(path, "no namespace stores to this backing") }
  }

  func isBlockSize(_ size: UInt32, upTo limit: UInt32) -> Bool {
    size >= 512 && size <= limit && size.nonzeroBitCount == 1
  }

  func check(_ device: Profile.NullBlock, _ backing: Profile.Backing, _ path: String) {
    let name = profile.deviceName(of: backing) ?? ""
    if let problem = ProfileRules.problem(withComponent: name, upTo: 31) {
      error("\(path).device", "the device name \"\(name.prefix(60))\" \(problem)")
    }
    if name.hasPrefix("nullb"), name.dropFirst(5).allSatisfy(\.isNumber), device.device != nil {
      warn(
        "\(path).device", "\"\(name)\" is also a name that the module itself gives out",
        hint: "another name cannot clash with devices made by modprobe null_blk")
    }
    if device.sizeMiB == 0 { error("\(path).sizeMiB", "a device of 0 MiB has no blocks") }
    if let size = device.sizeMiB, size > 1 << 33 {
      error("\(path).sizeMiB", "\(size) MiB is more than a block device can have (8 EiB)")
    }
    if let size = device.blockSize, !isBlockSize(size, upTo: 65536) {
      error("\(path).blockSize", "a block size is a power of two from 512 to 65536, not \(size)")
    }
    if device.memoryBacked != true {
      if device.discard == true {
        error("\(path).discard", "null_blk discards only with \"memoryBacked\": true")
      }
      if let size = device.cacheSizeMiB, size > 0 {
        error("\(path).cacheSizeMiB", "null_blk caches only with \"memoryBacked\": true")
      }
    }
    if let depth = device.hardwareQueueDepth, !(1...10240).contains(depth) {
      error("\(path).hardwareQueueDepth", "\(depth) is out of range: 1 to 10240")
    }
    if device.submitQueues == 0 {
      error("\(path).submitQueues", "a device needs one queue at least")
    }
    if let mode = device.irqMode, mode > 2 {
      error("\(path).irqMode", "\(mode) is unknown: 0 none, 1 soft interrupt, 2 timer")
    }
    if let rate = device.mbps, rate > 40960 {
      error("\(path).mbps", "\(rate) MB/s is more than null_blk's 40960")
    }
    checkZones(device, path)
  }

  func checkZones(_ device: Profile.NullBlock, _ path: String) {
    guard device.zoned == true else { return }
    let size = device.sizeMiB ?? 256_000
    let zone = device.zoneSizeMiB ?? 256
    if zone == 0 || zone.nonzeroBitCount != 1 {
      error("\(path).zoneSizeMiB", "a zone's size is a power of two, not \(zone)")
    } else if zone > size {
      error("\(path).zoneSizeMiB", "a zone of \(zone) MiB is larger than the device of \(size) MiB")
    }
    if let capacity = device.zoneCapacityMiB, capacity > zone {
      error("\(path).zoneCapacityMiB", "\(capacity) MiB is more than the zone's \(zone) MiB")
    }
    if device.discard == true { error("\(path).discard", "a zoned null_blk does not discard") }
    checkZoneLimits(device, zones: zone == 0 ? 0 : (size + zone - 1) / zone, path)
  }

  /// What the kernel replaces at power-on, so that a second setup would find something to do.
  private func checkZoneLimits(_ device: Profile.NullBlock, zones: UInt64, _ path: String) {
    for (key, limit) in [
      ("maximumOpenZones", device.maximumOpenZones),
      ("maximumActiveZones", device.maximumActiveZones),
    ] {
      guard let limit, limit > 0, limit >= zones else { continue }
      error(
        "\(path).\(key)", "\(limit) is no limit for \(zones) zones; the kernel would make it 0",
        hint: "leave it out, or write 0")
    }
    if let open = device.maximumOpenZones, let active = device.maximumActiveZones, active > 0,
      open > active
    {
      error(
        "\(path).maximumOpenZones",
        "\(open) zones cannot be open while \(active) can be active; the kernel would make it \(active)"
      )
    }
  }

  func check(_ file: Profile.File, _ path: String) {
    check(path: file.path, "\(path).path")
    if file.sizeMiB == 0 { error("\(path).sizeMiB", "a file of 0 MiB has no blocks") }
    if let size = file.sizeMiB, size > 1 << 33 {
      error("\(path).sizeMiB", "\(size) MiB is more than a file can have")
    }
    if file.create, file.sizeMiB == nil {
      error(path, "\"create\" needs \"sizeMiB\": how large the file shall be")
    }
  }

  func check(path text: String, _ path: String) {
    do { _ = try DevicePath(text) } catch {
      issues.add(.error, path, nil, "\"\(text.prefix(60))\" \(error.reason)")
    }
  }

  /// Two backings on one store corrupt each other, and the kernel does not prevent it.
  func storesTwice() {
    var users: [String: String] = [:]
    for backing in profile.backings {
      let store: String =
        switch backing.store {
        case .nullBlock: "/dev/\(profile.deviceName(of: backing) ?? "")"
        case .file(let file): file.path
        case .block(let path): path
        case .loopDevice(let loop): loop.file.path
        }
      if let other = users.updateValue(backing.name, forKey: store) {
        error(
          "backings.\(backing.name)", "\(store) is already the store of the backing \"\(other)\"",
          hint: "two namespaces on one store corrupt each other's data")
      }
    }
  }

  func namespaceStores() {
    var users: [String: String] = [:]
    for (s, subsystem) in profile.subsystems.enumerated() {
      for (n, namespace) in subsystem.namespaces.enumerated() {
        let path = "subsystems[\(s)].namespaces[\(n)].backing"
        guard profile.backing(named: namespace.backing) != nil else {
          let nearest = nearestName(to: namespace.backing, in: profile.backings.map(\.name))
          error(
            path, "there is no backing \"\(namespace.backing)\"",
            hint: nearest.map { "did you mean \"\($0)\"?" })
          continue
        }
        if let other = users.updateValue(path, forKey: namespace.backing) {
          error(
            path, "the backing \"\(namespace.backing)\" is already used by \(other)",
            hint: "two namespaces on one store corrupt each other's data")
        }
      }
    }
  }

  // MARK: Subsystems

  func check(_ subsystem: Profile.Subsystem, _ path: String) {
    checkNQN(subsystem.nqn, "\(path).nqn")
    check(subsystem.model, ModelNumber.self, "\(path).model")
    check(subsystem.serial, SerialNumber.self, "\(path).serial")
    check(subsystem.firmware, FirmwareRevision.self, "\(path).firmware")
    if let oui = subsystem.ieeeOUI, oui > 0xff_ffff {
      error("\(path).ieeeOUI", "an OUI has 24 bits: 0x000000 to 0xffffff")
    }
    if let version = subsystem.version, SpecificationVersion(attributeText: version) == nil {
      error("\(path).version", "\"\(version.prefix(20))\" is no version such as 1.4 or 2.1")
    }
    if let limit = subsystem.maximumQueueID, !(1...128).contains(limit) {
      error("\(path).maximumQueueID", "\(limit) is out of range: 1 to 128")
    }
    let low = subsystem.controllerIDMinimum ?? 1
    let high = subsystem.controllerIDMaximum ?? 0xffef
    if low == 0 || low > high {
      error("\(path).controllerIDMinimum", "controller ids \(low) to \(high) are no range")
    }
    for (index, host) in subsystem.allowedHosts.enumerated() {
      checkNQN(host, "\(path).allowedHosts[\(index)]")
    }
    if subsystem.allowAnyHost == true, !subsystem.allowedHosts.isEmpty {
      error(
        "\(path).allowedHosts", "hosts cannot be listed while any host is allowed",
        hint: "remove \"allowAnyHost\" or the list")
    }
    if subsystem.namespaces.count > ProfileRules.Limit.namespaces {
      error(
        "\(path).namespaces", "a subsystem has at most \(ProfileRules.Limit.namespaces) namespaces")
    }
    for (index, namespace) in subsystem.namespaces.enumerated() {
      check(namespace, "\(path).namespaces[\(index)]")
    }
    twice(subsystem.namespaces.map { "\($0.id)" }, "\(path).namespaces", "id", "the NSID")
  }

  func checkNQN(_ text: String, _ path: String) {
    if let problem = NQN.problem(with: text) {
      error(path, "the NQN \"\(text.prefix(40))\" \(problem)")
    } else if text == NQN.discovery.text {
      error(path, "this is the NQN of discovery, which the kernel keeps for itself")
    } else if let nqn = try? NQN(text), let warning = nqn.warning {
      warn(path, warning)
    }
  }

  func check(_ namespace: Profile.Namespace, _ path: String) {
    if namespace.id == 0 || namespace.id == .max {
      error("\(path).id", "\(namespace.id) is no NSID: 1 to 4294967294")
    } else if namespace.id > ProfileRules.Limit.namespaces {
      warn("\(path).id", "Linux tells hosts that the highest NSID is 1024")
    }
    check(namespace.uuid, UUIDText.self, "\(path).uuid")
    if let text = namespace.nguid {
      do { _ = try NGUID(text) } catch {
        issues.add(.error, "\(path).nguid", nil, "\"\(text.prefix(60))\" \(error.reason)")
      }
    }
    if let group = namespace.anaGroup, !(1...127).contains(group) {
      error(
        "\(path).anaGroup", "\(group) is out of range: 1 to 127",
        hint: "Linux accepts 128 and then stores 0, which damages its counters")
    }
  }

  // MARK: Ports

  func check(_ port: Profile.Port, _ path: String) {
    check(port.address, TransportAddress.self, "\(path).address")
    check(port.service, ServiceID.self, "\(path).service")
    if let family = port.addressFamily, family.isEmpty || AddressFamily(rawValue: family) == nil {
      error(
        "\(path).addressFamily", "unknown address family \"\(family.prefix(20))\"",
        hint: "known values: ipv4, ipv6, ib, fc, pci, loop")
    }
    if port.transport == .tcp || port.transport == .rdma {
      for (key, value) in [
        ("addressFamily", port.addressFamily), ("address", port.address), ("service", port.service),
      ] where value == nil {
        error(path, "a \(port.transport.rawValue) port needs \"\(key)\"")
      }
    }
    for (index, nqn) in port.subsystems.enumerated() {
      checkSubsystemExists(nqn, "\(path).subsystems[\(index)]")
    }
    twice(port.subsystems, "\(path).subsystems", "", "the subsystem")
    if let size = port.maximumQueueSize, !(16...1024).contains(size) {
      error("\(path).maximumQueueSize", "\(size) is out of range: 16 to 1024")
    }
    if let size = port.inlineDataSize, size < 0 {
      error("\(path).inlineDataSize", "\(size) is out of range: 0 or more bytes")
    }
    if let mdts = port.mdts, !(0...255).contains(mdts) {
      error("\(path).mdts", "\(mdts) is out of range: 0 to 255")
    }
  }

  func checkSubsystemExists(_ nqn: String, _ path: String) {
    guard profile.subsystem(nqn) == nil else { return }
    let nearest = nearestName(to: nqn, in: profile.subsystems.map(\.nqn))
    error(
      path, "the profile has no subsystem \"\(nqn.prefix(60))\"",
      hint: nearest.map { "did you mean \"\($0)\"?" })
  }

  // MARK: Functions

  func check(_ function: Profile.Function, _ path: String) {
    if let problem = ProfileRules.problem(withComponent: function.name) {
      error("\(path).name", "\"\(function.name.prefix(60))\" \(problem)")
    }
    if function.controller != "auto",
      let problem = ProfileRules.problem(withComponent: function.controller)
    {
      error("\(path).controller", "\"\(function.controller.prefix(60))\" \(problem)")
    }
    if function.vendorID == 0 || function.vendorID == 0xffff {
      error(
        "\(path).vendorID", "a host takes a slot with this vendor ID for empty",
        hint: "use the vendor ID that your organisation has from the PCI-SIG")
    }
    if function.classCode > 0xff_ffff {
      error("\(path).classCode", "a class code has 24 bits")
    } else if function.classCode != 0x01_0802 {
      warn("\(path).classCode", "NVMe drivers look for class 0x010802")
    }
    if function.interruptPin > 4 {
      error(
        "\(path).interruptPin", "\(function.interruptPin) is out of range: 0 none, 1 INTA to 4 INTD"
      )
    }
    checkTarget(function, path)
    checkVectors(function, path)
    checkTransfers(function, path)
    checkWindows(function, path)
  }

  func checkTarget(_ function: Profile.Function, _ path: String) {
    switch function.target {
    case .local(let nqn, let spelled):
      let place = "\(path).target.\(spelled.rawValue)"
      checkSubsystemExists(nqn, place)
      if nqn.utf8.count > NQN.maximumLengthForEndpointFunction {
        error(
          place,
          "the NQN has \(nqn.utf8.count) bytes; an endpoint function can hold \(NQN.maximumLengthForEndpointFunction)",
          hint: "the kernel would write beyond the attribute's buffer")
      }
      if nqn.contains(",") {
        error(place, "the NQN contains \",\", which separates the options of pci_epf_nvme")
      }
      if let index = profile.subsystems.firstIndex(where: { $0.nqn == nqn }) {
        let subsystem = profile.subsystems[index]
        if subsystem.allowAnyHost == false || !subsystem.allowedHosts.isEmpty {
          error(
            "subsystems[\(index)]", "an endpoint function connects with a random host NQN",
            hint: "its subsystem needs \"allowAnyHost\": true and no list of hosts")
        }
        if let vendor = subsystem.vendorID, vendor != function.vendorID {
          warn(
            "\(path).vendorID",
            "nvmet_pci_epf shows the subsystem's vendor ID, \(hex(vendor)), instead of this one")
        }
      }
    case .tcp(let target):
      check(target, "\(path).target.tcp")
      if profile.driver == .nvmetPCIEPF {
        error(
          "\(path).target.tcp", "nvmet_pci_epf serves only subsystems of its own machine",
          hint: "a remote target needs the driver pci_epf_nvme")
      }
    }
    if function.dma == false, profile.driver == .nvmetPCIEPF {
      warn("\(path).dma", "nvmet_pci_epf has no DMA switch and uses DMA wherever there is any")
    }
  }

  func check(_ target: Profile.TCPTarget, _ path: String) {
    checkNQN(target.nqn, "\(path).nqn")
    if let host = target.hostNQN { checkNQN(host, "\(path).hostNQN") }
    for (key, value) in [
      ("nqn", target.nqn), ("address", target.address), ("hostNQN", target.hostNQN ?? "x"),
      ("hostAddress", target.hostAddress ?? "x"),
    ] {
      if value.isEmpty { error("\(path).\(key)", "is empty") }
      if value.utf8.contains(where: { $0 == 0x2c || $0 <= 0x20 }) {
        error("\(path).\(key)", "contains \",\" or white space, which separates options")
      }
      if key.lowercased().hasSuffix("nqn"), value.utf8.count >= 223 {
        error("\(path).\(key)", "has \(value.utf8.count) bytes; the fabrics options allow 222")
      }
    }
    check(target.hostID, UUIDText.self, "\(path).hostID")
    if target.port == 0 { error("\(path).port", "0 is no TCP port") }
    if target.reconnectDelaySeconds == 0 {
      error("\(path).reconnectDelaySeconds", "the kernel wants one second at least")
    }
  }

  func checkVectors(_ function: Profile.Function, _ path: String) {
    let limit = ProfileRules.Limit.self
    if function.msiVectors > limit.msiVectors {
      error(
        "\(path).msiVectors", "\(function.msiVectors) is out of range: 0 to \(limit.msiVectors)")
    }
    if function.msixVectors > limit.msixVectors {
      error(
        "\(path).msixVectors", "\(function.msixVectors) is out of range: 0 to \(limit.msixVectors)")
    }
    if function.ioQueues == 0 { error("\(path).ioQueues", "a controller needs one I/O queue") }
    if let queues = function.ioQueues, queues > limit.ioQueuesOfNVMeTPCIEPF {
      error(
        "\(path).ioQueues",
        "\(queues) is out of range: 1 to \(limit.ioQueuesOfNVMeTPCIEPF) with nvmet_pci_epf, to \(limit.ioQueuesOfPCIEPFNVMe) with pci_epf_nvme"
      )
    } else if let queues = function.ioQueues, queues > limit.ioQueuesOfPCIEPFNVMe {
      let message =
        "pci_epf_nvme serves at most \(limit.ioQueuesOfPCIEPFNVMe) I/O queues, \(queues) are asked for"
      if profile.driver == .pciEPFNVMe {
        error("\(path).ioQueues", message)
      } else {
        warn("\(path).ioQueues", message)
      }
    }

    // The admin queue has a vector too. With fewer vectors a host may use queues that the driver has no room for.
    for (queues, place) in queueWishes(function, path) {
      for (key, count) in [
        ("msixVectors", function.msixVectors), ("msiVectors", UInt16(function.msiVectors)),
      ] where count > 0 && queues < .max && count < queues + 1 {
        error(
          "\(path).\(key)",
          "\(queues) I/O queues (\(place)) and the admin queue need \(queues + 1) vectors, not \(count)",
          hint: "write \"\(key)\": \(queues + 1) or more, 0 for none, or fewer queues")
      }
    }
    if function.msixVectors == 1 || function.msiVectors == 1 {
      error(
        function.msixVectors == 1 ? "\(path).msixVectors" : "\(path).msiVectors",
        "one vector is the admin queue's: no I/O queue would be left")
    }
    if function.msixVectors == 0, function.msiVectors == 0 {
      warn(
        "\(path)",
        "without MSI-X and MSI vectors the function uses INTx, which most controllers cannot raise",
        hint: "set \"msixVectors\" and \"msiVectors\"")
    } else if function.msiVectors == 0 {
      warn(
        "\(path).msixVectors", "on a controller without MSI-X the function would silently use INTx",
        hint: "set \"msiVectors\" too")
    }
  }

  /// How many I/O queues are asked for, and by which key.
  func queueWishes(_ function: Profile.Function, _ path: String) -> [(UInt16, String)] {
    var wishes: [(UInt16, String)] = []
    if let queues = function.ioQueues { wishes.append((queues, "ioQueues")) }
    if let limit = profile.subsystem(function.target.nqn)?.maximumQueueID {
      wishes.append((limit, "maximumQueueID"))
      if let queues = function.ioQueues, queues > limit {
        error(
          "\(path).ioQueues", "\(queues) I/O queues, but the subsystem's maximumQueueID is \(limit)"
        )
      }
    }
    return wishes
  }

  func checkTransfers(_ function: Profile.Function, _ path: String) {
    if let mdts = function.mdtsKiB {
      let limit = ProfileRules.Limit.self
      let largest =
        profile.driver == .pciEPFNVMe
        ? limit.largestMDTSKiBOfPCIEPFNVMe : limit.largestMDTSKiBOfNVMeTPCIEPF
      if mdts.nonzeroBitCount != 1 || mdts < limit.smallestMDTSKiB || mdts > largest {
        error(
          "\(path).mdtsKiB",
          "\(mdts) is no power of two from \(limit.smallestMDTSKiB) to \(largest)",
          hint: mdts > 0 && mdts < limit.smallestMDTSKiB
            ? "the drivers accept it, but Identify would then announce no limit or a wrong one"
            : nil)
      } else if mdts > limit.largestMDTSKiBOfPCIEPFNVMe {
        warn(
          "\(path).mdtsKiB", "pci_epf_nvme would cut this to \(limit.largestMDTSKiBOfPCIEPFNVMe)")
      } else if mdts == limit.largestMDTSKiBOfPCIEPFNVMe, profile.driver != .nvmetPCIEPF {
        warn("\(path).mdtsKiB", "the loop transport of pci_epf_nvme carries at most 1020 KiB")
      }
    }
    if let size = function.queueSize, !(16...1024).contains(size) {
      error("\(path).queueSize", "\(size) is out of range: 16 to 1024")
    }
  }

  func checkWindows(_ function: Profile.Function, _ path: String) {
    guard let features = function.controllerFeatures else { return }
    let place = "\(path).controllerFeatures"
    if let windows = features.outboundWindows {
      // Two windows serve data and interrupts; every queue pair may hold two more.
      let pairs = windows < 2 ? 0 : (windows - 2) / 2
      let needed = (function.ioQueues ?? 1) + 1
      if pairs < needed {
        error(
          "\(place).outboundWindows",
          "\(windows) windows serve \(pairs) queue pairs, \(needed) with the admin queue are asked for",
          hint: "(windows - 2) / 2 queue pairs: use fewer I/O queues")
      }
    }
    if features.msix == false, features.msi == false || function.msiVectors == 0 {
      error(place, "this controller would be left with INTx", hint: "set \"msiVectors\"")
    }
    if features.msix == false, function.msixVectors > 0 {
      warn("\(path).msixVectors", "the controller has no MSI-X; MSI is used")
    }
    if features.maximumFunctions == 0 {
      error("\(place).maximumFunctions", "a controller has one function at least")
    }
  }

  /// Each driver keeps one configuration header for all of its functions.
  func sharedHeaders() {
    guard let first = profile.functions.first else { return }
    func header(_ function: Profile.Function) -> [UInt32] {
      [
        UInt32(function.vendorID), UInt32(function.deviceID), UInt32(function.revisionID),
        UInt32(function.subsystemVendorID ?? 0), UInt32(function.subsystemID ?? 0),
        function.classCode, UInt32(function.interruptPin), UInt32(function.cacheLineSize),
      ]
    }
    for (index, function) in profile.functions.enumerated().dropFirst()
    where header(function) != header(first) {
      warn(
        "functions[\(index)]",
        "the driver keeps one configuration header for all functions; this one differs from functions[0]",
        hint:
          "works where the controller initialises at once; where it waits for PERST#, all get these values"
      )
    }
  }

  func functionCounts() {
    for (index, function) in profile.functions.enumerated() {
      guard let limit = function.controllerFeatures?.maximumFunctions else { continue }
      let count = profile.functions.filter { $0.controller == function.controller }.count
      if count > limit {
        error(
          "functions[\(index)].controllerFeatures.maximumFunctions",
          "\(count) functions, but the controller \"\(function.controller)\" has \(limit)")
        return
      }
    }
  }
}

/// `0x15b7`.
func hex(_ value: UInt16) -> String {
  let digits = String(value, radix: 16)
  return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
}
