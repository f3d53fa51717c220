// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import SimulatedKernel
import SystemPackage
import Testing

@Suite("null_blk: the nullb tree")
struct NullBlockTests {
  private func prepared() throws -> SimulatedKernel {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("null_blk")
    try kernel.make("nullb/d")
    return kernel
  }

  // null_blk.md, 2
  @Test("features lists every attribute, and readdir reverses them")
  func features() throws {
    let kernel = try prepared()
    let features = try #require(kernel.text("nullb/features"))
    #expect(features.utf8.count == 438)
    #expect(features.hasPrefix("badblocks,badblocks_once,"))
    let names = features.dropLast().split(separator: ",").map(String.init)
    #expect(try kernel.names("nullb/d") == names.reversed())
    #expect(names.count == 37)
  }

  // null_blk.md, 4
  @Test(
    "results of writes while the device is off",
    arguments: [
      ("size", "-1", .invalidArgument), ("size", "99999999999999999999", .outOfRange),
      ("blocksize", "abc", .invalidArgument), ("blocksize", "4294967296", .outOfRange),
      ("index", "77", nil), ("blocksize", "3", nil), ("power", "x", .invalidArgument),
      ("submit_queues", "1000", nil), ("zone_offline", "0", .invalidArgument),
    ] as [(String, String, Errno?)])
  func off(name: String, written: String, errno: Errno?) throws {
    #expect(try prepared().errno { try $0.put(written, "nullb/d/" + name) } == errno)
  }

  // null_blk.md, 6
  @Test(
    "errors of power-on",
    arguments: [
      ([("queue_mode", "1")], .invalidArgument),
      ([("zoned", "1"), ("zone_size", "0")], .invalidArgument),
      ([("zoned", "1"), ("zone_size", "3")], .invalidArgument),
      ([("zoned", "1"), ("size", "128")], .invalidArgument),
      ([("zoned", "1"), ("zone_capacity", "512")], .invalidArgument),
      ([("blocksize", "513")], .invalidArgument), ([("blocksize", "256")], .invalidArgument),
      ([("blocksize", "131072")], .invalidArgument), ([("hw_queue_depth", "0")], .invalidArgument),
      ([("size", "0")], nil), ([("queue_mode", "7")], nil), ([("blocksize", "0")], nil),
    ] as [([(String, String)], Errno?)])
  func powerOn(values: [(String, String)], errno: Errno?) throws {
    let kernel = try prepared()
    for (name, value) in values { try kernel.put(value + "\n", "nullb/d/" + name) }
    #expect(kernel.errno { try $0.put("1\n", "nullb/d/power") } == errno)
    #expect(kernel.text("nullb/d/power") == (errno == nil ? "1\n" : "0\n"))
  }

  // null_blk.md, 5
  @Test("power-on normalises values permanently")
  func normalisation() throws {
    let kernel = try prepared()
    for (name, value) in [
      ("queue_mode", "0"), ("submit_queues", "99"), ("poll_queues", "9"), ("irqmode", "9"),
      ("mbps", "99999"), ("cache_size", "4"), ("discard", "1"), ("index", "77"),
    ] { try kernel.put(value, "nullb/d/" + name) }
    try kernel.put("1", "nullb/d/power")
    for (name, value) in [
      ("queue_mode", "2"), ("submit_queues", "8"), ("poll_queues", "1"), ("irqmode", "2"),
      ("mbps", "40960"), ("cache_size", "0"), ("discard", "0"), ("index", "1"),
    ] { #expect(kernel.text("nullb/d/" + name) == value + "\n") }
    #expect(kernel.errno { try $0.put("1", "nullb/d/size") } == .resourceBusy)
    #expect(kernel.errno { try $0.put("x", "nullb/d/size") } == .invalidArgument)
    #expect(kernel.errno { try $0.put("0", "nullb/d/submit_queues") } == .invalidArgument)
    #expect(kernel.errno { try $0.put("2", "nullb/d/submit_queues") } == nil)
  }

  // null_blk.md, 3, 8
  @Test("names that disks already have")
  func names() throws {
    let kernel = try prepared()
    #expect(kernel.errno { try $0.make("nullb/nullb0") } == .fileExists)
    try kernel.make("nullb/sda")
    #expect(kernel.errno { try $0.put("1", "nullb/sda/power") } == .fileExists)
    let long = String(repeating: "d", count: 40)
    try kernel.make("nullb/" + long)
    try kernel.put("1", "nullb/" + long + "/power")
    #expect(try kernel.describe(FilePath("/dev/" + long.prefix(31))).kind == .blockDevice)
    try kernel.drop("nullb/" + long)
    #expect(
      kernel.errno { _ = try $0.describe(FilePath("/dev/" + long.prefix(31))) }
        == .noSuchFileOrDirectory)
  }

