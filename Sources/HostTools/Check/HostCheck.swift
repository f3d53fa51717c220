// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
package import Provisioning

/// Compares a disk on this machine with the prediction for its profile, value by value.
package struct HostCheck {
  /// Values that depend on the board, so that they cannot be predicted.
  package struct Unknowns: Sendable, Hashable {
    /// Whether the firmware revision is the board's kernel release.
    package var firmware: Bool
    /// Whether the NVMe version depends on the board's kernel.
    package var version: Bool
    /// Namespaces whose size is that of a device or file of the board.
    package var sizes: Set<UInt32>
    /// Whether the serial number is derived from the board's machine ID.
    package var serial: Bool
    /// Whether the subsystem's name ends with the board's suffix.
    package var nqn: Bool
    /// Namespaces whose UUID or NGUID is derived from the board's machine ID.
    package var identifiers: Set<UInt32>

    package init(
      firmware: Bool = false, version: Bool = false, sizes: Set<UInt32> = [], serial: Bool = false,
      nqn: Bool = false, identifiers: Set<UInt32> = []
    ) {
      self.firmware = firmware
      self.version = version
      self.sizes = sizes
      self.serial = serial
      self.nqn = nqn
      self.identifiers = identifiers
    }
  }

  private let disk: any HostView
  private let prediction: any HostView
  private let unknowns: Unknowns
  private var check = Check()

  private init(_ disk: any HostView, _ prediction: any HostView, _ unknowns: Unknowns) {
    self.disk = disk
    self.prediction = prediction
    self.unknowns = unknowns
  }

  /// Checks everything; changes nothing.
  /// - Throws: ``HostViewError`` when the prediction cannot be read.
  package static func run(
    _ disk: any HostView, against prediction: any HostView, unknowns: Unknowns = Unknowns()
  ) throws(HostViewError) -> Check {
    var run = HostCheck(disk, prediction, unknowns)
    try run.examineConfiguration()
    try run.examineBAR()
    run.examineDriver()
    try run.examineRegisters()
    try run.examineController()
    try run.examineNamespaces()
    return run.check
  }

  // MARK: Cases

  private mutating func add(
    _ id: String, is actual: String?, _ expected: String, _ meaning: String,
    _ hasPassed: Bool? = nil
  ) {
    check.cases.append(
      Check.Case(
        id: id, path: disk.name, actual: actual, expected: expected,
        outcome: hasPassed ?? (actual == expected) ? .passed : .failed, meaning: meaning))
  }

  private mutating func skip(_ id: String, _ error: HostViewError, _ meaning: String) {
    check.cases.append(
      Check.Case(
        id: id, path: disk.name, actual: nil, expected: "a value",
        outcome: .skipped("\(error)"), meaning: meaning))
  }

  /// Reads a value of the disk. Values that the machine does not export are skipped; errors of the controller are failures.
  private mutating func ask<Value>(
    _ id: String, _ meaning: String, _ body: (any HostView) throws(HostViewError) -> Value
  ) -> Value? {
    do throws(HostViewError) { return try body(disk) } catch {
      if case .unavailable = error {
        skip(id, error, meaning)
      } else {
        add(id, is: "\(error)", "a response", meaning, false)
      }
      return nil
    }
  }

  // MARK: PCI

  private static let header: [(name: String, offset: Int, count: Int, meaning: String)] = [
    ("vendor-id", 0x00, 2, "the host identifies the disk by it and the device ID"),
    ("device-id", 0x02, 2, "the host identifies the disk by it and the vendor ID"),
    ("revision-id", 0x08, 1, "the function's revid"),
    ("class-code", 0x09, 3, "the host's nvme driver matches 010802"),
    ("subsystem-vendor-id", 0x2c, 2, "the function's subsys_vendor_id"),
    ("subsystem-id", 0x2e, 2, "the function's subsys_id"),
  ]

  private mutating func examineConfiguration() throws(HostViewError) {
    for field in Self.header {
      func text(_ view: any HostView) throws(HostViewError) -> String {
        var value: UInt32 = 0
        for index in 0..<field.count {
          value |= try view.configuration(at: field.offset + index, count: 1) << UInt32(8 * index)
        }
        return hexadecimal(value, digits: 2 * field.count)
      }
      let expected = try text(prediction)
      guard let actual = ask("pci \(field.name)", field.meaning, text) else { continue }
      add("pci \(field.name)", is: actual, expected, field.meaning)
    }
    let meaning = "each queue pair requires a separate vector"
    let wanted = try Self.vectors(prediction)
    if let found = ask("pci interrupt-vectors", meaning, Self.vectors) {
      // Hardware may provide more vectors than the function requests, also by another mechanism.
      let most = found.map(\.count).max() ?? 0
      let least = wanted.map(\.count).max() ?? 0
      add(
        "pci interrupt-vectors",
        is: found.map { "\($0.name) \($0.count)" }.joined(separator: ", "),
        "at least \(least)", meaning, most >= least)
    }
  }

  /// MSI-X and MSI with the vectors that they offer.
  private static func vectors(
    _ view: any HostView
  ) throws(HostViewError) -> [(name: String, count: Int)] {
    var found: [(name: String, count: Int)] = []
    for capability in try view.capabilities() {
      switch capability.id {
      case 0x11:
        let control = try view.configuration(at: capability.offset + 2, count: 2)
        found.append(("MSI-X", Int(control & 0x7ff) + 1))
      case 0x05:
        let control = try view.configuration(at: capability.offset + 2, count: 2)
        found.append(("MSI", 1 << Int(control >> 1 & 7)))
      default: break
      }
    }
    return found
  }

  /// The size depends on the board's endpoint controller; the host sees only whether it is enough.
  private mutating func examineBAR() throws(HostViewError) {
    var least = UInt64(Register.doorbells + 8 * (1 + (prediction.ioQueues ?? 0)))
    for capability in try prediction.capabilities() where capability.id == 0x11 {
      let vectors = try prediction.configuration(at: capability.offset + 2, count: 2) & 0x7ff + 1
      let pendingBits = try prediction.configuration(at: capability.offset + 8, count: 4) & ~7
      least = max(least, UInt64(pendingBits) + UInt64((vectors + 63) / 64 * 8))
    }
    add(
      "pci bar0-size", is: disk.bar0Size.map { "\($0)" }, "at least \(least) bytes",
      "registers, doorbells and the MSI-X table are in BAR 0", (disk.bar0Size ?? 0) >= least)
  }

  private mutating func examineDriver() {
    add("driver", is: disk.driver, "nvme", "only this driver creates a disk")
    let most = prediction.ioQueues ?? 0
    if let queues = disk.ioQueues {
      // A host with fewer processors uses fewer.
      add(
        "io-queues", is: "\(queues)", "1 to \(most)", "the queue pairs that the driver uses",
        (1...max(most, 1)).contains(queues))
    }
  }

  // MARK: Registers

  private mutating func examineRegisters() throws(HostViewError) {
    let expected = ControllerCapabilities(rawValue: try prediction.register(.capabilities))
    let meaning = "the capabilities of the controller"
    guard
      let value = ask(
        "register CAP", meaning,
        { (view) throws(HostViewError) in
          try view.register(.capabilities)
        })
    else { return }
    guard value != .max else {
      return add(
        "register CAP", is: "all ones", "a value", "no response: link or BAR is down", false)
    }
    let actual = ControllerCapabilities(rawValue: value)
    for (found, wanted) in zip(actual.fields, expected.fields) {
      add("register CAP.\(wanted.name)", is: "\(found.value)", "\(wanted.value)", meaning)
    }
    guard let status = try? disk.register(.status),
      let control = try? disk.register(.configuration),
      let version = try? disk.register(.version)
    else { return }
    let predicted = Version(rawValue: UInt32(truncatingIfNeeded: try prediction.register(.version)))
    let found = Version(rawValue: UInt32(truncatingIfNeeded: version))
    add(
      "register VS", is: found.text, unknowns.version ? "1.3.0 or later" : predicted.text,
      "the version of the specification",
      unknowns.version ? found.rawValue >= 0x0001_0300 : nil)
    let state = ControllerStatus(rawValue: UInt32(truncatingIfNeeded: status))
    let configuration = ControllerConfiguration(rawValue: UInt32(truncatingIfNeeded: control))
    add(
      "register CSTS.RDY", is: state[.ready] ? "1" : "0", configuration[.enable] ? "1" : "0",
      "RDY follows CC.EN")
    add("register CSTS.CFS", is: state[.fatal] ? "1" : "0", "0", "a fatal error needs a reset")
    if configuration[.enable] {
      add(
        "register CC.IOSQES", is: "\(configuration[.submissionEntrySize])", "6",
        "submission entries are 64 bytes")
      add(
        "register CC.IOCQES", is: "\(configuration[.completionEntrySize])", "4",
        "completion entries are 16 bytes")
    }
  }

  // MARK: Identify

  private static let meanings: [String: String] = [
    "vid": "the subsystem's attr_vendor_id", "ssvid": "the subsystem's attr_subsys_vendor_id",
    "sn": "the subsystem's attr_serial", "mn": "the subsystem's attr_model",
    "fr": "the subsystem's attr_firmware, or the board's kernel release",
    "mdts": "the function's mdts_kb: the largest transfer",
    "subnqn": "the subsystem's name on the board", "ieee": "the subsystem's attr_ieee_oui",
    "cntlid": "assigned by the target", "ver": "the subsystem's attr_version",
  ]

  /// A data structure of the disk.
  private mutating func identify<Data: DataStructure>(
    _ id: String, _ structure: IdentifyStructure, _ namespace: UInt32, as type: Data.Type
  ) -> Data? {
    ask(id, "the controller answers Identify") { (view) throws(HostViewError) in
      guard let data = Data(bytes: try view.identify(structure, namespace)) else {
        throw HostViewError.failed("too few bytes")
      }
      return data
    }
  }

  private mutating func examineController() throws(HostViewError) {
    guard let expected = IdentifyController(bytes: try prediction.identify(.controller, 0)),
      let actual = identify("identify controller", .controller, 0, as: IdentifyController.self)
    else { return }
    for (found, wanted) in zip(actual.fields, expected.fields) {
      let meaning = Self.meanings[wanted.name] ?? "as the driver sets it"
      let id = "identify \(wanted.name)"
      switch wanted.name {
      case "cntlid": add(id, is: found.value, "any", meaning, true)
      case "sn" where unknowns.serial:
        add(
          id, is: found.value, "20 hexadecimal digits of the board", meaning,
          found.value.count == 20 && found.value.allSatisfy(\.isHexDigit))
      case "subnqn" where unknowns.nqn:
        add(
          id, is: found.value, "\(wanted.value), with the board's suffix", meaning,
          found.value == wanted.value || found.value.hasPrefix(wanted.value + "."))
      case "fr" where unknowns.firmware:
        let text = found.value.filter { $0 != " " }
        add(id, is: found.value, "the board's kernel release", meaning, !text.isEmpty)
      case "ver" where unknowns.version:
        let version = (try? disk.register(.version)).map { UInt32(truncatingIfNeeded: $0) }
        add(
          id, is: found.value, version.map { hexadecimal($0) } ?? "any",
          "VER equals the VS register", version.map { $0 == actual[.version] } ?? true)
      default: add(id, is: found.value, wanted.value, meaning)
      }
    }
  }

  private mutating func examineNamespaces() throws(HostViewError) {
    func ids(_ bytes: [UInt8]) -> [UInt32] {
      var list: [UInt32] = []
      for offset in stride(from: 0, to: bytes.count - 3, by: 4) {
        let id = UInt32(littleEndian: bytes, at: offset)
        guard id != 0 else { break }
        list.append(id)
      }
      return list
    }
    let wanted = ids(try prediction.identify(.activeNamespaces, 0))
    let meaning = "the namespaces that are enabled on the board"
    guard
      let list = ask(
        "namespaces", meaning,
        { (view) throws(HostViewError) in
          try view.identify(.activeNamespaces, 0)
        })
    else { return }
    let found = ids(list)
    func text(_ ids: [UInt32]) -> String { ids.map { "\($0)" }.joined(separator: ", ") }
    add("namespaces", is: text(found), text(wanted), meaning)
    for id in wanted where found.contains(id) { try examineNamespace(id) }
  }

  private mutating func examineNamespace(_ id: UInt32) throws(HostViewError) {
    let prefix = "namespace \(id)"
    let meaning = "the host's device links use its UUID and NGUID"
    if let expected = IdentifyNamespace(bytes: try prediction.identify(.namespace, id)),
      let actual = identify(prefix, .namespace, id, as: IdentifyNamespace.self)
    {
      for (found, wanted) in zip(actual.fieldsAndFormats, expected.fieldsAndFormats) {
        let name = "\(prefix) \(wanted.name.split(separator: " ").joined(separator: "-"))"
        switch wanted.name {
        case "nsze" where unknowns.sizes.contains(id), "ncap" where unknowns.sizes.contains(id):
          add(
            name, is: found.value, "more than 0", "the size of the board's device or file",
            actual[.size] > 0 && actual[.capacity] > 0)
        case "nguid" where unknowns.identifiers.contains(id):
          add(
            name, is: found.value, "an NGUID of the board", meaning,
            found.value.contains { $0 != "0" })
        case "nuse":
          add(
            name, is: found.value, "at most nsze", "blocks in use",
            actual[.utilization] <= actual[.size])
        default: add(name, is: found.value, wanted.value, "as the driver sets it")
        }
      }
      if actual.fieldsAndFormats.count != expected.fieldsAndFormats.count {
        add(
          "\(prefix) formats", is: "\(actual[.formats])", "\(expected[.formats])",
          "LBA formats, 0's based")
      }
    }
    let wanted = NamespaceDescriptor.decode(try prediction.identify(.namespaceDescriptors, id))
    if let bytes = ask(
      "\(prefix) descriptors", meaning,
      { (view) throws(HostViewError) in
        try view.identify(.namespaceDescriptors, id)
      })
    {
      let found = NamespaceDescriptor.decode(bytes)
      let isOfBoard = unknowns.identifiers.contains(id)
      add(
        "\(prefix) descriptors", is: Self.text(found),
        isOfBoard
          ? "\(wanted.map(Self.name).joined(separator: ", ")) of the board" : Self.text(wanted),
        meaning, isOfBoard ? found.map(\.type) == wanted.map(\.type) : nil)
    }
  }

  private static func name(_ descriptor: NamespaceDescriptor) -> String {
    switch descriptor {
    case .eui64: "eui64"
    case .nguid: "nguid"
    case .uuid: "uuid"
    case .commandSet: "csi"
    }
  }

  private static func text(_ list: [NamespaceDescriptor]) -> String {
    list.map { descriptor in
      name(descriptor) + " "
        + descriptor.identifier.map { hexadecimalDigits($0, count: 2) }.joined()
    }.joined(separator: ", ")
  }
}

extension UInt32 {
  /// The four bytes at an offset.
  fileprivate init(littleEndian bytes: [UInt8], at offset: Int) {
    self = 0
    for index in (0..<4).reversed() { self = self << 8 | UInt32(bytes[offset + index]) }
  }
}
