// SPDX-License-Identifier: Apache-2.0
import NVMe
import Testing

/// Registers and their fields.
@Suite("Registers")
struct RegisterTests {
  @Test("the registers are at the offsets of the specification")
  func places() {
    let places = Register.all.prefix(9).map { "\($0.abbreviation ?? "?") \($0.offset)" }
    #expect(
      places == [
        "CAP 0", "VS 8", "INTMS 12", "INTMC 16", "CC 20", "CSTS 28", "NSSR 32", "AQA 36", "ASQ 40",
      ])
    #expect(Register.all.allSatisfy { $0.abbreviation != nil && $0.name != nil })
    #expect(Register.capabilities.byteCount == 8 && Register.status.byteCount == 4)
  }

  /// The value of both drivers with 1024 entries.
  @Test("CAP has queue entries, timeout and command sets")
  func capabilities() {
    let cap = ControllerCapabilities(rawValue: 0x0000_0820_0f01_03ff)
    #expect(cap[.maximumQueueEntries] == 1023)
    #expect(cap[.requiresContiguousQueues] && cap[.supportsNVMCommandSet])
    #expect(cap[.timeout] == 15)
    #expect(cap[.supportsIOCommandSets] && cap[.doorbellStride] == 0)
    #expect(cap[.minimumPageSize] == 0 && !cap[.supportsSubsystemReset])
  }

  @Test("CC is composed of its fields")
  func configuration() {
    var configuration = ControllerConfiguration()
    configuration[.enable] = true
    configuration[.submissionEntrySize] = 6
    configuration[.completionEntrySize] = 4
    configuration[.commandSet] = .all
    configuration[.shutdown] = .normal
    #expect(configuration.rawValue == 0x0046_4061)
    #expect(configuration.pageSize == 4096)
    configuration[.memoryPageSize] = 4
    #expect(configuration.pageSize == 65536)
  }

  @Test(
    "CSTS has ready, fatal and the shutdown status",
    arguments: [
      (UInt32(1), true, false, ShutdownStatus.normal), (2, false, true, .normal),
      (9, true, false, .complete), (5, true, false, .occurring),
    ])
  func status(value: UInt32, isReady: Bool, isFatal: Bool, shutdown: ShutdownStatus) {
    let status = ControllerStatus(rawValue: value)
    #expect(status[.ready] == isReady)
    #expect(status[.fatal] == isFatal)
    #expect(status[.shutdown] == shutdown)
  }

  @Test("a word describes itself by its fields")
  func description() {
    #expect("\(ControllerStatus(rawValue: 9))".hasPrefix("0x00000009: RDY 1, CFS 0, SHST 2"))
    #expect(Version(2, 1).text == "2.1.0" && Version(2, 1).rawValue == 0x0002_0100)
  }

  @Test(
    "the fields of a word neither overlap nor leave it",
    arguments: [
      (ControllerCapabilities.layout.map { ($0.shift, $0.width) }, 64),
      (ControllerConfiguration.layout.map { ($0.shift, $0.width) }, 32),
      (ControllerStatus.layout.map { ($0.shift, $0.width) }, 32),
      (AdminQueueAttributes.layout.map { ($0.shift, $0.width) }, 32),
      (AsyncEventConfiguration.layout.map { ($0.shift, $0.width) }, 32),
      (CommandEffects.layout.map { ($0.shift, $0.width) }, 32),
    ])
  func disjoint(fields: [(Int, Int)], width: Int) {
    var next = 0
    for (shift, bits) in fields {
      #expect(shift >= next)
      next = shift + bits
    }
    #expect(next <= width)
  }
}
