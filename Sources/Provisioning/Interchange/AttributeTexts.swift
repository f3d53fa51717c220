// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// The attributes of one object as texts, from configfs or from a file. They are consumed one by one; the rest is kept as raw attributes.
struct AttributeTexts {
  /// A text that the kernel would not show for the attribute.
  struct Problem {
    var attribute: String
    var message: String
  }

  private(set) var remaining: [Profile.RawAttribute]
  private(set) var problems: [Problem] = []

  init(_ texts: [Profile.RawAttribute]) { remaining = texts }

  /// The text without the line feed; nil if it is missing or empty.
  mutating func text(_ name: String, unless standard: String? = nil) -> String? {
    guard let index = remaining.firstIndex(where: { $0.name == name }) else { return nil }
    let text = remaining.remove(at: index).text
    return text.isEmpty || text == standard ? nil : text
  }

  /// The text of a key, unless a fresh object has it.
  mutating func text(_ key: String, of object: SchemaObject) -> String? {
    guard let attribute = object.row(key)?.attributes.first else { return nil }
    return text(attribute.name, unless: attribute.freshText)
  }

  /// The number of a key, unless it is that of a new object.
  mutating func number<T: FixedWidthInteger>(
    _ key: String, of object: SchemaObject, unless standard: T? = nil
  ) -> T? {
    guard let attribute = object.row(key)?.attributes.first, let text = text(attribute.name) else {
      return nil
    }
    guard let wide = text.kernelInteger(Int.self), let value = T(exactly: wide) else {
      problems.append(
        Problem(
          attribute: attribute.name,
          message: "\"\(text.prefix(40))\" is not a number from \(T.min) to \(T.max)"))
      return nil
    }
    let fresh =
      standard.flatMap { Int(exactly: $0) } ?? attribute.freshText?.kernelInteger(Int.self)
    return wide == fresh ? nil : value
  }

  /// The switch of a key, unless it is as in a fresh object.
  mutating func flag(
    _ key: String, of object: SchemaObject, evenIfFresh: Bool = false
  ) -> Bool? {
    guard let attribute = object.row(key)?.attributes.first, let text = text(attribute.name) else {
      return nil
    }
    guard let value = Bool(attributeText: text) else {
      problems.append(
        Problem(attribute: attribute.name, message: "\"\(text.prefix(40))\" is neither 0 nor 1"))
      return nil
    }
    return !evenIfFresh && value == attribute.freshText.flatMap { Bool(attributeText: $0) }
      ? nil : value
  }
}

/// The values of new objects on the kernel of the texts.
struct FreshValues {
  /// `attr_firmware`; nil if the kernel is unknown.
  var firmware: String?
  /// Bytes; `param_inline_data_size` of tcp is four of them.
  var pageSize = 4096
}

extension Profile.Subsystem {
  init(nqn: String, _ texts: inout AttributeTexts, _ fresh: FreshValues) {
    self.init(nqn: nqn)
    let object = ProfileSchema.subsystem
    // 6.14 brought the vendor ids, and the new version with them.
    let isRecent = texts.remaining.contains { $0.name == "attr_vendor_id" }
    model = texts.text("model", of: object)
    serial = texts.text("serial", of: object).flatMap { text in
      let end = text.lastIndex { $0 != " " }
      return end.map { String(text[...$0]) }
    }
    firmware = texts.text("attr_firmware", unless: fresh.firmware)
    ieeeOUI = texts.number("ieeeOUI", of: object)
    version = texts.text("attr_version", unless: isRecent ? "2.1" : "1.3")
    vendorID = texts.number("vendorID", of: object)
    subsystemVendorID = texts.number("subsystemVendorID", of: object)
    maximumQueueID = texts.number("maximumQueueID", of: object)
    controllerIDMinimum = texts.number("controllerIDMinimum", of: object)
    controllerIDMaximum = texts.number("controllerIDMaximum", of: object)
    allowAnyHost = texts.flag("allowAnyHost", of: object, evenIfFresh: true)
    attributes = ProfileSchema.subsystem.raw(texts.remaining)
  }

