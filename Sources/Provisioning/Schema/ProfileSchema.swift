// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget

/// The objects of a profile.
public enum ProfileSchema {
  public static let all: [SchemaObject] = [
    document, backing, nullBlock, file, block, loopDevice, host, subsystem, namespace, port,
    anaGroup, function, target, tcpTarget, controllerFeatures,
  ]

  public static func object(_ name: String) -> SchemaObject? { all.first { $0.name == name } }

  /// The largest integer that every JSON parser represents exactly.
  static let exact = (1 << 53) - 1

  public static let document = SchemaObject(
    "profile",
    [
      SchemaRow(
        "version", .constant(1), required: true,
        because: "this epfnvme reads version 1; a newer one may be needed"),
      SchemaRow("name", .text(.profileName), required: true),
      SchemaRow("$schema", .text(.any)),
      SchemaRow("description", .text(.any)),
      SchemaRow("driver", .words(Profile.DriverChoice.allCases.map(\.rawValue))),
      SchemaRow("backings", .named(.component("a backing's name", upTo: 64), "backing")),
      SchemaRow("hosts", .objects("host")),
      SchemaRow("subsystems", .objects("subsystem")),
      SchemaRow("ports", .objects("port")),
      SchemaRow("functions", .objects("function")),
    ])

  public static let backing = SchemaObject(
    "backing", isChoice: true,
    [
      SchemaRow("nullBlock", .object("nullBlock")), SchemaRow("file", .object("file")),
      SchemaRow("block", .object("block")), SchemaRow("loopDevice", .object("loopDevice")),
    ])

  /// - Source: `drivers/block/null_blk/main.c`, `nullb_device_attrs`, `null_alloc_dev`.
  public static let nullBlock = SchemaObject(
    "nullBlock",
    [
      SchemaRow("device", .text(.component("a device's name", upTo: 31))),
      SchemaRow("sizeMiB", .integer(1...megabytes), [.init("size", "256000")]),
      SchemaRow("blockSize", .powerOfTwo(512...65536), [.init("blocksize", "512")]),
      SchemaRow("memoryBacked", .boolean, [.init("memory_backed", "0")]),
      SchemaRow("discard", .boolean, [.init("discard", "0")]),
      SchemaRow("cacheSizeMiB", .integer(0...megabytes), [.init("cache_size", "0")]),
      SchemaRow(
        "submitQueues", .integer(1...Int(UInt32.max)), [.init("submit_queues", "1")]),
      SchemaRow(
        "hardwareQueueDepth", .integer(1...10240), [.init("hw_queue_depth", "64")],
        because: "null_blk silently reduces a larger depth"),
      SchemaRow(
        "completionNanoseconds", .integer(0...exact), [.init("completion_nsec", "10000")]),
      SchemaRow(
        "irqMode", .integer(0...2), [.init("irqmode", "1")],
        because: "0 completes at once, 1 by softirq, 2 by a timer"),
      SchemaRow(
        "mbps", .integer(0...40960), [.init("mbps", "0")],
        because: "null_blk's limit is 40960 MB/s; 0 is no limit"),
      SchemaRow("rotational", .boolean, [.init("rotational", "0")]),
      SchemaRow("zoned", .boolean, [.init("zoned", "0")]),
      SchemaRow("zoneSizeMiB", .powerOfTwo(1...megabytes), [.init("zone_size", "256")]),
      SchemaRow(
        "zoneCapacityMiB", .integer(0...megabytes),
        // Powering on turns 0 into the zone's size.
        [.init("zone_capacity", "0")]),
      SchemaRow(
        "maximumOpenZones", .integer(0...Int(UInt32.max)), [.init("zone_max_open", "0")]),
      SchemaRow(
        "maximumActiveZones", .integer(0...Int(UInt32.max)), [.init("zone_max_active", "0")]),
      SchemaRow("attributes", .attributes),
      // Commands, and values that the kernel assigns.
      command("power", "0"), command("index", "0"), command("badblocks", ""),
      command("zone_readonly", ""), command("zone_offline", ""),
      other("badblocks_once", "0"), other("badblocks_partial_io", "0"), other("blocking", "0"),
      other("fua", "1"), other("home_node", "4294967295"), other("max_sectors", "0"),
      other("no_sched", "0"), other("poll_queues", "1"), other("queue_mode", "2"),
      other("shared_tag_bitmap", "0"), other("shared_tags", "0"),
      other("use_per_node_hctx", "0"), other("virt_boundary", "0"),
      other("zone_append_max_sectors", "2147483647"), other("zone_full", "0"),
      other("zone_nr_conv", "0"),
    ])

  public static let file = SchemaObject("file", fileRows)

  public static let block = SchemaObject(
    "block", [SchemaRow("path", .text(.path), required: true)])

  public static let loopDevice = SchemaObject(
    "loopDevice",
    fileRows + [
      SchemaRow("blockSize", .powerOfTwo(512...4096)),
      SchemaRow("directIO", .boolean),
      SchemaRow("offsetBytes", .integer(0...exact)),
    ])

  private static let fileRows = [
    SchemaRow("path", .text(.path), required: true),
    SchemaRow("sizeMiB", .integer(1...megabytes)),
    SchemaRow("create", .boolean),
  ]

  /// 8 PiB in MiB; its bytes are still exact in every reader of JSON.
  static let megabytes = 1 << 33

  /// An attribute without a key, and its value in a new object.
  static func other(_ name: String, _ fresh: String) -> SchemaRow {
    SchemaRow(nil, .unkeyed, [.init(name, fresh)])
  }

  /// An attribute that no profile can hold.
  static func command(_ name: String, _ fresh: String) -> SchemaRow {
    SchemaRow(nil, .command, [.init(name, .unwritable(fresh))])
  }
}
