// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
public import SystemPackage

/// A null_blk device.
///
/// Values are checked at power-on, not when they are written, and power-on changes some of them, as noted below. While powered, a write
/// gives EBUSY except where noted.
/// - Source: `drivers/block/null_blk/main.c`, `nullb_device_attrs`, `null_validate_conf`.
public struct NullBlockDevice: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The maximum length of a disk's name (`DISK_NAME_LEN` without its NUL); longer names are truncated.
  public static let maximumNameLength = 31

  /// The device's node once powered; kernels before 5.19 call it `/dev/nullb` and ``index``.
  public var node: FilePath {
    FilePath("/dev").appending(
      String(decoding: name.utf8.prefix(Self.maximumNameLength), as: UTF8.self))
  }

  /// Whether the disk exists (`power`). False by default; the same value again changes nothing.
  ///
  /// True: EINVAL for inconsistent values, EEXIST if a block device with the name exists. False removes the disk at once even if it is in
  /// use. Data is kept until the directory is removed.
  /// - Source: `drivers/block/null_blk/main.c`, `nullb_device_power_store`.
  public var isPowered: Attribute<Bool> { directory["power"] }

  /// Whether a bad block is good again after one error (`badblocks_once`). False by default; not in 6.12.
  public var clearsBadBlocksOnce: Attribute<Bool> { directory["badblocks_once"] }

  /// Whether a transfer is done up to the first bad block (`badblocks_partial_io`). False by default; not in 6.12.
  public var transfersUpToBadBlock: Attribute<Bool> { directory["badblocks_partial_io"] }

  /// Whether the queue function may block (`blocking`). False by default; power-on of a memory-backed device sets it to true.
  public var mayBlock: Attribute<Bool> { directory["blocking"] }

  /// Logical and physical block size in bytes (`blocksize`). 512 by default; a power of two from 512 up to the page
  /// size, or 64 KiB on recent kernels.
  public var blockSize: Attribute<UInt32> { directory["blocksize"] }

  /// Size of the volatile write cache in MiB (`cache_size`). 0 by default, none; power-on of a device without memory sets it to 0.
  public var cacheSize: Attribute<UInt64> { directory["cache_size"] }

  /// Time until completion in nanoseconds, for interrupt mode 2 (`completion_nsec`). 10000 by default.
  public var completionTime: Attribute<UInt64> { directory["completion_nsec"] }

  /// Whether the device discards (`discard`). False by default; requires memory, power-on without memory sets it to false.
  public var supportsDiscard: Attribute<Bool> { directory["discard"] }

  /// Whether writes can be forced past the cache (`fua`). True by default; matters only with a cache.
  public var supportsForcedUnitAccess: Attribute<Bool> { directory["fua"] }

  /// The NUMA node of the memory (`home_node`). 4294967295 by default, any.
  public var homeNode: Attribute<UInt32> { directory["home_node"] }

  /// Commands that a queue holds (`hw_queue_depth`). 64 by default; above 10240 is reduced silently, 0 is EINVAL at
  /// power-on.
  public var queueDepth: Attribute<UInt32> { directory["hw_queue_depth"] }

  /// The device's minor number (`index`). Power-on overwrites it with the assigned number.
  public var index: Attribute<UInt32> { directory["index"] }

  /// The completion of requests: 0 immediately, 1 by softirq, 2 by timer (`irqmode`). 1 by default; larger values become 2 at power-on.
  public var interruptMode: Attribute<UInt32> { directory["irqmode"] }

  /// The largest request in sectors of 512 bytes (`max_sectors`). 0 by default, the limit of the block layer.
  public var maximumSectors: Attribute<UInt32> { directory["max_sectors"] }

  /// Bandwidth limit in MB/s (`mbps`). 0 by default, none; above 40960 becomes 40960 at power-on.
  public var bandwidthLimit: Attribute<UInt32> { directory["mbps"] }

  /// Whether the device stores data, in memory that is allocated at writes (`memory_backed`). False by default: then writes are discarded
  /// and reads leave the buffer unchanged, so a host may read stale memory.
  public var isMemoryBacked: Attribute<Bool> { directory["memory_backed"] }

  /// Whether there is no I/O scheduler (`no_sched`). False by default.
  public var disablesScheduler: Attribute<Bool> { directory["no_sched"] }

  /// The block layer's interface, 2 for blk-mq (`queue_mode`). 2 by default; 0 becomes 2 at power-on, 1 is EINVAL
  /// then.
  public var queueMode: Attribute<UInt32> { directory["queue_mode"] }

  /// Whether the device claims to be a spinning disk (`rotational`). False by default; not in 6.12.
  public var isRotational: Attribute<Bool> { directory["rotational"] }

  /// Whether the queues of a device share their tags (`shared_tag_bitmap`). False by default.
  public var sharesTagBitmap: Attribute<Bool> { directory["shared_tag_bitmap"] }

  /// Whether devices share their tags (`shared_tags`). False by default; then queue counts cannot change while
  /// powered.
  public var sharesTags: Attribute<Bool> { directory["shared_tags"] }

  /// Size in MiB (`size`). 256000 by default; 0 is a device without blocks.
  public var size: Attribute<UInt64> { directory["size"] }

  /// Whether there is a queue for each NUMA node (`use_per_node_hctx`). False by default.
  public var usesQueuePerNode: Attribute<Bool> { directory["use_per_node_hctx"] }

  /// Whether requests have no gaps in their pages (`virt_boundary`). False by default.
  public var hasVirtualBoundary: Attribute<Bool> { directory["virt_boundary"] }

  /// Hardware queues (`submit_queues`). 1 by default. While powered a write changes the queues: EINVAL for 0, for more
  /// than there are CPUs, and with shared tags.
  /// - Source: `drivers/block/null_blk/main.c`, `nullb_apply_submit_queues`.
  public var submissionQueues: Attribute<UInt32> { directory["submit_queues"] }

  /// Polled queues (`poll_queues`). 1 by default; while powered a write changes the queues, up to the module's parameter.
  /// - Source: `drivers/block/null_blk/main.c`, `nullb_apply_poll_queues`.
  public var pollQueues: Attribute<UInt32> { directory["poll_queues"] }

  /// The ranges in which I/O fails (`badblocks`). None by default; they persist after power-off.
  /// - Source: `block/badblocks.c`, `badblocks_show`.
  public var badBlocks: ReadOnlyAttribute<BadBlocks> { directory[readOnly: "badblocks"] }

  /// Adds or clears one range (`badblocks`), powered or not.
  /// - Source: `drivers/block/null_blk/main.c`, `nullb_device_badblocks_store`.
  public var badBlockChange: WriteOnlyAttribute<BadBlockChange> {
    directory[writeOnly: "badblocks"]
  }
}
