// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import NVMe
import PCI
import Testing

/// `pci_epf_nvme`: submission queues, opcodes, the order of checks, completions, interrupts (pci_epf_nvme.md, 12).
@Suite struct PCIEPFNVMeIOTests {
  static func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    let host = PCIEPFNVMeStateTests.host(enabled: true, change)
    #expect(host.makeQueues())
    return host
  }

  // MARK: The target's access states

  // pci_epf_nvme.md, 11.4, 12.2; nvmet.md, 11
  @Test(
    "the target refuses I/O while a namespace's ANA group is inaccessible, and the driver logs it",
    arguments: [
      (.optimized, 0, 131_072), (.nonOptimized, 0, 131_072), (.inaccessible, 0x2302, 0),
      (.persistentLoss, 0x2301, 0), (.change, 0x2303, 131_072),
    ] as [(NamespaceAccessState, UInt16, UInt64)])
  func access(_ state: NamespaceAccessState, _ status: UInt16, _ blocks: UInt64) {
    let host = Self.host { $0.namespaces[0].accessState = state }
    for opcode: UInt8 in [0, 1, 2, 8] {
      let found = host.status(
        of: .init(opcode: opcode, namespace: 1, prp1: host.page(), words: [0, 0, 0]), on: 1)
      #expect(found == status, "opcode \(opcode)")
    }
    // The driver does not send this one to the target.
    #expect(host.status(of: .init(opcode: 9, namespace: 1, prp1: host.page()), on: 1) == 0)
    let lines = host.log.filter { $0.contains("submit command I/O Cmd") }
    #expect(lines.count == (status == 0 ? 0 : 4), "\(lines)")
    #expect(
      lines.allSatisfy { $0.hasSuffix("failed, status 0x\(String(status, radix: 16))") })
    #expect(host.identify(0, namespace: 1).1.number(16, 8) == blocks)
    #expect(host.logPage(0x0c, bytes: 64).1[32] == state.rawValue)
  }

  // MARK: pci_epf_nvme.md, 12.1

  static let submission: [Row] = [
    Row("a tail equal to the head: nothing new") {
      let host = Self.host()
      host.ring(1)
      host.pass(50)
      #expect(host.reap(1) == nil)
    },
    Row("everything fetched is processed, in one look") {
      let host = Self.host()
      for _ in 0..<20 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
      host.ring(1)
      for _ in 0..<20 { #expect(host.reap(1)?.1.status == 0) }
    },
    Row("the head goes round with the depth") {
      let host = PCIEPFNVMeStateTests.host(enabled: true)
      #expect(host.makeQueues(depth: 4))
      for _ in 0..<50 { #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0) }
    },
    Row("admin: the next look comes within 5 ms") {
      let host = Self.host()
      host.pass(20)
      host.forgetInterrupts()
      host.submit(.init(opcode: 0x0a, words: [7]))
      host.pass(5)
      #expect(host.interrupts == [0])
    },
    Row("I/O: the next look comes within two jiffies") {
      let host = Self.host()
      host.pass(20)
      host.forgetInterrupts()
      host.submit(.init(opcode: 0, namespace: 1), to: 1)
      host.pass(8)
      #expect(host.interrupts == [1])
    },
    Row("entries at a stride of 2^IOSQES") {
      let host = PCIEPFNVMeStateTests.host(enabled: false)
      host.enable(configuration: 0x0047_0001)
      #expect(host.createCompletionQueue(1) == 0)
      #expect(host.createSubmissionQueue(1, on: 1) == 0)
      // The host's second entry of 64 bytes is where the controller's first ends.
      host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      host.submitSilently(.init(opcode: 0x7e, namespace: 1), to: 1)
      host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      host.write(0x1008, 2)
      #expect(host.reap(1)?.1.status == 0)
      #expect(host.reap(1)?.1.status == 0, "the entry between is not looked at")
    },
    // pci_epf_nvme.md#lost-completions
    Row("a tail beyond the queue is diagnosed") {
      let host = Self.host()
      host.write(0x1008, 64)
      host.pass(50)
      #expect(Set(host.diagnoses.map(\.fault)) == ["pci_epf_nvme: tail doorbell"])
    },
    Row("a queue that cannot be mapped is given up for this round, and tried again") {
      let host = PCIEPFNVMeStateTests.host(enabled: true)
      let place = UInt64(0x7fff_ffff_0000)
      #expect(host.createCompletionQueue(1) == 0)
      #expect(
        host.status(
          of: .init(opcode: 1, prp1: place, words: [0x001f_0001, 0x0001_0001])) == 0)
      host.write(0x1008, 1)
      host.pass(50)
      #expect(host.status == 1)
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0, "the admin queue goes on")
    },
  ]

  // pci_epf_nvme.md, 12.1
  @Test("submission queue work", arguments: submission)
  func submit(_ row: Row) throws { try row.check() }

  // MARK: pci_epf_nvme.md, 12.2

  // pci_epf_nvme.md, 12.2
  @Test(
    "I/O opcodes",
    arguments: [
      ("00h Flush", 0x00, 0), ("01h Write", 0x01, 0), ("02h Read", 0x02, 0),
      ("08h Write Zeroes", 0x08, 0), ("09h Dataset Management", 0x09, 0),
      ("04h Write Uncorrectable", 0x04, 0x4001), ("05h Compare", 0x05, 0x4001),
      ("0Ch Verify", 0x0c, 0x4001), ("0Dh Reservation Register", 0x0d, 0x4001),
      ("0Eh Reservation Report", 0x0e, 0x4001), ("11h Reservation Acquire", 0x11, 0x4001),
      ("15h Reservation Release", 0x15, 0x4001), ("19h Copy", 0x19, 0x4001),
      ("79h Zone Management Send", 0x79, 0x4001), ("7Ah Zone Management Receive", 0x7a, 0x4001),
      ("7Dh Zone Append", 0x7d, 0x4001), ("C0h, a vendor's", 0xc0, 0x4001),
    ] as [(String, UInt8, UInt16)])
  func opcode(_ name: String, _ opcode: UInt8, _ status: UInt16) {
    let host = Self.host()
    let entry = Host.Entry(opcode: opcode, namespace: 1, prp1: host.page(), words: [0, 0, 0])
    #expect(host.status(of: entry, on: 1) == status)
    let digits = (opcode < 16 ? "0" : "") + String(opcode, radix: 16)
    #expect(
      (host.log.last == "Unhandled IO command I/O Cmd (0x\(digits))") == (status == 0x4001))
  }

  // pci_epf_nvme.md, 12.2
  @Test(
    "a namespace that is not there: Invalid Namespace, without a line",
    arguments: [0, 2, 9, 0xffff_ffff] as [UInt32], [0, 1, 2, 8, 9, 5] as [UInt8])
  func namespace(_ id: UInt32, _ opcode: UInt8) {
    let host = Self.host()
    let before = host.log
    #expect(host.status(of: .init(opcode: opcode, namespace: id), on: 1) == 0x400b)
    #expect(host.log == before)
  }

  // pci_epf_nvme.md, 12.2
  @Test("fused bits, protection information and the metadata pointer do not count")
  func ignoredFields() {
    let host = Self.host()
    let page = host.page()
    let entry = Host.Entry(
      opcode: 2, flags: 1, namespace: 1, prp1: page, words: [0, 0, 0x3c00_0000])
    #expect(host.status(of: entry, on: 1) == 0)
  }

  // pci_epf_nvme.md, 12.2; pci_epf_nvme.md#deallocate-ignored
  @Test(
    "deallocation is a success that does nothing; as the spec it is done",
    arguments: [true, false])
  func deallocate(_ ignores: Bool) {
    let host = Self.host { if !ignores { $0.quirks.remove(.deallocateIgnored) } }
    let page = host.page()
    host.fill(page, [UInt8](repeating: 7, count: 512))
    #expect(
      host.status(of: .init(opcode: 1, namespace: 1, prp1: page, words: [0, 0, 0]), on: 1) == 0)
    let ranges = host.page()
    host.fill(ranges, [0, 0, 0, 0, 1, 0, 0, 0])
    #expect(
      host.status(of: .init(opcode: 9, namespace: 1, prp1: ranges, words: [0, 4]), on: 1) == 0)
    #expect(
      host.status(of: .init(opcode: 2, namespace: 1, prp1: page, words: [0, 0, 0]), on: 1) == 0)
    #expect(host.bytes(at: page, 512).allSatisfy { $0 == (ignores ? 7 : 0) })
  }

  // MARK: pci_epf_nvme.md, 12.3

  static let checks: [Row] = [
    Row("1: length above MDTS, before anything of the pointers") {
      let host = Self.host()
      #expect(
        host.status(of: .init(opcode: 2, namespace: 1, prp1: 2, words: [0, 0, 256]), on: 1)
          == 0x4002)
    },
    Row("1: commands without data have no such limit") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 8, namespace: 1, words: [0, 0, 0xffff]), on: 1) == 0)
    },
    Row("2: PSDT bits of a data command") {
      for flags in [0x40, 0x80, 0xc0] as [UInt8] {
        let host = Self.host()
        #expect(
          host.status(
            of: .init(opcode: 2, flags: flags, namespace: 1, prp1: host.page(), words: [0, 0, 0]),
            on: 1) == 0x4002)
      }
    },
    Row("2: PSDT bits of a command without data are cleared") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 0, flags: 0x40, namespace: 1), on: 1) == 0)
    },
    Row("2 before 3") {
      let host = Self.host()
      #expect(
        host.status(
          of: .init(opcode: 2, flags: 0x40, namespace: 1, prp1: 2, words: [0, 0, 0]), on: 1)
          == 0x4002)
    },
    Row("3: PRP1 not a multiple of four") {
      for offset in 1...3 as ClosedRange<UInt64> {
        let host = Self.host()
        #expect(
          host.status(
            of: .init(opcode: 2, namespace: 1, prp1: host.page() + offset, words: [0, 0, 0]),
            on: 1) == 0x4013)
      }
    },
    Row("6: Write from where there is no memory") {
      let host = Self.host()
      #expect(
        host.status(
          of: .init(opcode: 1, namespace: 1, prp1: 0x7fff_ffff_0000, words: [0, 0, 0]), on: 1)
          == 0x4004)
    },
    Row("7, 8: a read and a write beyond the end: the target's status, with a line, no data") {
      for opcode in [1, 2] as [UInt8] {
        let host = Self.host()
        let page = host.page()
        host.fill(page, [9])
        let entry = Host.Entry(opcode: opcode, namespace: 1, prp1: page, words: [131_072, 0, 0])
        #expect(host.status(of: entry, on: 1) == 0x6006)
        #expect(
          host.log.last
            == "QID 1: submit command I/O Cmd (0x\(opcode)) failed, status 0x6006")
        #expect(host.bytes(at: page, 1) == [9])
      }
    },
    Row("10: Read to where there is no memory") {
      let host = Self.host()
      #expect(
        host.status(
          of: .init(opcode: 2, namespace: 1, prp1: 0x7fff_ffff_0000, words: [0, 0, 0]), on: 1)
          == 0x4004)
    },
  ]

  // pci_epf_nvme.md, 12.3
  @Test("the order of checks", arguments: checks)
  func check(_ row: Row) throws { try row.check() }

  // pci_epf_nvme.md#loop-carries-less-than-mebibyte
  @Test(
    "a command of exactly 1 MiB fails on a loop target; without the quirk it does not",
    arguments: [true, false], [true, false])
  func mebibyte(_ isOn: Bool, _ isLoop: Bool) {
    let host = Self.host {
      $0.maximumTransfer = 1 << 20
      $0.usesLoop = isLoop
      if !isOn { $0.quirks.remove(.loopCarriesLessThanMebibyte) }
    }
    let pages = host.page(256)
    let list = host.page()
    for index in 1..<256 {
      try? host.memory.store(pages + UInt64(4096 * index), at: list + UInt64(8 * (index - 1)))
    }
    func read(_ blocks: UInt32) -> UInt16? {
      host.status(
        of: .init(opcode: 2, namespace: 1, prp1: pages, prp2: list, words: [0, 0, blocks - 1]),
        on: 1)
    }
    #expect(read(2048) == (isOn && isLoop ? 0x4006 : 0))
    #expect(read(2040) == 0)
  }

  // MARK: pci_epf_nvme.md, 12.6

  static let completions: [Row] = [
    Row("not ready any more: nothing is posted") {
      let host = Self.host()
      host.pass(20)
      host.write(0x14, 0x0046_0000)
      host.pass(5)
      host.submit(.init(opcode: 0, namespace: 1), to: 1)
      host.pass(20)
      #expect(host.reap(1) == nil)
    },
    Row("the phase toggles at the end of the queue") {
      let host = PCIEPFNVMeStateTests.host(enabled: true)
      #expect(host.makeQueues(depth: 3))
      for _ in 0..<20 { #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0) }
    },
    Row("SQHD is the head, SQID the queue, CID the command's") {
      let host = Self.host()
      for index in 1...5 as ClosedRange<UInt16> {
        let id = host.submit(.init(opcode: 0, namespace: 1), to: 1)
        let end = host.reap(1)
        #expect(end?.id == id)
        #expect(end?.1.submissionHead == index)
        #expect(end?.1.queue == 1)
      }
    },
    Row("a local command's result is 0") {
      let host = Self.host()
      #expect(host.run(.init(opcode: 0, namespace: 1), on: 1)?.result == 0)
    },
    Row("DNR is bit 14 of the status before the shift") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 2, namespace: 9), on: 1).map { $0 >> 14 & 1 } == 1)
    },
    // pci_epf_nvme.md#lost-completions
    Row("full: the rest of the batch is lost; as the spec nothing is") {
      for loses in [true, false] {
        let host = PCIEPFNVMeStateTests.host(enabled: true) {
          if !loses { $0.quirks.remove(.lostCompletions) }
        }
        #expect(host.createCompletionQueue(1, depth: 4) == 0)
        #expect(host.createSubmissionQueue(1, on: 1, depth: 64) == 0)
        // One taken, so that the test without the wrap sees the queue full.
        #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
        for _ in 0..<3 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
        for _ in 0..<6 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
        host.ring(1)
        host.pass(50)
        var count = 0
        while host.reap(1) != nil { count += 1 }
        #expect((count < 9) == loses, "\(count)")
      }
    },
    Row("the doorbell of the completion queue is only read") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      #expect(host.read(0x100c) == 1, "what the host has written")
    },
    // pci_epf_nvme.md#interrupt-enable-ignored
    Row("one interrupt for a batch, IEN or not") {
      for isEnabled in [true, false] {
        let host = PCIEPFNVMeStateTests.host(enabled: true)
        #expect(host.makeQueues(interrupts: isEnabled))
        host.pass(20)
        host.forgetInterrupts()
        for _ in 0..<10 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
        host.ring(1)
        host.pass(20)
        #expect(host.interrupts == [1])
      }
    },
    // pci_epf_nvme.md#interrupt-enable-ignored
    Row("as the spec: no interrupt without IEN") {
      let host = PCIEPFNVMeStateTests.host(enabled: true) {
        $0.quirks.remove(.interruptEnableIgnored)
      }
      #expect(host.makeQueues(interrupts: false))
      host.pass(20)
      host.forgetInterrupts()
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      #expect(host.interrupts == [])
    },
    Row("the vector is Create CQ's") {
      let host = PCIEPFNVMeStateTests.host(enabled: true)
      #expect(host.createCompletionQueue(1, vector: 9) == 0)
      #expect(host.createSubmissionQueue(1, on: 1) == 0)
      host.pass(20)
      host.forgetInterrupts()
      host.submit(.init(opcode: 0, namespace: 1), to: 1)
      host.pass(20)
      #expect(host.interrupts == [9])
    },
  ]

  // pci_epf_nvme.md, 12.6
  @Test("completion", arguments: completions)
  func complete(_ row: Row) throws { try row.check() }
}
