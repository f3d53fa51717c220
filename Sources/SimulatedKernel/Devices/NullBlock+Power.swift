// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import SystemPackage

/// Power of null_blk devices: the checks of a new disk, in the kernel's order, and what it makes of the values.
extension KernelState {
  /// Validates and normalises the values, which stay normalised on failure, and registers the disk.
  /// - Source: `drivers/block/null_blk/main.c`, `null_add_dev`, in its order.
  mutating func powerOn(_ node: Int) throws(Errno) {
    try validateNullBlock(node)
    if !isSet("shared_tags", of: node) {
      // block/blk-mq.c, blk_mq_alloc_tag_set
      let depth = nullBlockNumber("hw_queue_depth", of: node)
      guard depth > 0 else { throw .invalidArgument }
      if depth > 10240 { log(.info, "blk-mq: reduced tag depth to 10240") }
    }
    if isSet("discard", of: node) {
      let reason =
        !isSet("memory_backed", of: node)
        ? "without memory backing" : isSet("zoned", of: node) ? "in zoned mode" : nil
      if let reason {
        log(.info, "null_blk: discard option is ignored \(reason)")
        set("discard", "0", of: node)
      }
    }
    if isSet("zoned", of: node) { try normalizeZones(node) }
    let blockSize = try nullBlockSize(of: node)
    set("index", String(freeNullBlockIndex()), of: node)
    let name = tree[node].name.cut(toBytes: 31)
    if isSet("zoned", of: node) {
      let isNative = nullBlockNumber("zone_append_max_sectors", of: node) > 0
      log(.info, "null_blk: \(name): using \(isNative ? "native" : "emulated") zone append")
    }
    let path = Self.devicePath(name)
    guard storage[path]?.kind != .blockDevice else {
      log(.warning, "sysfs: cannot create duplicate filename '/devices/virtual/block/\(name)'")
      throw .fileExists
    }
    var disk = SimulatedKernel.StoredObject(
      .blockDevice, size: nullBlockNumber("size", of: node) << 20, blockSize: blockSize)
    disk.nullBlock = node
    if isSet("zoned", of: node) { disk.zones = zones(of: node, blockSize) }
    // Where a character device has the name, the disk has no node.
    if storage[path] == nil { storage[path] = disk }
    tree[node].values["poll_queues at power-on"] = value("poll_queues", of: node)
    set("power", "1", of: node)
    log(.info, "null_blk: disk \(name) created")
  }

  /// - Source: `drivers/block/null_blk/main.c`, `nullb_update_nr_hw_queues`; `block/blk-mq.c`, `__blk_mq_update_nr_hw_queues`.
  func resizeQueues(of node: Int, _ name: String, to count: UInt64) throws(Errno) {
    let submitted = name == "submit_queues" ? count : nullBlockNumber("submit_queues", of: node)
    let polled = name == "poll_queues" ? count : nullBlockNumber("poll_queues", of: node)
    let cpus = UInt64(machine.onlineCPUs)
    guard !isSet("shared_tags", of: node), submitted > 0, submitted <= cpus,
      polled <= UInt64(clamping: moduleNumber("null_blk", "poll_queues", 1))
    else { throw .invalidArgument }
    // A disk that was created without polled queues has one map, which needs no more queues than processors.
    if (tree[node].values["poll_queues at power-on"] ?? "1") == "0", submitted + polled > cpus {
      throw .noMemory
    }
  }

  /// A number of a device, within what computations here can multiply.
  private func nullBlockNumber(_ name: String, of node: Int) -> UInt64 {
    min(UInt64(value(name, of: node)) ?? 0, 1 << 43)
  }

  /// The node of a disk: devtmpfs makes directories of names with `!`.
  /// - Source: `drivers/base/core.c`, `device_get_devnode`.
  static func devicePath(_ disk: String) -> String {
    "/dev/" + String(disk.map { $0 == "!" ? "/" : $0 })
  }

