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
    "profile", "The target state of a machine",
    [
      SchemaRow(
        "$schema", .text(.any),
        "The location of the JSON Schema, for editors; epfnvme does not read it"),
      SchemaRow(
        "version", .constant(1), "The version of the profile language", required: true,
        because: "this epfnvme reads version 1; a newer one may be needed"),
      SchemaRow(
        "name", .text(.profileName),
        "The profile's name, which teardown accepts and from which identities are derived",
        required: true),
      SchemaRow("description", .text(.any), "Free text"),
      SchemaRow(
        "driver", .words(Profile.DriverChoice.allCases.map(\.rawValue)),
        "The endpoint function driver; auto is the one that the kernel has",
        default: .value(.text(Profile.DriverChoice.auto.rawValue))),
      SchemaRow(
        "identity", .words(Profile.IdentitySource.allCases.map(\.rawValue)),
        "The source of serial numbers, UUIDs, NGUIDs, controller IDs and the end of the NQN of a function's subsystem that the profile does not set: the machine's ID (/etc/machine-id), identitySeed, or the names in the profile, which are the same on every board",
        default: .value(.text(Profile.IdentitySource.machine.rawValue))),
      SchemaRow(
        "identitySeed", .text(.printable("a seed", upTo: 128)),
        "A text that only this board has, such as its asset number; requires identity seed"),
      SchemaRow(
        "backings", .named(.component("a backing's name", upTo: 64), "backing"),
        "The backings of namespaces, by the names that namespaces use"),
      SchemaRow(
        "hosts", .objects("host"),
        "Hosts with attributes; a host that is only allowed needs no entry"),
      SchemaRow("subsystems", .objects("subsystem"), "NVMe subsystems"),
      SchemaRow(
        "ports", .objects("port"),
        "Ports of the NVMe target; those of functions are created automatically"),
      SchemaRow("functions", .objects("function"), "PCI endpoint functions"),
    ])

  public static let backing = SchemaObject(
    "backing", "The backing of a namespace: one of four kinds", isChoice: true,
    [
      SchemaRow("nullBlock", .object("nullBlock")), SchemaRow("file", .object("file")),
      SchemaRow("block", .object("block")), SchemaRow("loopDevice", .object("loopDevice")),
    ])

  /// - Source: `drivers/block/null_blk/main.c`, `nullb_device_attrs`, `null_alloc_dev`.
  public static let nullBlock = SchemaObject(
    "nullBlock", "A null_blk device; keys that are not set keep the module's default",
    Profile.NullBlock.schemaRows + [
      rawAttributes,
      // Commands, and values that the kernel assigns.
      command("power", "0"), command("index", "0"), command("badblocks", ""),
      command("zone_readonly", ""), command("zone_offline", ""),
      other("badblocks_once", "0"), other("badblocks_partial_io", "0"), other("blocking", "0"),
      other("fua", "1"), other("home_node", "4294967295"), other("max_sectors", "0"),
      other("no_sched", "0"), other("poll_queues", "1"), other("queue_mode", "2"),
      other("shared_tags", "0"),
      other("use_per_node_hctx", "0"), other("virt_boundary", "0"),
      other("zone_append_max_sectors", "2147483647"), other("zone_full", "0"),
      other("zone_nr_conv", "0"),
    ])

  public static let file = SchemaObject("file", "A regular file", Profile.File.rows(path))

  public static let block = SchemaObject("block", "A block device that exists", [path])

  public static let loopDevice = SchemaObject(
    "loopDevice", "A file behind a free /dev/loopN",
    Profile.File.rows(path) + Profile.LoopDevice.schemaRows)

  private static let path = SchemaRow("path", .text(.path), required: true)

  /// 8 PiB in MiB; its bytes are still exact in every reader of JSON.
  static let megabytes = 1 << 33

  static let rawAttributes = SchemaRow(
    "attributes", .attributes, "Attributes of the kernel's object without a key")

  /// An attribute without a key, and its value in a new object.
  static func other(_ name: String, _ fresh: String) -> SchemaRow {
    SchemaRow(nil, .unkeyed, "", [.init(name, fresh)])
  }

  /// An attribute that no profile can hold.
  static func command(_ name: String, _ fresh: String) -> SchemaRow {
    SchemaRow(nil, .command, "", [.init(name, .unwritable(fresh))])
  }
}

extension Profile.File {
  static func rows(_ path: SchemaRow) -> [SchemaRow] { [path] + schemaRows }
}

