// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// The attributes of one object as texts, from configfs or from a file, taken one by one; what nobody takes is kept.
struct AttributeTexts {
  /// A text that is not what the kernel shows there.
  struct Problem {
    var attribute: String
    var message: String
  }

  private(set) var remaining: [Profile.RawAttribute]
  private(set) var problems: [Problem] = []

  init(_ texts: [Profile.RawAttribute]) { remaining = texts }

  /// The text without the line feed; nil when there is none, or nothing in it.
  mutating func text(_ name: String, unless standard: String? = nil) -> String? {
    guard let index = remaining.firstIndex(where: { $0.name == name }) else { return nil }
    let text = remaining.remove(at: index).text
    return text.isEmpty || text == standard ? nil : text
  }

  /// A number, unless it is the one that a fresh object has.
  mutating func number<T: FixedWidthInteger>(_ name: String, unless standard: T? = nil) -> T? {
    guard let text = text(name) else { return nil }
    guard let wide = text.kernelInteger(Int64.self), let value = T(exactly: wide) else {
      problems.append(
        Problem(
          attribute: name,
          message: "\"\(text.prefix(40))\" is no number from \(T.min) to \(T.max)"))
      return nil
    }
    return value == standard ? nil : value
  }

  /// A switch, unless it stands as in a fresh object.
  mutating func flag(_ name: String, unless standard: Bool? = nil) -> Bool? {
    guard let text = text(name) else { return nil }
    guard let value = Bool(attributeText: text) else {
      problems.append(
        Problem(attribute: name, message: "\"\(text.prefix(40))\" is neither 0 nor 1"))
      return nil
    }
    return value == standard ? nil : value
  }
}

/// What the kernel that texts come from puts into fresh objects.
struct FreshValues {
  /// `attr_firmware`; nil when the kernel is not known.
  var firmware: String?
  /// Bytes; `param_inline_data_size` of tcp is four of them.
  var pageSize = 4096
}

extension Profile.Subsystem {
  /// - Source of the defaults: `drivers/nvme/target/core.c`, `nvmet_subsys_alloc`.
  init(nqn: String, _ texts: inout AttributeTexts, _ fresh: FreshValues) {
    self.init(nqn: nqn)
    // 6.14 brought the vendor ids, and the new version with them.
    let isRecent = texts.remaining.contains { $0.name == "attr_vendor_id" }
    model = texts.text("attr_model", unless: "Linux")
    serial = texts.text("attr_serial").flatMap { text in
      let end = text.lastIndex { $0 != " " }
      return end.map { String(text[...$0]) }
    }
    firmware = texts.text("attr_firmware", unless: fresh.firmware)
    ieeeOUI = texts.number("attr_ieee_oui", unless: 0)
    version = texts.text("attr_version", unless: isRecent ? "2.1" : "1.3")
    vendorID = texts.number("attr_vendor_id", unless: 0)
    subsystemVendorID = texts.number("attr_subsys_vendor_id", unless: 0)
    maximumQueueID = texts.number("attr_qid_max", unless: 128)
    controllerIDMinimum = texts.number("attr_cntlid_min", unless: 1)
    controllerIDMaximum = texts.number("attr_cntlid_max", unless: 65519)
    allowAnyHost = texts.flag("attr_allow_any_host")
    attributes = KnownAttributes.subsystem.raw(texts.remaining)
  }

  /// Drops what follows from the hosts that are allowed.
  mutating func settleHosts(_ hosts: [String]) {
    allowedHosts = hosts.sorted()
    if allowAnyHost == allowedHosts.isEmpty { allowAnyHost = nil }
  }
}

extension Profile.Namespace {
  /// Takes everything but `device_path`, which is the caller's.
  init(id: UInt32, backing: String, _ texts: inout AttributeTexts) {
    self.init(id: id, backing: backing)
    uuid = texts.text("device_uuid")
    nguid = texts.text("device_nguid")
    anaGroup = texts.number("ana_grpid", unless: 1)
    bufferedIO = texts.flag("buffered_io", unless: false)
    reservations = texts.flag("resv_enable", unless: false)
    enabled = texts.flag("enable") ?? false
    attributes = KnownAttributes.namespace.raw(texts.remaining)
  }
}

extension Profile.Port {
  /// - Parameter subsystems: what is linked; a port with links has computed its parameters.
  init(
    id: UInt16, transport: Transport, subsystems: [String], _ texts: inout AttributeTexts,
    _ fresh: FreshValues
  ) {
    self.init(id: id, transport: transport)
    self.subsystems = subsystems.sorted()
    _ = texts.text("addr_trtype")
    addressFamily = texts.text("addr_adrfam")
    address = texts.text("addr_traddr")
    service = texts.text("addr_trsvcid")
    // Enabling turns −1 into these.
    let isEnabled = !subsystems.isEmpty
    let inline: Int32? =
      switch transport {
      case .loop, .pci: 0
      case .tcp: Int32(clamping: 4 * fresh.pageSize)
      case .rdma: nil
      }
    inlineDataSize = texts.number("param_inline_data_size", unless: isEnabled ? inline : nil)
    maximumQueueSize = texts.number("param_max_queue_size", unless: isEnabled ? 1024 : nil)
    mdts = texts.number("param_mdts", unless: isEnabled ? 0 : nil)
    if let size = inlineDataSize, size < 0 { inlineDataSize = nil }
    if let size = maximumQueueSize, size < 0 { maximumQueueSize = nil }
    if let size = mdts, size < 0 { mdts = nil }
    attributes = KnownAttributes.port.raw(texts.remaining)
  }
}

extension Profile.NullBlock {
  /// - Source of the defaults: `drivers/block/null_blk/main.c`, `null_alloc_dev`.
  init(device: String, _ texts: inout AttributeTexts) {
    self.init()
    self.device = device
    sizeMiB = texts.number("size", unless: 256_000)
    blockSize = texts.number("blocksize", unless: 512)
    memoryBacked = texts.flag("memory_backed", unless: false)
    discard = texts.flag("discard", unless: false)
    cacheSizeMiB = texts.number("cache_size", unless: 0)
    submitQueues = texts.number("submit_queues", unless: 1)
    hardwareQueueDepth = texts.number("hw_queue_depth", unless: 64)
    completionNanoseconds = texts.number("completion_nsec", unless: 10000)
    irqMode = texts.number("irqmode", unless: 1)
    mbps = texts.number("mbps", unless: 0)
    rotational = texts.flag("rotational", unless: false)
    zoned = texts.flag("zoned", unless: false)
    if zoned == true {
      zoneSizeMiB = texts.number("zone_size", unless: 256)
      zoneCapacityMiB = texts.number("zone_capacity", unless: zoneSizeMiB ?? 256)
      maximumOpenZones = texts.number("zone_max_open", unless: 0)
      maximumActiveZones = texts.number("zone_max_active", unless: 0)
    }
    let block = (blockSize ?? 512) / 512
    let zoneSectors = (zoneCapacityMiB ?? zoneSizeMiB ?? 256) << 11
    let append = min(UInt64(Int32.max) / UInt64(max(block, 1)) * UInt64(max(block, 1)), zoneSectors)
    attributes = KnownAttributes.nullBlock.raw(texts.remaining).filter {
      // Memory forces the one, zones cut the other; both at power-on.
      !($0.name == "blocking" && memoryBacked == true)
        && !($0.name == "zone_append_max_sectors" && zoned == true && $0.text == "\(append)")
    }
  }
}