  // null_blk.md, 7
  @Test("bad blocks")
  func badBlocks() throws {
    let kernel = try prepared()
    #expect(kernel.text("nullb/d/badblocks") == "")
    try kernel.put("+5-10", "nullb/d/badblocks")
    #expect(kernel.text("nullb/d/badblocks") == "5 6\n")
    try kernel.put("-6-7\n", "nullb/d/badblocks")
    #expect(kernel.text("nullb/d/badblocks") == "5 1\n8 3\n")
    for bad in ["+10-5", "foo", "+5"] {
      #expect(kernel.errno { try $0.put(bad, "nullb/d/badblocks") } == .invalidArgument)
    }
  }

  // null_blk.md, 10
  @Test("zones")
  func zones() throws {
    let kernel = try prepared()
    try kernel.put("64", "nullb/d/size")
    try kernel.put("1", "nullb/d/zoned")
    try kernel.put("4", "nullb/d/zone_size")
    try kernel.put("1", "nullb/d/power")
    #expect(kernel.text("nullb/d/zone_append_max_sectors") == "8192\n")
    #expect(kernel.text("nullb/d/zone_capacity") == "4\n")
    #expect(kernel.errno { try $0.put("131072", "nullb/d/zone_offline") } == .invalidArgument)
    #expect(kernel.errno { try $0.put("8192", "nullb/d/zone_offline") } == nil)
  }

  // null_blk.md, 1, 13
  @Test("the module's parameters are the defaults, and its disks are removed with it")
  func parameters() throws {
    let kernel = SimulatedKernel(.linux7_2)
    #expect(
      kernel.errno { try $0.load("null_blk", parameters: ["nr_devices=x"]) }
        == .invalidArgument)
    #expect(
      kernel.errno { try $0.load("null_blk", parameters: ["queue_mode=1"]) }
        == .invalidArgument)
    try kernel.load("null-blk", parameters: ["nr_devices=2", "gb=1", "memory_backed=1"])
    #expect(try kernel.describe("/dev/nullb1").size == 1 << 30)
    try kernel.make("nullb/d")
    #expect(kernel.text("nullb/d/size") == "1024\n")
    #expect(kernel.text("nullb/d/memory_backed") == "1\n")
    #expect(kernel.errno { try $0.unload("null_blk") } == .resourceTemporarilyUnavailable)
    try kernel.drop("nullb/d")
    try kernel.unload("null_blk")
    #expect(kernel.errno { _ = try $0.describe("/dev/nullb0") } == .noSuchFileOrDirectory)
  }

  // null_blk.md, 21
  @Test("6.12 lacks three attributes and lists no index")
  func olderKernel() throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.load("null_blk")
    try kernel.make("nullb/d")
    let names = try kernel.names("nullb/d")
    #expect(names.count == 34)
    #expect(names.contains("index"))
    #expect(!names.contains("rotational"))
    #expect(kernel.text("nullb/features")?.contains("index") == false)
  }
}