extension Profile.NullBlock: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let device = ProfileKey<String>(
      "device", .text(.component("a device's name", upTo: 31)),
      "The name of the directory and of the device, /dev/DEVICE",
      default: "the profile's name, a dash and the backing's name, cut to 31 bytes")
    public let sizeMiB = ProfileKey<UInt64>(
      "sizeMiB", .integer(1...ProfileSchema.megabytes), "The size", [.init("size", "256000")])
    public let blockSize = ProfileKey<UInt32>(
      "blockSize", .powerOfTwo(512...65536), "Bytes of a logical block",
      [.init("blocksize", "512")])
    public let memoryBacked = ProfileKey<Bool>(
      "memoryBacked", .boolean, "Whether data is stored, in memory", [.init("memory_backed", "0")])
    public let discard = ProfileKey<Bool>(
      "discard", .boolean, "Whether the device discards; requires memoryBacked",
      [.init("discard", "0")])
    public let cacheSizeMiB = ProfileKey<UInt64>(
      "cacheSizeMiB", .integer(0...ProfileSchema.megabytes),
      "The size of a volatile write cache; requires memoryBacked", [.init("cache_size", "0")])
    public let submitQueues = ProfileKey<UInt32>(
      "submitQueues", .integer(1...Int(UInt32.max)),
      "Queues; the kernel creates no more than the number of CPUs", [.init("submit_queues", "1")])
    public let hardwareQueueDepth = ProfileKey<UInt32>(
      "hardwareQueueDepth", .integer(1...10240), "Commands that a queue holds",
      [.init("hw_queue_depth", "64")], because: "null_blk silently reduces a larger depth")
    public let sharedTagBitmap = ProfileKey<Bool>(
      "sharedTagBitmap", .boolean,
      "Whether the queues share one set of tags, as a host adapter's do",
      [.init("shared_tag_bitmap", "0")], wasAttribute: true)
    public let completionNanoseconds = ProfileKey<UInt64>(
      "completionNanoseconds", .integer(0...ProfileSchema.exact), "The latency with irqMode 2",
      [.init("completion_nsec", "10000")])
    public let irqMode = ProfileKey<UInt32>(
      "irqMode", .integer(0...2), "How requests complete: 0 at once, 1 by softirq, 2 by a timer",
      [.init("irqmode", "1")], because: "0 completes at once, 1 by softirq, 2 by a timer")
    public let mbps = ProfileKey<UInt32>(
      "mbps", .integer(0...40960), "A limit on the bandwidth in MB/s; 0 is none",
      [.init("mbps", "0")], because: "null_blk's limit is 40960 MB/s; 0 is no limit")
    public let rotational = ProfileKey<Bool>(
      "rotational", .boolean, "Whether the device reports a spinning disk; not in Linux 6.12",
      [.init("rotational", "0")])
    public let zoned = ProfileKey<Bool>(
      "zoned", .boolean, "Whether the device is zoned", [.init("zoned", "0")])
    public let zoneSizeMiB = ProfileKey<UInt64>(
      "zoneSizeMiB", .powerOfTwo(1...ProfileSchema.megabytes),
      "The size of a zone, at most the device's", [.init("zone_size", "256")])
    public let zoneCapacityMiB = ProfileKey<UInt64>(
      "zoneCapacityMiB", .integer(0...ProfileSchema.megabytes),
      "The capacity of a zone, at most its size; 0 is equal to it",
      // Powering on turns 0 into the zone's size.
      [.init("zone_capacity", "0")])
    public let maximumOpenZones = ProfileKey<UInt32>(
      "maximumOpenZones", .integer(0...Int(UInt32.max)), "Zones that may be open; 0 is no limit",
      [.init("zone_max_open", "0")])
    public let maximumActiveZones = ProfileKey<UInt32>(
      "maximumActiveZones", .integer(0...Int(UInt32.max)),
      "Zones that may be active; 0 is no limit", [.init("zone_max_active", "0")])
  }
}

extension Profile.File: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let sizeMiB = ProfileKey<UInt64>(
      "sizeMiB", .integer(1...ProfileSchema.megabytes), "The size of the file that create creates",
      default: "required with create")
    public let create = DefaultedKey<Bool>(
      "create", .boolean, "Creates the file, sparse, if it does not exist", default: false)
  }
}

extension Profile.LoopDevice: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let blockSize = ProfileKey<UInt32>(
      "blockSize", .powerOfTwo(512...4096), "Bytes of a logical block",
      default: "the kernel's choice, usually 512")
    public let directIO = DefaultedKey<Bool>(
      "directIO", .boolean, "Keeps the data out of the page cache", default: false)
    public let offset = DefaultedKey<UInt64>(
      "offsetBytes", .integer(0...ProfileSchema.exact),
      "The start of the disk in the file; a multiple of the block size, before the end of the file",
      default: 0)
  }
}
