// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import SystemPackage

/// `nullb`: null_blk devices.
/// - Source: `drivers/block/null_blk/main.c`.
extension AttributeTable {
  /// The parser of a device's attribute.
  private enum Form { case flag, uint, ulong }

  /// An attribute that is parsed first and then refused while the device is powered.
  private static func device(
    _ name: String, _ form: Form, _ initial: String = "0"
  ) -> AttributeRule {
    let parse: AttributeRule.Parse =
      switch form {
      case .flag: Parse.bool
      case .uint: Parse.unsigned(upTo: UInt64(UInt32.max))
      case .ulong: Parse.unsigned(upTo: .max)
      }
    return .plain(
      name, initial,
      after: { (state, node) throws(Errno) in
        guard !state.isSet("power", of: node) else { throw .resourceBusy }
      }, parse)
  }

  /// The names in `features` of Linux 6.12, in its order.
  private static let featuresOfLinux6_12 =
    "badblocks,blocking,blocksize,cache_size,fua,completion_nsec,discard,home_node,"
    + "hw_queue_depth,irqmode,max_sectors,mbps,memory_backed,no_sched,poll_queues,power,"
    + "queue_mode,shared_tag_bitmap,shared_tags,size,submit_queues,use_per_node_hctx,"
    + "virt_boundary,zoned,zone_capacity,zone_max_active,zone_max_open,zone_nr_conv,"
    + "zone_offline,zone_readonly,zone_size,zone_append_max_sectors,zone_full"

  static func nullBlockRules(_ kernelRelease: Release) -> [Node.Kind: [AttributeRule]] {
    var rules = deviceRules
    if kernelRelease.generation == .linux6_12 {
      let newer = ["badblocks_once", "badblocks_partial_io", "rotational"]
      rules.removeAll { newer.contains($0.name) }
      // Declared by topic, not by name, until the list was sorted.
      let order = orderOfLinux6_12
      rules.sort { order.firstIndex(of: $0.name) ?? 99 < order.firstIndex(of: $1.name) ?? 99 }
    }
    let names = rules.map(\.name).joined(separator: ",")
    let features = kernelRelease.generation == .linux7_2 ? names : featuresOfLinux6_12
    return [
      .nullBlock: rules,
      .nullBlockRoot: [
        AttributeRule(
          name: "features", mode: .readOnly, show: { _, _ in features + "\n" },
          store: { (_, _, _) throws(Errno) in throw .permissionDenied })
      ],
    ]
  }

  private static let orderOfLinux6_12 = [
    "size", "completion_nsec", "submit_queues", "poll_queues", "home_node", "queue_mode",
    "blocksize", "max_sectors", "irqmode", "hw_queue_depth", "index", "blocking",
    "use_per_node_hctx", "power", "memory_backed", "discard", "mbps", "cache_size", "badblocks",
    "zoned", "zone_size", "zone_capacity", "zone_nr_conv", "zone_max_open", "zone_max_active",
    "zone_append_max_sectors", "zone_readonly", "zone_offline", "zone_full", "virt_boundary",
    "no_sched", "shared_tags", "shared_tag_bitmap", "fua",
  ]

  private static let deviceRules: [AttributeRule] = [
    AttributeRule(
      name: "badblocks", show: { state, node in state.badBlockText(of: node) },
      store: { (state, node, written) throws(Errno) in try state.changeBadBlocks(of: node, written)
      }),
    device("badblocks_once", .flag), device("badblocks_partial_io", .flag),
    device("blocking", .flag), device("blocksize", .uint, "512"),
    device("cache_size", .ulong), device("completion_nsec", .ulong, "10000"),
    device("discard", .flag), device("fua", .flag, "1"),
    device("home_node", .uint, "4294967295"), device("hw_queue_depth", .uint, "64"),
    device("index", .uint), device("irqmode", .uint, "1"), device("max_sectors", .uint),
    device("mbps", .uint), device("memory_backed", .flag), device("no_sched", .flag),
    liveQueues("poll_queues"),
    AttributeRule(
      name: "power", initial: "0",
      show: { state, node in state.value("power", of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        let isOn = try written.bool(state.kernelRelease)
        guard isOn != state.isSet("power", of: node) else { return }
        if isOn { try state.powerOn(node) } else { state.powerOff(node) }
      }),
    device("queue_mode", .uint, "2"), device("rotational", .flag),
    device("shared_tag_bitmap", .flag), device("shared_tags", .flag),
    device("size", .ulong, "256000"), liveQueues("submit_queues"),
    device("use_per_node_hctx", .flag), device("virt_boundary", .flag),
    device("zone_append_max_sectors", .uint, "2147483647"), device("zone_capacity", .ulong),
    device("zone_full", .flag), device("zone_max_active", .uint), device("zone_max_open", .uint),
    device("zone_nr_conv", .uint), zoneCondition("zone_offline"), zoneCondition("zone_readonly"),
    device("zone_size", .ulong, "256"), device("zoned", .flag),
  ]

  /// A number of queues: any value while the device is off, a live change while it is on.
  private static func liveQueues(_ name: String) -> AttributeRule {
    AttributeRule(
      name: name, initial: "1", show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        let count = try written.unsigned(upTo: UInt64(UInt32.max))
        if state.isSet("power", of: node) {
          let limit =
            name == "poll_queues"
            ? state.moduleNumber("null_blk", "poll_queues", 1) : state.machine.onlineCPUs
          guard !state.isSet("shared_tags", of: node), count <= limit,
            name == "poll_queues" || count > 0
          else { throw .invalidArgument }
        }
        state.set(name, String(count), of: node)
      })
  }

