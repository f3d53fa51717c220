// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` §14 to §18: admin commands, Identify, features, log pages, events, Abort, Keep Alive.
@Suite struct MainlineAdminTests {
  static func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    MainlineRegisterTests.host(change)
  }

  struct Command: Sendable, CustomTestStringConvertible {
    var name: String
    var opcode: UInt8
    var flags: UInt8 = 0
    var namespace: UInt32 = 0
    var words: [UInt32] = []
    /// Whether PRP1 is a page; else it is 0.
    var hasData = false
    var status: UInt16
    var result: UInt64 = 0
    var testDescription: String { name }
  }

  // MARK: §14

  static let order: [Command] = [
    Command(name: "1: FUSE bits", opcode: 0x0a, flags: 1, words: [7], status: 0x6002),
    Command(name: "1 before 5: FUSE and PSDT", opcode: 6, flags: 0x41, words: [1], status: 0x6002),
    Command(name: "2: fabrics opcode", opcode: 0x7f, status: 0x6002),
    Command(name: "5: PSDT 01b", opcode: 6, flags: 0x40, words: [1], hasData: true, status: 0x4002),
    Command(name: "5: PSDT 10b", opcode: 6, flags: 0x80, words: [1], hasData: true, status: 0x4002),
    Command(name: "5: PSDT 11b", opcode: 6, flags: 0xc0, words: [1], hasData: true, status: 0x4002),
    Command(name: "5 before 7", opcode: 0x7e, flags: 0x40, status: 0x4002),
    Command(name: "7: opcode 7Eh", opcode: 0x7e, status: 0x6001),
    Command(name: "7: Firmware Commit", opcode: 0x10, status: 0x6001),
    Command(name: "7: Firmware Image Download", opcode: 0x11, status: 0x6001),
    Command(name: "7: Device Self-test", opcode: 0x14, status: 0x6001),
    Command(name: "7: Namespace Management", opcode: 0x0d, status: 0x6001),
    Command(name: "7: Namespace Attachment", opcode: 0x15, status: 0x6001),
    Command(name: "7: Directive Send", opcode: 0x19, status: 0x6001),
    Command(name: "7: Directive Receive", opcode: 0x1a, status: 0x6001),
    Command(name: "7: Doorbell Buffer Config", opcode: 0x7c, status: 0x6001),
    Command(name: "7: Format NVM", opcode: 0x80, status: 0x6001),
    Command(name: "7: Security Send", opcode: 0x81, status: 0x6001),
    Command(name: "7: Security Receive", opcode: 0x82, status: 0x6001),
    Command(name: "7: Sanitize", opcode: 0x84, status: 0x6001),
  ]

  // MARK: §16

  private static func get(
    _ feature: UInt32, _ word: UInt32 = 0, _ status: UInt16, _ result: UInt64 = 0
  )
    -> Command
  {
    Command(
      name: "Get \(String(feature, radix: 16))h, \(word)", opcode: 0x0a, words: [feature, word],
      status: status, result: result)
  }

  private static func set(_ feature: UInt32, _ word: UInt32, _ status: UInt16, _ result: UInt64 = 0)
    -> Command
  {
    Command(
      name: "Set \(String(feature, radix: 16))h, \(String(word, radix: 16))h", opcode: 9,
      words: [feature, word], status: status, result: result)
  }

  static let features: [Command] =
    [
      get(1, 0, 0, 3), get(6, 0, 0, 1), get(7, 0, 0, 0x0003_0003), get(8, 0, 0, 8),
      get(9, 5, 0x4002), get(0x0b, 0, 0, 0x900), get(0x0f, 0, 0, 0), get(0x82, 0, 0x4002),
      set(1, 2, 0), set(6, 1, 0x6002), set(7, 0x0007_0007, 0, 0x0003_0003),
      set(7, 0, 0, 0x0003_0003), set(7, 0xffff, 0x4002), set(7, 0xffff_0000, 0x4002),
      set(8, 3, 0), set(9, 5, 0x4002), set(0x0b, 0x100, 0, 0x100), set(0x0b, 0x91f, 0, 0x91f),
      set(0x0b, 0x80, 0x6002), set(0x0b, 0x200, 0x6002), set(0x82, 0, 0x4002), set(0x81, 0, 0x6002),
    ]
    + [2, 3, 4, 5, 0x0a, 0x0c, 0x0d, 0x10, 0x11, 0x12].flatMap {
      [get($0, 0, 0x6002), set($0, 0, 0x6002)]
    }

  static let more: [Command] = [
    Command(
      name: "SV and SEL do not count", opcode: 0x0a, words: [0x8000_0707], status: 0,
      result: 0x0003_0003),
    Command(
      name: "Get 81h with EXHID: 16 bytes", opcode: 0x0a, words: [0x81, 1], hasData: true, status: 0
    ),
    Command(
      name: "Get 81h without EXHID, Q2", opcode: 0x0a, words: [0x81, 0], hasData: true,
      status: 0x6002),
    Command(
      name: "Set 81h with EXHID, Q10", opcode: 9, words: [0x81, 1], hasData: true, status: 0x600f),
    Command(
      name: "Get 84h of a namespace", opcode: 0x0a, namespace: 1, words: [0x84], status: 0),
    Command(
      name: "Get 84h of one that is not there", opcode: 0x0a, namespace: 9, words: [0x84],
      status: 0x600b),
    Command(
      name: "Set 84h of one that is not there", opcode: 9, namespace: 9, words: [0x84, 1],
      status: 0x600b),
    // §18
    Command(
      name: "Abort: success, not aborted", opcode: 8, words: [0x0001_0001], status: 0, result: 1),
    Command(name: "Keep Alive without a timer", opcode: 0x18, status: 0x001a),
  ]

  @Test("§14, §16, §18: admin commands and their answers", arguments: order + features + more)
  func command(_ row: Command) {
    let host = Self.host()
    let page = row.hasData ? host.page(2) : 0
    let completion = host.run(
      .init(
        opcode: row.opcode, flags: row.flags, namespace: row.namespace, prp1: page,
        words: row.words))
    #expect(completion?.status == row.status)
    #expect(completion?.result == row.result)
    if row.status != 0 {
      let opcode = String(row.opcode, radix: 16)
      let status = String(row.status, radix: 16)
      #expect(
        host.log.last == "CQ[0]: Command Admin Cmd (0x\(opcode)) status 0x\(status)",
        "\(host.log)")
    }
  }

  static let effects: [Row] = [
    Row("Q15: arbitration keeps two bits, 7 becomes 3; as the spec it stays") {
      for isCut in [true, false] {
        let host = Self.host { if !isCut { $0.quirks.remove(.burstAndThresholdCut) } }
        #expect(host.status(of: .init(opcode: 9, words: [1, 7])) == 0)
        #expect(host.run(.init(opcode: 0x0a, words: [1]))?.result == (isCut ? 3 : 7))
      }
    },
    Row("Q15: THR reads as one more; as the spec as it was set") {
      for isOff in [true, false] {
        let host = Self.host { if !isOff { $0.quirks.remove(.burstAndThresholdCut) } }
        #expect(host.status(of: .init(opcode: 9, words: [8, 3])) == 0)
        #expect(host.run(.init(opcode: 0x0a, words: [8]))?.result == (isOff ? 4 : 3))
      }
    },
    Row("THR FFh becomes 256 and reads as 0") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 9, words: [8, 0xff])) == 0)
      #expect(host.run(.init(opcode: 0x0a, words: [8]))?.result == 0)
    },
    Row("09h: CD and the vector of a live queue") {
      let host = Self.host()
      #expect(host.makeQueues())
      #expect(host.run(.init(opcode: 0x0a, words: [9, 1]))?.result == 1)
      #expect(host.status(of: .init(opcode: 9, words: [9, 1 << 16 | 1])) == 0)
      #expect(host.run(.init(opcode: 0x0a, words: [9, 1]))?.result == 1 << 16 | 1)
    },
    Row("0Bh reads as it was set") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 9, words: [0x0b, 0x800])) == 0)
      #expect(host.run(.init(opcode: 0x0a, words: [0x0b]))?.result == 0x800)
    },
    Row("0Fh: seconds rounded up are the result, and Q5 is diagnosed") {
      let host = Self.host()
      #expect(host.run(.init(opcode: 9, words: [0x0f, 4001]))?.result == 5)
      #expect(host.diagnoses.map(\.row) == ["nvmet_pci_epf Q5"])
    },
    Row("84h: 1 protects, 0 frees, others change nothing") {
      let host = Self.host()
      #expect(host.makeQueues())
      let write = Host.Entry(opcode: 1, namespace: 1, prp1: host.page(), words: [0, 0, 0])
      for (value, status) in [(1, 0x2020), (5, 0x2020), (0, 0)] as [(UInt32, UInt16)] {
        #expect(host.status(of: .init(opcode: 9, namespace: 1, words: [0x84, value])) == 0)
        #expect(host.status(of: write, on: 1) == status, "\(value)")
        let isProtected: UInt64 = status == 0 ? 0 : 1
        #expect(host.run(.init(opcode: 0x0a, namespace: 1, words: [0x84]))?.result == isProtected)
      }
    },
    Row("84h: reads and flushes of a protected namespace are served") {
      let host = Self.host()
      #expect(host.makeQueues())
      #expect(host.status(of: .init(opcode: 9, namespace: 1, words: [0x84, 1])) == 0)
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      #expect(
        host.status(
          of: .init(opcode: 2, namespace: 1, prp1: host.page(), words: [0, 0, 0]), on: 1) == 0)
    },
    Row("84h: sends an event") {
      let host = Self.host()
      host.submit(.init(opcode: 0x0c))
      host.pass(20)
      host.submit(.init(opcode: 9, namespace: 1, words: [0x84, 1]))
      var results: Set<UInt64> = []
      while let (_, end) = host.reap() { results.insert(end.result) }
      #expect(results.contains(0x0004_0002))
    },
    Row("81h: sixteen zeroes") {
      let host = Self.host()
      let page = host.page()
      host.fill(page, [UInt8](repeating: 7, count: 32))
      #expect(host.status(of: .init(opcode: 0x0a, prp1: page, words: [0x81, 1])) == 0)
      #expect(
        host.bytes(at: page, 17) == [UInt8](repeating: 0, count: 16) + [7])
    },
  ]

  @Test("§16: what features do", arguments: effects)
  func feature(_ row: Row) throws { try row.check() }

  // MARK: §17

  struct Log: Sendable, CustomTestStringConvertible {
    var page: UInt32
    var bytes: UInt32
    var status: UInt16
    var namespace: UInt32 = .max
    var specific: UInt32 = 0
    var testDescription: String {
      "\(String(page, radix: 16))h, \(bytes) bytes: \(String(status, radix: 16))h"
    }
  }

  static let logs: [Log] = [
    Log(page: 0, bytes: 1024, status: 0), Log(page: 0, bytes: 512, status: 0x600f),
    Log(page: 1, bytes: 64, status: 0), Log(page: 1, bytes: 8192, status: 0),
    Log(page: 2, bytes: 512, status: 0), Log(page: 2, bytes: 256, status: 0x0006),
    Log(page: 2, bytes: 1024, status: 0x0006), Log(page: 2, bytes: 512, status: 0, namespace: 1),
    Log(page: 3, bytes: 512, status: 0), Log(page: 3, bytes: 64, status: 0),
    Log(page: 4, bytes: 4096, status: 0), Log(page: 4, bytes: 512, status: 0x0006),
    Log(page: 5, bytes: 4096, status: 0), Log(page: 5, bytes: 512, status: 0x600f),
    Log(page: 9, bytes: 512, status: 0, specific: 1),
    Log(page: 9, bytes: 256, status: 0x600f, specific: 1),
    Log(page: 0x0c, bytes: 512, status: 0), Log(page: 0x12, bytes: 1024, status: 0),
    Log(page: 0x12, bytes: 512, status: 0x600f),
    Log(page: 0x16, bytes: 512, status: 0x4002, specific: 1),
    Log(page: 0x06, bytes: 512, status: 0x6002), Log(page: 0x70, bytes: 512, status: 0x6002),
  ]

  @Test("§17: log pages by length", arguments: logs)
  func log(_ row: Log) {
    let host = Self.host()
    let entry = Host.Entry(
      opcode: 2, namespace: row.namespace, prp1: host.page(), prp2: host.page(),
      words: [(row.bytes / 4 - 1) << 16 | row.page, row.specific << 16])
    #expect(host.status(of: entry) == row.status)
    #expect(host.diagnoses.contains { $0.row == "nvmet_pci_epf Q2" } == (row.status != 0))
  }

  @Test("§17: Q2 as the spec is no hang", arguments: [UInt32(0x70)])
  func noHang(_ page: UInt32) {
    let host = Self.host { $0.quirks.remove(.failedReadHangs) }
    _ = host.run(.init(opcode: 2, prp1: host.page(), words: [127 << 16 | page]))
    #expect(host.diagnoses.isEmpty)
  }

  private static func page(_ host: Host, _ log: UInt32, _ bytes: Int) -> [UInt8] {
    let page = host.page(2)
    let entry = Host.Entry(
      opcode: 2, namespace: .max, prp1: page, prp2: page + 4096,
      words: [UInt32(bytes / 4 - 1) << 16 | log])
    #expect(host.status(of: entry) == 0)
    return host.bytes(at: page, bytes)
  }

  static let contents: [Row] = [
    Row("00h: the pages that there are") {
      let bytes = Self.page(Self.host(), 0, 1024)
      let found = (0..<256).filter { bytes[4 * $0] == 1 }
      #expect(found == [0, 1, 2, 3, 4, 5, 9, 0x0c, 0x12, 0x16, 0x80])
    },
    Row("03h: zeroes") {
      #expect(Self.page(Self.host(), 3, 512).allSatisfy { $0 == 0 })
    },
    Row("05h: admin commands") {
      let bytes = Self.page(Self.host(), 5, 4096)
      let found = (0..<256).filter { bytes[4 * $0] == 1 }
      #expect(found == [0, 1, 2, 4, 5, 6, 8, 9, 0x0a, 0x0c, 0x18])
    },
    Row("05h: I/O commands") {
      let bytes = Self.page(Self.host(), 5, 4096)
      let found = (0..<256).map { bytes[1024 + 4 * $0] }
      let wanted: [Int: UInt8] = [0: 1, 1: 3, 2: 1, 8: 3, 9: 1, 0x0d: 1, 0x0e: 1, 0x11: 1, 0x15: 1]
      #expect(found == (0..<256).map { wanted[$0, default: 0] })
    },
    Row("12h: the features that there are") {
      let bytes = Self.page(Self.host(), 0x12, 1024)
      func value(_ feature: Int) -> [UInt8] { Array(bytes[4 * feature..<4 * feature + 4]) }
      for feature in [7, 0x0b, 0x0f, 0x81] { #expect(value(feature) == [1, 0, 0x20, 0]) }
      for feature in [0x82, 0x84] { #expect(value(feature) == [1, 0, 0x10, 0]) }
    },
    Row("0Ch: one group, optimised, with the namespaces in it") {
      let bytes = Self.page(Self.host(), 0x0c, 512)
      #expect(Array(bytes[8..<10]) == [1, 0])
      #expect(Array(bytes[16..<24]) == [1, 0, 0, 0, 1, 0, 0, 0])
      #expect(bytes[32] == 1)
      #expect(Array(bytes[48..<52]) == [1, 0, 0, 0])
    },
    Row("0Ch: RGO leaves the namespaces out") {
      let bytes = Self.page(Self.host(), 0x10c, 512)
      #expect(Array(bytes[20..<24]) == [0, 0, 0, 0])
    },
    Row("LPO does not count: a page begins at its beginning") {
      let host = Self.host()
      let place = host.page()
      let entry = Host.Entry(
        opcode: 2, prp1: place, words: [0x03ff_0005, 0, 1024])
      #expect(host.status(of: entry) == 0)
      #expect(host.bytes(at: place, 4) == [1, 0, 0, 0])
    },
  ]

  @Test("§17: what log pages hold", arguments: contents)
  func content(_ row: Row) throws { try row.check() }

  // MARK: §18

  @Test("§18: four event requests wait, the fifth is one too many")
  func eventLimit() {
    let host = Self.host()
    for _ in 0..<4 { host.submit(.init(opcode: 0x0c)) }
    host.pass(20)
    let before = host.log
    #expect(host.status(of: .init(opcode: 0x0c)) == 0x4105)
    #expect(host.log == before, "event requests are not logged")
  }
}
