// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import ConfigFS
import RecordedConfigFS
import SystemPackage
import Testing

@Suite("The nullb tree")
struct NullBlockTests {
  /// `features` of Linux 7.2: every attribute.
  static let features =
    "badblocks,badblocks_once,badblocks_partial_io,blocking,blocksize,cache_size,completion_nsec,"
    + "discard,fua,home_node,hw_queue_depth,index,irqmode,max_sectors,mbps,memory_backed,no_sched,"
    + "poll_queues,power,queue_mode,rotational,shared_tag_bitmap,shared_tags,size,submit_queues,"
    + "use_per_node_hctx,virt_boundary,zone_append_max_sectors,zone_capacity,zone_full,"
    + "zone_max_active,zone_max_open,zone_nr_conv,zone_offline,zone_readonly,zone_size,zoned\n"

  @Test("the device has every attribute of 7.2, by the kernel's name")
  func attributes() throws {
    let backend = RecordedConfigFS(attributes: ["nullb/features": Self.features])
    let tree = NullBlockTree(on: backend)
    let device = tree.devices["d"]
    let paths: [FilePath] = [
      device.badBlocks.path, device.clearsBadBlocksOnce.path, device.transfersUpToBadBlock.path,
      device.mayBlock.path, device.blockSize.path, device.cacheSize.path,
      device.completionTime.path, device.supportsDiscard.path,
      device.supportsForcedUnitAccess.path, device.homeNode.path, device.queueDepth.path,
      device.index.path, device.interruptMode.path, device.maximumSectors.path,
      device.bandwidthLimit.path, device.isMemoryBacked.path, device.disablesScheduler.path,
      device.pollQueues.path, device.isPowered.path, device.queueMode.path,
      device.isRotational.path, device.sharesTagBitmap.path, device.sharesTags.path,
      device.size.path, device.submissionQueues.path, device.usesQueuePerNode.path,
      device.hasVirtualBoundary.path, device.maximumZoneAppendSectors.path,
      device.zoneCapacity.path, device.startsWithFullZones.path, device.maximumActiveZones.path,
      device.maximumOpenZones.path, device.conventionalZones.path, device.takeZoneOffline.path,
      device.makeZoneReadOnly.path, device.zoneSize.path, device.isZoned.path,
    ]
    let names = paths.compactMap { $0.lastComponent?.string }
    #expect(names.count == 37)
    #expect(try tree.features.read().names == names)
    #expect(try tree.features.read().shownText == Self.features)
    #expect(device.badBlockChange.path == device.badBlocks.path)
  }

  @Test(
    "the node has the name's first 31 bytes",
    arguments: [
      ("nullb1", "/dev/nullb1"),
      ("0123456789012345678901234567890123", "/dev/0123456789012345678901234567890"),
    ])
  func node(name: String, node: FilePath) {
    #expect(NullBlockTree(on: RecordedConfigFS()).devices[name].node == node)
  }

  @Test(
    "bad blocks are lines of start and length",
    arguments: [
      ("", []), ("5 6\n", [5..<11]), ("5 1\n8 3\n", [5..<6, 8..<11]),
    ] as [(String, [Range<UInt64>])])
  func badBlocks(text: String, ranges: [Range<UInt64>]) {
    #expect(BadBlocks(attributeText: text) == BadBlocks(ranges: ranges))
    #expect(BadBlocks(ranges: ranges).attributeText == text)
  }

  @Test(
    "texts that no kernel shows are refused",
    arguments: ["5\n", "a b\n", "18446744073709551615 2\n", "1 2 3\n"])
  func noBadBlocks(text: String) {
    #expect(BadBlocks(attributeText: text) == nil)
  }

  @Test(
    "a change of bad blocks has a sign and two sectors",
    arguments: [("+5-10\n", .add(5...10)), ("-6-7\n", .clear(6...7))] as [(String, BadBlockChange)])
  func change(text: String, change: BadBlockChange) {
    #expect(BadBlockChange(attributeText: text) == change)
    #expect(change.attributeText == text)
  }

  @Test("null_blk refuses these changes", arguments: ["+10-5", "foo", "+5", "5-10", "+-", ""])
  func noChange(text: String) {
    #expect(BadBlockChange(attributeText: text) == nil)
  }
}