  private static func zoneCondition(_ name: String) -> AttributeRule {
    AttributeRule(
      name: name, mode: .writeOnly, show: { _, _ in "" },
      store: { (state, node, written) throws(Errno) in
        guard state.isSet("power", of: node) else {
          state.log(.error, "null_blk: null_blk device is not yet powered")
          throw .invalidArgument
        }
        guard state.isSet("zoned", of: node) else { throw .invalidArgument }
        let sector = try written.unsigned()
        let zone = UInt64(clamping: state.number("zone_size", of: node)) << 11
        guard sector < UInt64(clamping: state.number("size", of: node)) << 11 else {
          state.log(.error, "null_blk: \(state.tree[node].name): Sector out of range")
          throw .invalidArgument
        }
        guard zone > 0, sector / zone >= UInt64(clamping: state.number("zone_nr_conv", of: node))
        else {
          throw .invalidArgument
        }
      })
  }
}

extension KernelState {
  /// A numeric parameter of a loaded module.
  func moduleNumber(_ module: String, _ parameter: String, _ standard: Int) -> Int {
    modules[module]?[parameter].flatMap { try? Written($0).signed() } ?? standard
  }

  mutating func makeNullBlock(_ name: String, in parent: Int) throws(Errno) {
    if storage["/dev/" + name.cut(toBytes: 31)]?.nullBlock != nil { throw .fileExists }
    let node = tree.add(name, .nullBlock, in: parent)
    if has(.nullBlockFaults) {
      for group in ["timeout_inject", "requeue_inject", "init_hctx_fault_inject"] {
        _ = tree.add(group, .faultGroup, in: node, isDefault: true)
      }
    }
    let values = NullBlockTree.freshValues(parameters: modules["null_blk"] ?? [:])
    for (name, value) in values where rule(name, of: node) != nil { set(name, value, of: node) }
    // A larger block is reduced when the module is loaded.
    set("blocksize", String(min(number("blocksize", of: node), machine.pageSize)), of: node)
  }

  mutating func dropNullBlock(_ node: Int) {
    if isSet("power", of: node) { powerOff(node) }
  }

  /// Validates and normalises the values, which stay normalised on failure, and registers the disk.
  /// - Source: `drivers/block/null_blk/main.c`, `null_validate_conf`, `null_add_dev`.
  mutating func powerOn(_ node: Int) throws(Errno) {
    func number(_ name: String) -> UInt64 { min(UInt64(value(name, of: node)) ?? 0, 1 << 43) }
    switch number("queue_mode") {
    case 1:
      log(.error, "null_blk: legacy IO path is no longer available")
      throw .invalidArgument
    case 0:
      log(
        .info, "null_blk: BIO-based IO path is no longer available, using blk-mq instead.")
      set("queue_mode", "2", of: node)
    default: break
    }
    if isSet("use_per_node_hctx", of: node) {
      set("submit_queues", "1", of: node)
    } else {
      let queues = min(max(number("submit_queues"), 1), UInt64(machine.onlineCPUs))
      set("submit_queues", String(queues), of: node)
    }
    let polled = UInt64(moduleNumber("null_blk", "poll_queues", 1))
    set("poll_queues", String(min(number("poll_queues"), polled)), of: node)
    set("irqmode", String(min(number("irqmode"), 2)), of: node)
    if isSet("memory_backed", of: node) {
      set("blocking", "1", of: node)
    } else {
      if isSet("discard", of: node) {
        log(.info, "null_blk: discard option is ignored without memory backing")
      }
      set("cache_size", "0", of: node)
      set("discard", "0", of: node)
    }
    if isSet("zoned", of: node), isSet("discard", of: node) {
      log(.info, "null_blk: discard option is ignored in zoned mode")
      set("discard", "0", of: node)
    }
    set("mbps", String(min(number("mbps"), 40960)), of: node)
    if isSet("zoned", of: node) { try normalizeZones(node) }
    let blockSize = number("blocksize")
    let limit = UInt64(kernelRelease.generation == .linux7_2 ? 65536 : machine.pageSize)
    if blockSize != 0, blockSize < 512 || blockSize > limit || blockSize.nonzeroBitCount != 1 {
      log(.error, "Invalid logical block size (\(blockSize))")
      throw .invalidArgument
    }
    guard number("hw_queue_depth") > 0 else { throw .invalidArgument }
    if number("hw_queue_depth") > 10240 { log(.info, "blk-mq: reduced tag depth to 10240") }
    let name = tree[node].name.cut(toBytes: 31)
    guard storage["/dev/" + name] == nil else {
      log(.warning, "sysfs: cannot create duplicate filename '/devices/virtual/block/\(name)'")
      throw .fileExists
    }
    set("index", String(freeNullBlockIndex()), of: node)
    var disk = SimulatedKernel.StoredObject(
      .blockDevice, size: number("size") << 20, blockSize: blockSize == 0 ? 512 : Int(blockSize))
    disk.nullBlock = node
    storage["/dev/" + name] = disk
    set("power", "1", of: node)
    log(.info, "null_blk: disk \(name) created")
  }