  /// Drops values that follow from the allowed hosts.
  mutating func settleHosts(_ hosts: [String]) {
    allowedHosts = hosts.sorted()
    if allowAnyHost == allowedHosts.isEmpty { allowAnyHost = nil }
  }
}

extension Profile.Namespace {
  /// Consumes everything except `device_path`, which the caller handles.
  init(id: UInt32, backing: String, _ texts: inout AttributeTexts) {
    self.init(id: id, backing: backing)
    let object = ProfileSchema.namespace
    uuid = texts.text("uuid", of: object)
    nguid = texts.text("device_nguid")
    anaGroup = texts.number("anaGroup", of: object)
    bufferedIO = texts.flag("bufferedIO", of: object)
    reservations = texts.flag("reservations", of: object)
    enabled = texts.flag("enabled", of: object, evenIfFresh: true) ?? false
    attributes = ProfileSchema.namespace.raw(texts.remaining)
  }
}

extension Profile.Port {
  /// - Parameter subsystems: the linked subsystems; the kernel computes the parameters of a port with links.
  init(
    id: UInt16, transport: Transport, subsystems: [String], _ texts: inout AttributeTexts,
    _ fresh: FreshValues
  ) {
    self.init(id: id, transport: transport)
    let object = ProfileSchema.port
    self.subsystems = subsystems.sorted()
    _ = texts.text("addr_trtype")
    addressFamily = texts.text("addressFamily", of: object)
    address = texts.text("address", of: object)
    service = texts.text("service", of: object)
    // Enabling turns −1 into these.
    let isEnabled = !subsystems.isEmpty
    let inline: Int32? =
      switch transport {
      case .loop, .pci: 0
      case .tcp: Int32(clamping: 4 * fresh.pageSize)
      case .rdma: nil
      }
    inlineDataSize = texts.number(
      "inlineDataSize", of: object, unless: isEnabled ? inline : nil)
    maximumQueueSize = texts.number(
      "maximumQueueSize", of: object, unless: isEnabled ? 1024 : nil)
    mdts = texts.number("mdts", of: object, unless: isEnabled ? 0 : nil)
    if let size = inlineDataSize, size < 0 { inlineDataSize = nil }
    if let size = maximumQueueSize, size < 0 { maximumQueueSize = nil }
    if let size = mdts, size < 0 { mdts = nil }
    attributes = ProfileSchema.port.raw(texts.remaining)
  }
}

extension Profile.NullBlock {
  init(device: String, _ texts: inout AttributeTexts) {
    self.init()
    let object = ProfileSchema.nullBlock
    self.device = device
    sizeMiB = texts.number("sizeMiB", of: object)
    blockSize = texts.number("blockSize", of: object)
    memoryBacked = texts.flag("memoryBacked", of: object)
    discard = texts.flag("discard", of: object)
    cacheSizeMiB = texts.number("cacheSizeMiB", of: object)
    submitQueues = texts.number("submitQueues", of: object)
    hardwareQueueDepth = texts.number("hardwareQueueDepth", of: object)
    completionNanoseconds = texts.number("completionNanoseconds", of: object)
    irqMode = texts.number("irqMode", of: object)
    mbps = texts.number("mbps", of: object)
    rotational = texts.flag("rotational", of: object)
    zoned = texts.flag("zoned", of: object)
    if zoned == true {
      zoneSizeMiB = texts.number("zoneSizeMiB", of: object)
      zoneCapacityMiB = texts.number("zoneCapacityMiB", of: object, unless: zoneSizeMiB ?? 256)
      maximumOpenZones = texts.number("maximumOpenZones", of: object)
      maximumActiveZones = texts.number("maximumActiveZones", of: object)
    }
    let block = (blockSize ?? 512) / 512
    let zoneSectors = (zoneCapacityMiB ?? zoneSizeMiB ?? 256) << 11
    let append = min(UInt64(Int32.max) / UInt64(max(block, 1)) * UInt64(max(block, 1)), zoneSectors)
    attributes = ProfileSchema.nullBlock.raw(texts.remaining).filter {
      // Memory forces the one, zones cut the other; both at power-on.
      !($0.name == "blocking" && memoryBacked == true)
        && !($0.name == "zone_append_max_sectors" && zoned == true && $0.text == "\(append)")
    }
  }
}
