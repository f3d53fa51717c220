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
          try state.resizeQueues(of: node, name, to: count)
        }
        state.set(name, String(count), of: node)
      })
  }

  private static func zoneCondition(_ name: String) -> AttributeRule {
    AttributeRule(
      name: name, mode: .writeOnly, show: { _, _ in "" },
      store: { (state, node, written) throws(Errno) in
        guard state.isSet("zoned", of: node) else {
          state.log(.error, "null_blk: null_blk device is not zoned")
          throw .invalidArgument
        }
        guard state.isSet("power", of: node) else {
          state.log(.error, "null_blk: null_blk device is not yet powered")
          throw .invalidArgument
        }
        let sector = try written.unsigned()
        let size = UInt64(clamping: state.number("zone_size", of: node)) << 11
        let sectors = UInt64(clamping: state.number("size", of: node)) << 11
        // The number of the zone has 32 bits.
        let zone = UInt64(UInt32(truncatingIfNeeded: sector / max(size, 1)))
        guard zone < (sectors + size - 1) / max(size, 1) else {
          state.log(.error, "null_blk: Sector out of range")
          throw .invalidArgument
        }
        guard zone >= UInt64(clamping: state.number("zone_nr_conv", of: node)) else {
          state.log(.error, "null_blk: Can not change condition of conventional zones")
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
    // A disk's name is cut, the new one is not.
    if name.utf8.count <= 31, storage[Self.devicePath(name)]?.nullBlock != nil { throw .fileExists }
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
