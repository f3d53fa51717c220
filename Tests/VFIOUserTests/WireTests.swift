// SPDX-License-Identifier: Apache-2.0
import LibC
import PCI
import Testing

@testable import VFIOUser

/// The structures of the protocol, byte by byte.
/// - Source: vfio-user.md, 2, 4.
@Suite struct WireTests {
  /// A structure, and its bytes as the protocol lists them, field by field.
  struct Layout: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var byteCount: Int
    var encoded: [UInt8]
    /// Decodes bytes, and encodes the result.
    var recoded: @Sendable (WireBytes, Int) throws(Refusal) -> [UInt8]

    init<Structure: WireStructure>(_ structure: Structure, _ fields: String) {
      testDescription = "\(Structure.self)"
      bytes = WireTests.bytes(fields)
      byteCount = Structure.byteCount
      encoded = structure.bytes(reserving: 100)
      recoded = { (body, start) throws(Refusal) in try Structure(body, at: start).bytes() }
    }
  }

  static func bytes(_ fields: String) -> [UInt8] {
    fields.split(separator: " ").flatMap { field in
      stride(from: 0, to: field.utf8.count, by: 2).map { place in
        let start = field.index(field.startIndex, offsetBy: place)
        return UInt8(field[start...].prefix(2), radix: 16) ?? 0
      }
    }
  }

  static let layouts: [Layout] = {
    var regionInfo = RegionInfo(argumentSize: 64, index: 4)
    regionInfo.flags = [.read, .write, .map, .capabilities]
    regionInfo.capabilityOffset = 32
    regionInfo.size = 0x1_0000_4000
    regionInfo.offset = 0x2000
    var unmapAll = DMAUnmap(address: 0, count: 0)
    unmapAll.flags = .all
    let request = MessageHeader(
      request: .writeRegions, id: 0x1234, bodyCount: 0x0203, wantsNoReply: true)
    return [
      Layout(request, "3412 0f00 13020000 10000000 00000000"),
      Layout(
        MessageHeader(replyTo: request, bodyCount: 8), "3412 0f00 18000000 01000000 00000000"),
      Layout(
        MessageHeader(replyTo: request, bodyCount: 0, errno: ENOTTY),
        "3412 0f00 10000000 21000000 19000000"),
      Layout(ProtocolVersion(major: 1, minor: 2), "0100 0200"),
      Layout(
        DMAMap(address: 0x1_0000_0000, count: 0x8000, offset: 0x3000, access: [.read, .write]),
        "20000000 03000000 0030000000000000 0000000001000000 0080000000000000"),
      Layout(
        DMAMap(address: 0x1000, count: 0x2000, offset: 0, access: .write),
        "20000000 02000000 0000000000000000 0010000000000000 0020000000000000"),
      Layout(
        DMAUnmap(address: 0xfffc_0000, count: 0x4_0000),
        "18000000 00000000 0000fcff00000000 0000040000000000"),
      Layout(unmapAll, "18000000 02000000 0000000000000000 0000000000000000"),
      Layout(
        DeviceInfo(flags: [.supportsReset, .isPCI], regions: 9, interruptKinds: 5),
        "10000000 03000000 09000000 05000000"),
      Layout(
        regionInfo, "40000000 0f000000 04000000 20000000 0040000001000000 0020000000000000"),
      Layout(
        InterruptInfo(.line, flags: [.events, .maskable, .automasked], count: 1),
        "10000000 07000000 00000000 01000000"),
      Layout(
        InterruptInfo(.msix, flags: .events, count: 2048), "10000000 01000000 02000000 00080000"),
      Layout(
        InterruptSetting(.trigger, .events, index: 2, start: 3, count: 4, following: 0),
        "14000000 24000000 02000000 03000000 04000000"),
      Layout(
        InterruptSetting(.trigger, .flags, index: 1, start: 0, count: 8, following: 8),
        "1c000000 22000000 01000000 00000000 08000000"),
      Layout(
        InterruptSetting(.unmask, .none, index: 0, start: 0, count: 1, following: 0),
        "14000000 11000000 00000000 00000000 01000000"),
      Layout(
        InterruptSetting(.mask, .none, index: 0, start: 0, count: 1, following: 0),
        "14000000 09000000 00000000 00000000 01000000"),
      Layout(
        RegionAccess(region: 7, offset: 0x100_0000_0004, count: 2),
        "0400000000010000 07000000 02000000"),
      Layout(RegionWrites(count: 200), "c800000000000000"),
    ]
  }()

  @Test("a structure has the protocol's layout", arguments: layouts)
  func layout(_ layout: Layout) throws {
    #expect(layout.encoded == layout.bytes)
    #expect(layout.byteCount == layout.bytes.count)
    // Not at the start of the body, and with more behind it.
    let body = WireBytes([0xaa, 0xbb, 0xcc] + layout.bytes + [0xdd])
    #expect(try layout.recoded(body, 3) == layout.bytes)
  }

  @Test("a body that ends before the structure does is refused", arguments: layouts)
  func short(_ layout: Layout) {
    for count in 0..<layout.byteCount {
      let body = WireBytes(Array(layout.bytes.prefix(count)))
      #expect(throws: Refusal(EINVAL)) { try layout.recoded(body, 0) }
    }
  }

  @Test("a command has the protocol's number")
  func commands() {
    let numbers: [UInt16] = VFIOUser.Command.allCases.map(\.rawValue)
    #expect(numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16])
    #expect(VFIOUser.Command.readDMA.rawValue == 11 && VFIOUser.Command.reset.rawValue == 13)
  }

  @Test(
    "a transfer's count has 8 bytes, or 4 with QEMU 10",
    arguments: [
      (.wide, "0000020001000000 0010000000000000"), (.narrow, "0000020001000000 00100000"),
    ] as [(DMAFormat, String)])
  func transfer(_ format: DMAFormat, _ fields: String) {
    let transfer = DMATransfer(address: 0x1_0002_0000, count: 4096)
    let bytes = Self.bytes(fields)
    #expect(transfer.bytes(format) == bytes && format.byteCount == bytes.count)
    #expect(DMATransfer(WireBytes(bytes + [9]), format) == transfer)
    #expect(DMATransfer(WireBytes(bytes.dropLast()), format) == nil)
  }

  @Test(
    "the reply to a read of 512 bytes shows the layout",
    arguments: [(528, .wide), (524, .narrow), (512, nil), (526, nil), (0, nil), (532, nil)]
      as [(Int, DMAFormat?)])
  func format(_ bytes: Int, _ format: DMAFormat?) {
    #expect(DMAFormat(replyOf: bytes, to: 512) == format)
  }

  @Test(
    "areas have 16 bytes each behind a header of 16",
    arguments: [
      ([], "0100 0100 00000000 00000000 00000000"),
      ([0x1000..<0x3000], "0100 0100 00000000 01000000 00000000 0010000000000000 0020000000000000"),
      (
        [0..<1, 0x1_0000_0000..<0x1_0000_1000],
        """
        0100 0100 00000000 02000000 00000000 0000000000000000 0100000000000000 0000000001000000 \
        0010000000000000
        """
      ),
    ] as [([Range<UInt64>], String)])
  func areas(_ areas: [Range<UInt64>], _ fields: String) {
    let sparse = SparseAreas(areas)
    var bytes: [UInt8] = []
    sparse.append(to: &bytes)
    #expect(bytes == Self.bytes(fields) && sparse.byteCount == bytes.count)
    #expect(SparseAreas(WireBytes([1, 2] + bytes), at: 2, limit: 2) == sparse)
    #expect(SparseAreas(WireBytes(bytes.dropLast()), at: 0, limit: 2) == nil)
    #expect(SparseAreas(WireBytes(bytes), at: 0, limit: areas.count - 1) == nil)
    bytes[0] = 2
    #expect(SparseAreas(WireBytes(bytes), at: 0, limit: 2) == nil, "another capability")
  }

  @Test("several writes have 24 bytes each behind their number")
  func writes() {
    #expect((0...2).map { RegionWrites.offset(ofWrite: $0) } == [8, 32, 56])
  }

  @Test(
    "the parts of an interrupt's flags are told apart",
    arguments: [
      (0x24, .events, .trigger, false), (0x22, .flags, .trigger, false),
      (0x11, InterruptSetting.Data.none, .unmask, false),
      (0x09, InterruptSetting.Data.none, .mask, false), (0x27, nil, .trigger, false),
      (0x34, .events, nil, false), (0, nil, nil, false), (0x64, .events, .trigger, true),
    ] as [(UInt32, InterruptSetting.Data?, InterruptSetting.Action?, Bool)])
  func flags(
    _ flags: UInt32, _ data: InterruptSetting.Data?, _ action: InterruptSetting.Action?,
    _ hasUnknown: Bool
  ) {
    var setting = InterruptSetting(.mask, .none, index: 0, start: 0, count: 0, following: 0)
    setting.flags = flags
    #expect(setting.data == data && setting.action == action)
    #expect(setting.hasUnknownFlags == hasUnknown)
  }
}
