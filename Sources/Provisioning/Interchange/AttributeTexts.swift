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
  mutating func text(_ name: String, unless defaultValue: String? = nil) -> String? {
    guard let index = remaining.firstIndex(where: { $0.name == name }) else { return nil }
    let text = remaining.remove(at: index).text
    return text.isEmpty || text == defaultValue ? nil : text
  }

  /// The text of a key, unless a fresh object has it.
  mutating func text(_ key: String, of object: SchemaObject) -> String? {
    guard let attribute = object.row(key)?.attributes.first else { return nil }
    return text(attribute.name, unless: attribute.freshText)
  }

  /// The number of a key, unless it is that of a new object.
  mutating func number<T: FixedWidthInteger & SettingValue>(
    _ key: String, of object: SchemaObject, unless defaultValue: T? = nil
  ) -> T? {
    guard let attribute = object.row(key)?.attributes.first, let text = text(attribute.name) else {
      return nil
    }
    guard let wide = integer(text, attribute.name, in: T.bounds), let value = T(exactly: wide)
    else { return nil }
    let fresh =
      defaultValue.flatMap { Int(exactly: $0) } ?? attribute.freshText?.kernelInteger(Int.self)
    return wide == fresh ? nil : value
  }

  private mutating func integer(
    _ text: String, _ attribute: String, in bounds: ClosedRange<Int>?
  ) -> Int? {
    let bounds = bounds ?? Int.min...Int.max
    if let value = text.kernelInteger(Int.self), bounds.contains(value) { return value }
    problems.append(
      Problem(
        attribute: attribute,
        message:
          "\"\(text.prefix(40))\" is not a number from \(bounds.lowerBound) to \(bounds.upperBound)"
      ))
    return nil
  }

  /// The values of the keys with one attribute, unless a fresh object has them.
  /// - Parameter except: keys that the caller reads.
  mutating func settings(of object: SchemaObject, except: Set<String> = []) -> Settings {
    var settings = Settings()
    for row in object.rows
    where row.isSetting && row.attributes.count == 1 && !except.contains(row.name) {
      let attribute = row.attributes[0]
      switch row.kind {
      case .boolean: settings[row.name] = flag(row.name, of: object).map { .boolean($0) }
      case .integer, .powerOfTwo:
        guard let text = text(attribute.name),
          let value = integer(text, attribute.name, in: row.bounds),
          value != attribute.freshText?.kernelInteger(Int.self)
        else { continue }
        settings[row.name] = .integer(value)
      default: settings[row.name] = text(row.name, of: object).map { .text($0) }
      }
    }
    return settings
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
  /// `attr_firmware`; nil if the kernel is unknown, which may have another default version, too.
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
    self.settings = texts.settings(
      of: object, except: ["serial", "firmware", "version", "allowAnyHost"])
    self.serial = texts.text("serial", of: object).flatMap { text in
      let end = text.lastIndex { $0 != " " }
      return end.map { String(text[...$0]) }
    }
    self.firmware = texts.text("attr_firmware", unless: fresh.firmware)
    // A text of an unknown kernel may be for one that is newer: its version 1.3 is kept.
    self.version = texts.text(
      "attr_version", unless: isRecent ? "2.1" : fresh.firmware == nil ? nil : "1.3")
    self.allowAnyHost = texts.flag("allowAnyHost", of: object, evenIfFresh: true)
    attributes = ProfileSchema.subsystem.raw(texts.remaining)
  }

  /// Drops values that follow from the allowed hosts. A subsystem whose attribute is not known is closed.
  mutating func settleHosts(_ hosts: [String]) {
    allowedHosts = hosts.sorted()
    if self.allowAnyHost == nil { self.allowAnyHost = false }
    if self.allowAnyHost == allowedHosts.isEmpty { self.allowAnyHost = nil }
  }
}

extension Profile.Namespace {
  /// Consumes everything except `device_path`, which the caller handles.
  init(id: UInt32, backing: String, _ texts: inout AttributeTexts) {
    self.init(id: id, backing: backing)
    let object = ProfileSchema.namespace
    self.settings = texts.settings(of: object, except: ["nguid", "enabled"])
    self.nguid = texts.text("device_nguid")
    self.enabled = texts.flag("enabled", of: object, evenIfFresh: true) ?? false
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
    self.settings = texts.settings(
      of: object, except: ["inlineDataSize", "maximumQueueSize", "mdts"])
    // Enabling turns −1 into these.
    let isEnabled = !subsystems.isEmpty
    let inline: Int32? =
      switch transport {
      case .loop, .pci: 0
      case .tcp: Int32(clamping: 4 * fresh.pageSize)
      case .rdma: nil
      }
    self.inlineDataSize = texts.number(
      "inlineDataSize", of: object, unless: isEnabled ? inline : nil)
    self.maximumQueueSize = texts.number(
      "maximumQueueSize", of: object, unless: isEnabled ? 1024 : nil)
    self.mdts = texts.number("mdts", of: object, unless: isEnabled ? 0 : nil)
    if let size = self.inlineDataSize, size < 0 { self.inlineDataSize = nil }
    if let size = self.maximumQueueSize, size < 0 { self.maximumQueueSize = nil }
    if let size = self.mdts, size < 0 { self.mdts = nil }
    attributes = ProfileSchema.port.raw(texts.remaining)
  }
}

extension Profile.NullBlock {
  private static let zoneKeys: Set = [
    "zoneSizeMiB", "zoneCapacityMiB", "maximumOpenZones", "maximumActiveZones",
  ]

  init(device: String, _ texts: inout AttributeTexts) {
    self.init()
    let object = ProfileSchema.nullBlock
    // Zones are read only if there are any.
    self.settings = texts.settings(of: object, except: Self.zoneKeys)
    self.device = device
    if self.zoned == true {
      self.zoneSizeMiB = texts.number("zoneSizeMiB", of: object)
      self.zoneCapacityMiB = texts.number(
        "zoneCapacityMiB", of: object, unless: self.zoneSizeMiB ?? 256)
      self.maximumOpenZones = texts.number("maximumOpenZones", of: object)
      self.maximumActiveZones = texts.number("maximumActiveZones", of: object)
    }
    let block = (self.blockSize ?? 512) / 512
    let zoneSectors = (self.zoneCapacityMiB ?? self.zoneSizeMiB ?? 256) << 11
    let append = min(UInt64(Int32.max) / UInt64(max(block, 1)) * UInt64(max(block, 1)), zoneSectors)
    attributes = ProfileSchema.nullBlock.raw(texts.remaining).filter {
      // Memory forces the one, zones cut the other; both at power-on.
      !($0.name == "blocking" && self.memoryBacked == true)
        && !($0.name == "zone_append_max_sectors" && self.zoned == true && $0.text == "\(append)")
    }
  }
}