  /// - Source: `drivers/block/null_blk/main.c`, `null_validate_conf`.
  private mutating func validateNullBlock(_ node: Int) throws(Errno) {
    func number(_ name: String) -> UInt64 { nullBlockNumber(name, of: node) }
    switch number("queue_mode") {
    case 1:
      log(.error, "null_blk: legacy IO path is no longer available")
      throw .invalidArgument
    case 0:
      log(
        .error, "null_blk: BIO-based IO path is no longer available, using blk-mq instead.")
      set("queue_mode", "2", of: node)
    default: break
    }
    if isSet("use_per_node_hctx", of: node) {
      set("submit_queues", "1", of: node)
    } else {
      let queues = min(max(number("submit_queues"), 1), UInt64(machine.onlineCPUs))
      set("submit_queues", String(queues), of: node)
    }
    let polled = UInt64(clamping: moduleNumber("null_blk", "poll_queues", 1))
    set("poll_queues", String(min(number("poll_queues"), polled)), of: node)
    set("irqmode", String(min(number("irqmode"), 2)), of: node)
    if isSet("memory_backed", of: node) {
      set("blocking", "1", of: node)
      let cache = UInt64(value("cache_size", of: node)) ?? 0
      set("cache_size", String(min(cache, .max / 1024 / 1024)), of: node)
    } else {
      set("cache_size", "0", of: node)
    }
    set("mbps", String(min(number("mbps"), 40960)), of: node)
    if isSet("zoned", of: node), number("zone_size").nonzeroBitCount != 1 {
      log(.error, "null_blk: zone_size must be power-of-two")
      throw .invalidArgument
    }
  }

  /// The logical block size of the disk.
  /// - Source: `block/blk-settings.c`, `blk_validate_limits`; `include/linux/blkdev.h`, `BLK_MAX_BLOCK_SIZE`.
  private mutating func nullBlockSize(of node: Int) throws(Errno) -> Int {
    let given = nullBlockNumber("blocksize", of: node)
    let size = given == 0 ? 512 : given
    let hasLargeBlocks = kernelRelease.generation == .linux7_2 && !has(.noHugePages)
    let limit = UInt64(hasLargeBlocks ? 65536 : machine.pageSize)
    guard (512...limit).contains(size), size.nonzeroBitCount == 1 else {
      log(.warning, "Invalid logical block size (\(size))")
      throw .invalidArgument
    }
    let sectors = nullBlockNumber("max_sectors", of: node)
    let least = max(UInt64(machine.pageSize), size) / 512
    if sectors > 0, sectors < least {
      warnOnce(
        "block/blk-settings.c", "blk_validate_limits", sectors < machine.pageSize / 512 ? 1 : 2)
      throw .invalidArgument
    }
    return Int(size)
  }

  /// The zones as users of the disk see them.
  private func zones(of node: Int, _ blockSize: Int) -> SimulatedKernel.Zones {
    let given = nullBlockNumber("max_sectors", of: node)
    let block = UInt64(blockSize / 512)
    let zone = nullBlockNumber("zone_size", of: node)
    let longest = min(zone << 11, (given == 0 ? 255 : given) / block * block)
    let append = nullBlockNumber("zone_append_max_sectors", of: node)
    return SimulatedKernel.Zones(
      longestAppend: append == 0 ? longest : min(append, longest),
      hasConventional: nullBlockNumber("zone_nr_conv", of: node) > 0,
      hasSmallerLast: nullBlockNumber("size", of: node) % zone != 0)
  }

  /// - Source: `drivers/block/null_blk/zoned.c`, `null_init_zoned_dev`.
  private mutating func normalizeZones(_ node: Int) throws(Errno) {
    func number(_ name: String) -> UInt64 { nullBlockNumber(name, of: node) }
    let zone = number("zone_size")
    let size = number("size")
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
    if number("zone_nr_conv") >= zones {
      log(.info, "null_blk: changed the number of conventional zones to \(zones - 1)")
      set("zone_nr_conv", String(zones - 1), of: node)
    }
    // As the kernel's macro computes it, for sizes that are no powers of two as well.
    let block = UInt32(truncatingIfNeeded: number("blocksize")) >> 9
    let given = UInt32(truncatingIfNeeded: number("zone_append_max_sectors"))
    let aligned = block == 0 ? 0 : given & ~(block - 1)
    set("zone_append_max_sectors", String(min(UInt64(aligned), capacity << 11)), of: node)
    let sequential = zones - number("zone_nr_conv")
    if number("zone_max_active") >= sequential {
      set("zone_max_active", "0", of: node)
      log(.info, "null_blk: zone_max_active limit disabled, limit >= zone count")
    }
    let active = number("zone_max_active")
    if active > 0, number("zone_max_open") > active {
      set("zone_max_open", String(active), of: node)
      log(.info, "null_blk: changed the maximum number of open zones to \(active)")
    } else if number("zone_max_open") >= sequential {
      set("zone_max_open", "0", of: node)
      log(.info, "null_blk: zone_max_open limit disabled, limit >= zone count")
    }
  }

  /// The disk is removed immediately, even if it is in use.
  mutating func powerOff(_ node: Int) {
    let path = Self.devicePath(tree[node].name.cut(toBytes: 31))
    if storage[path]?.nullBlock == node { storage[path] = nil }
    set("power", "0", of: node)
  }
}
