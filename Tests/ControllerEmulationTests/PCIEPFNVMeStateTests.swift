// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `pci_epf_nvme`: what the register poll decides, enable, disable, and how long they take (pci_epf_nvme.md, 10).
@Suite struct PCIEPFNVMeStateTests {
  static func host(
    enabled: Bool, _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> Host {
    let host = PCIEPFNVMeRegisterTests.host(change)
    if enabled { host.enable() }
    host.drain()
    return host
  }

  struct Tick: Sendable, CustomTestStringConvertible {
    var old: UInt32
    var new: UInt32
    var status: UInt32
    var configuration: UInt32
    var line: String?
    var testDescription: String {
      "CC \(String(old, radix: 16)) to \(String(new, radix: 16)): CSTS \(status)"
    }
  }

  static let ticks: [Tick] = [
    // old EN, new EN, bit 14
    Tick(old: 0x0046_0000, new: 0x0046_0010, status: 0, configuration: 0x0046_0010),
    Tick(old: 0x0046_0000, new: 0x0046_4000, status: 0, configuration: 0x0046_4000),
    Tick(
      old: 0x0046_0000, new: 0x0046_0001, status: 1, configuration: 0x0046_0001,
      line: "Enabling controller"),
    Tick(old: 0x0046_0001, new: 0x0046_0011, status: 1, configuration: 0x0046_0011),
    Tick(old: 0x0046_0001, new: 0x0046_8001, status: 1, configuration: 0x0046_8001),
    Tick(
      old: 0x0046_0001, new: 0x0046_4001, status: 8, configuration: 0x0046_0000,
      line: "Disabling controller"),
    Tick(
      old: 0x0046_0001, new: 0x0046_c001, status: 8, configuration: 0x0046_8000,
      line: "Disabling controller"),
    Tick(
      old: 0x0046_0001, new: 0x0046_0000, status: 0, configuration: 0x0046_0000,
      line: "Disabling controller"),
    Tick(
      old: 0x0046_0001, new: 0x0046_4000, status: 8, configuration: 0x0046_0000,
      line: "Disabling controller"),
  ]

  // pci_epf_nvme.md, 10.1
  @Test("a poll of CC acts on the change from the old to the new value", arguments: ticks)
  func tick(_ row: Tick) {
    let host = Self.host(enabled: row.old & 1 == 1)
    host.write(0x14, row.old)
    host.pass(6)
    let before = host.log.count
    host.write(0x14, row.new)
    host.pass(5)
    #expect(host.status == row.status)
    #expect(host.read(0x14) == row.configuration)
    #expect(host.log.dropFirst(before) == (row.line.map { [$0] } ?? [])[...])
  }

  // pci_epf_nvme.md, 10.1
  @Test("EN and SHN set together: enabled at one tick, shut down at the next")
  func enableAndShutDown() {
    let host = Self.host(enabled: false)
    host.enable(configuration: 0x0046_4001)
    host.pass(6)
    #expect(host.log.suffix(2) == ["Enabling controller", "Disabling controller"])
    #expect(host.status == 8)
  }

  // pci_epf_nvme.md, 10.1
  @Test("a toggle of EN between two ticks is not detected", arguments: [true, false])
  func toggle(_ isEnabled: Bool) {
    let host = Self.host(enabled: isEnabled)
    let before = host.log
    host.write(0x14, isEnabled ? 0x0046_0000 : 0x0046_0001)
    host.write(0x14, isEnabled ? 0x0046_0001 : 0x0046_0000)
    host.pass(20)
    #expect(host.log == before)
    #expect(host.status == (isEnabled ? 1 : 0))
  }

  static let states: [Row] = [
    Row("UNPOLLED: with a link notifier nothing is seen before link_up") {
      var model = documentedModel(.pciEPFNVMe)
      model.hasLinkUpNotifier = true
      let host = Host(model)
      host.write(0x14, 0x0046_0001)
      host.pass(100)
      #expect(host.status == 0)
      #expect(host.log == [])
    },
    Row("UNPOLLED: without a notifier the poll has begun") {
      let host = Host(
        {
          var model = documentedModel(.pciEPFNVMe)
          model.hasLinkUpNotifier = false
          return model
        }())
      host.write(0x14, 0x0046_0001)
      host.pass(10)
      #expect(host.status == 1)
    },
    Row("UNPOLLED again after link_down") {
      let host = Self.host(enabled: true)
      host.controller.linkDown(at: host.controller.now)
      host.write(0x14, 0x0046_0001)
      host.pass(100)
      #expect(host.status == 0)
    },
    Row("DISABLED: CSTS 0, or 8 after a shutdown") {
      let host = Self.host(enabled: true)
      #expect(host.status == 1)
      host.write(0x14, 0x0046_4001)
      host.pass(6)
      #expect(host.status == 8)
    },
    // pci_epf_nvme.md#shutdown-status-sticks
    Row("ENABLED: 9 after an earlier shutdown; as the spec 1") {
      for isSticky in [true, false] {
        let host = Self.host(enabled: true) {
          if !isSticky { $0.quirks.remove(.shutdownStatusSticks) }
        }
        host.write(0x14, 0x0046_4001)
        host.pass(6)
        host.write(0x14, 0x0046_0001)
        host.pass(6)
        #expect(host.status == (isSticky ? 9 : 1))
      }
    },
    Row("ENABLE_FAILED: left when the host clears EN, without a write or a line") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 0x0000_0001)
      let before = host.log
      host.write(0x14, 0x0046_0010)
      host.pass(20)
      #expect(host.log == before)
      #expect(host.status == 0)
      #expect(host.read(0x14) == 0x0046_0010)
      host.enable()
      #expect(host.status == 1)
    },
    // pci_epf_nvme.md#failed-enable-is-silent
    Row("ENABLE_FAILED: as the spec CFS is set") {
      let host = Self.host(enabled: false) { $0.quirks.remove(.failedEnableIsSilent) }
      host.enable(configuration: 0x0000_0001)
      #expect(host.status & 2 == 2)
    },
  ]

  // pci_epf_nvme.md, 10.2
  @Test("states", arguments: states)
  func state(_ row: Row) throws { try row.check() }

  static let enabling: [Row] = [
    Row("1: the log says so") {
      #expect(Self.host(enabled: true).log.last == "Enabling controller")
    },
    Row("2: MDTS is mdts_kb in bytes") {
      for (bytes, field) in [(64 << 10, UInt8(4)), (128 << 10, 5), (1 << 20, 8)] {
        #expect(Self.host(enabled: true) { $0.maximumTransfer = bytes }.identify(1).1[77] == field)
      }
    },
    Row("3: pages of 8 KiB are taken") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 0x0046_0081)
      #expect(host.status == 1)
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    },
    Row("4: I/O submission entries below 64 bytes stop it") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 0x0045_0001)
      #expect(host.status == 0)
      #expect(host.log.last == "Unsupported IO sqes 32 (need 64)")
    },
    Row("4: larger submission entries are taken") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 0x0047_0001)
      #expect(host.status == 1)
    },
    Row("5: I/O completion entries below 16 bytes stop it, and the size printed is the other's") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 0x0036_0001)
      #expect(host.status == 0)
      #expect(host.log.last == "Unsupported IO cqes 64 (need 16)")
    },
    Row("6: CSS and AMS are not looked at") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 0x0046_3871)
      #expect(host.status == 1)
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    },
    Row("8: the admin queue interrupts on vector 0") {
      let host = Self.host(enabled: true)
      host.forgetInterrupts()
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
      #expect(host.interrupts == [0])
    },
    Row("10: RDY is written") { #expect(Self.host(enabled: true).status == 1) },
    Row("a bad ASQ shows at the first fetch only") {
      let host = Self.host(enabled: false) {
        $0.usesDMA = false
        $0.windows = OutboundWindows(count: 8, size: 1 << 20, alignment: 4096)
      }
      host.write(0x24, 0x001f_001f)
      host.write(0x28, 0xffff_0000)
      host.write(0x2c, 0x7fff)
      host.write(0x14, 0x0046_0001)
      host.pass(12)
      #expect(host.status == 1)
      host.write(0x1000, 1)
      host.pass(50)
      #expect(host.status == 1)
    },
  ]

  // pci_epf_nvme.md, 10.3
  @Test("enable, step by step", arguments: enabling)
  func enable(_ row: Row) throws { try row.check() }

  // pci_epf_nvme.md, 10.3; pci_epf_nvme.md#failed-enable-is-silent
  @Test(
    "a failed enable shows neither RDY nor CFS",
    arguments: [
      (0x0040_0001, "Unsupported IO sqes 1 (need 64)"),
      (0x0006_0001, "Unsupported IO cqes 64 (need 16)"),
    ] as [(UInt32, String)])
  func failedEnable(_ configuration: UInt32, _ line: String) {
    let host = Self.host(enabled: false)
    host.enable(configuration: configuration)
    host.pass(100)
    #expect(host.status == 0)
    #expect(host.read(0x14) == configuration)
    #expect(host.log.last == line)
  }

  static let disabling: [Row] = [
    Row("1: the same line for reset, shutdown and link down") {
      for way in 0..<3 {
        let host = Self.host(enabled: true)
        switch way {
        case 0: host.write(0x14, 0x0046_0000)
        case 1: host.write(0x14, 0x0046_4001)
        default: host.controller.linkDown(at: host.controller.now)
        }
        host.pass(6)
        #expect(host.log.contains("Disabling controller"))
      }
    },
    Row("1: link down of a disabled controller says nothing of it") {
      let host = Self.host(enabled: false)
      host.controller.linkDown(at: host.controller.now)
      host.drain()
      #expect(!host.log.contains("Disabling controller"))
    },
    Row("2: the queues are gone") {
      let host = Self.host(enabled: true)
      #expect(host.makeQueues())
      host.write(0x14, 0x0046_0000)
      host.pass(6)
      host.enable()
      #expect(host.status(of: .init(opcode: 0, words: [1])) == 0x4101)
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0x4101)
    },
    Row("3, 4: reset clears RDY and leaves SHST; shutdown shows it complete") {
      let host = Self.host(enabled: true)
      host.write(0x14, 0x0046_0000)
      host.pass(6)
      #expect(host.status == 0)
    },
    Row("5, 6: CSTS and CC are written") {
      let host = Self.host(enabled: true)
      host.write(0x14, 0x0046_4071)
      host.pass(6)
      #expect(host.status == 8)
      #expect(host.read(0x14) == 0x0046_0070)
    },
    Row("reset: commands that have been fetched end without a completion") {
      let host = Self.host(enabled: true)
      let before = host.controller.now
      host.submit(.init(opcode: 0x0a, words: [7]))
      host.write(0x14, 0x0046_0000)
      host.controller.advance(to: before + .init(20))
      host.drain()
      #expect(host.reap() == nil)
    },
    Row("nothing happens when it is not enabled") {
      let host = Self.host(enabled: false)
      let before = host.log
      host.write(0x14, 0x0046_4000)
      host.pass(20)
      #expect(host.log == before)
    },
  ]

  // pci_epf_nvme.md, 10.4
  @Test("disable, step by step", arguments: disabling)
  func disable(_ row: Row) throws { try row.check() }

  static let timing: [Row] = [
    Row("EN 0 to 1: RDY within 5 ms") {
      let host = Self.host(enabled: false)
      host.write(0x24, 0x001f_001f)
      host.write(0x28, 0x8000)
      host.write(0x30, 0x9000)
      host.write(0x14, 0x0046_0001)
      #expect(host.status == 0, "not at once: the register is polled")
      host.pass(5)
      #expect(host.status == 1)
    },
    Row("first admin command: within 5 ms after RDY") {
      let host = Self.host(enabled: true)
      host.submit(.init(opcode: 0x0a, words: [7]))
      host.forgetInterrupts()
      host.pass(5)
      #expect(host.interrupts == [0])
    },
    Row("EN 1 to 0: RDY goes within 5 ms") {
      let host = Self.host(enabled: true)
      host.write(0x14, 0x0046_0000)
      #expect(host.status == 1)
      host.pass(5)
      #expect(host.status == 0)
    },
    Row("SHN = 01b: CSTS 8 and CC cleared within 5 ms") {
      let host = Self.host(enabled: true)
      host.write(0x14, 0x0046_4001)
      #expect(host.status == 1)
      host.pass(5)
      #expect(host.status == 8)
      #expect(host.read(0x14) == 0x0046_0000)
    },
    Row("an idle minute costs nothing and changes nothing") {
      let host = Self.host(enabled: true)
      let before = host.controller.now
      host.pass(600_000)
      #expect(host.controller.now > before)
      #expect(host.status == 1)
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    },
  ]

  // pci_epf_nvme.md, 10.5
  @Test("a change of state takes this long", arguments: timing)
  func time(_ row: Row) throws { try row.check() }

  // pci_epf_nvme.md, 10.1; pci_epf_nvme.md#abrupt-shutdown-ignored
  @Test(
    "an abrupt shutdown is ignored until EN goes; as the spec it is done",
    arguments: [true, false])
  func abruptShutdown(_ ignores: Bool) {
    let host = Self.host(enabled: true) { if !ignores { $0.quirks.remove(.abruptShutdownIgnored) } }
    host.write(0x14, 0x0046_8001)
    host.pass(20)
    #expect(host.status == (ignores ? 1 : 8))
  }
}