  private mutating func normalizeZones(_ node: Int) throws(Errno) {
    func number(_ name: String) -> UInt64 { min(UInt64(value(name, of: node)) ?? 0, 1 << 43) }
    let zone = number("zone_size")
    let size = number("size")
    guard zone.nonzeroBitCount == 1 else {
      log(.error, "null_blk: zone_size must be power-of-two")
      throw .invalidArgument
    }
    guard zone <= size else {
      log(.error, "null_blk: Zone size larger than device capacity")
      throw .invalidArgument
    }
    if number("zone_capacity") == 0 { set("zone_capacity", String(zone), of: node) }
    let capacity = number("zone_capacity")
    guard capacity <= zone else {
      log(
        .error,
        "null_blk: zone capacity (\(capacity) MB) larger than zone size (\(zone) MB)")
      throw .invalidArgument
    }
    guard capacity == zone || size % zone == 0 else {
      log(
        .error,
        "null_blk: A smaller last zone is not allowed with zone capacity smaller than zone size.")
      throw .invalidArgument
    }
    let zones = (size + zone - 1) / zone
    let block = max(number("blocksize"), 512) / 512
    let append = min(number("zone_append_max_sectors") / block * block, capacity << 11)
    set("zone_append_max_sectors", String(append), of: node)
    if number("zone_nr_conv") >= zones {
      log(.info, "null_blk: changed the number of conventional zones to \(zones - 1)")
      set("zone_nr_conv", String(zones - 1), of: node)
    }
    let sequential = zones - number("zone_nr_conv")
    if number("zone_max_active") >= sequential { set("zone_max_active", "0", of: node) }
    if number("zone_max_open") >= sequential { set("zone_max_open", "0", of: node) }
    let active = number("zone_max_active")
    if active > 0, number("zone_max_open") > active {
      set("zone_max_open", String(active), of: node)
    }
  }

  /// The disk is removed immediately, even if it is in use.
  mutating func powerOff(_ node: Int) {
    storage["/dev/" + tree[node].name.cut(toBytes: 31)] = nil
    set("power", "0", of: node)
  }

  /// The lowest number that neither a directory's disk nor one of the module's has.
  func freeNullBlockIndex() -> Int {
    var taken = Set(0..<moduleNumber("null_blk", "nr_devices", 1))
    for node in tree.all(.nullBlock) where isSet("power", of: node) {
      taken.insert(number("index", of: node))
    }
    return (0...).first { !taken.contains($0) } ?? 0
  }

  // MARK: Bad blocks, kept as "start length" lines

  func badBlockText(of node: Int) -> String {
    tree[node].values["badblocks"] ?? ""
  }

  mutating func changeBadBlocks(of node: Int, _ written: Written) throws(Errno) {
    var text = written.bytes.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else {
      throw .invalidArgument
    }
    let numbers = text.dropFirst().split(
      separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
    guard numbers.count == 2 else { throw .invalidArgument }
    let start = try Written(numbers[0]).unsigned()
    let end = try Written(numbers[1]).unsigned()
    guard end >= start else { throw .invalidArgument }
    var ranges = badBlocks(of: node)
    // Remove the range from the existing ranges, then insert it if it is marked bad.
    ranges = ranges.flatMap { range -> [ClosedRange<UInt64>] in
      guard range.overlaps(start...end) else { return [range] }
      var rest: [ClosedRange<UInt64>] = []
      if range.lowerBound < start { rest.append(range.lowerBound...(start - 1)) }
      if range.upperBound > end { rest.append((end + 1)...range.upperBound) }
      return rest
    }
    if sign == UInt8(ascii: "+") { ranges.append(start...end) }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var merged: [ClosedRange<UInt64>] = []
    for range in ranges {
      if let last = merged.last, last.upperBound &+ 1 == range.lowerBound {
        merged[merged.count - 1] = last.lowerBound...range.upperBound
      } else {
        merged.append(range)
      }
    }
    let lines = merged.map { "\($0.lowerBound) \($0.upperBound - $0.lowerBound &+ 1)\n" }
    set("badblocks", lines.joined(), of: node)
  }

  private func badBlocks(of node: Int) -> [ClosedRange<UInt64>] {
    badBlockText(of: node).split(separator: "\n").compactMap { line in
      let numbers = line.split(separator: " ").compactMap { UInt64($0) }
      guard numbers.count == 2, numbers[1] > 0 else { return nil }
      return numbers[0]...(numbers[0] + numbers[1] - 1)
    }
  }
}
