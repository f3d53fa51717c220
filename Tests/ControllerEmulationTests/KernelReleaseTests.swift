// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import HostDriver
import KernelHistory
import NVMe
import NVMeEmulation
import PCI
import Testing

/// `nvmet_pci_epf` from release to release: each row of the table of kernel changes that a host can see of the controller, as a host sees
/// it with the older and with the newer driver.
@Suite("nvmet_pci_epf by kernel release")
struct KernelReleaseTests {
  /// The actions that show a quirk of a controller.
  struct Probe: Sendable, CustomTestStringConvertible {
    var quirk: Quirk
    /// The result with the quirk, and without it.
    var old: String
    var new: String
    var look: @Sendable (QuirkSet) throws -> String
    var testDescription: String { quirk.rawValue }

    init(
      _ quirk: Quirk, old: String, new: String,
      _ look: @escaping @Sendable (QuirkSet) throws -> String
    ) {
      self.quirk = quirk
      self.old = old
      self.new = new
      self.look = look
    }
  }

  static let releases: [KernelVersion] = [
    .init(6, 14, 2), .init(6, 14, 11), .init(6, 15), .init(6, 16), .init(6, 16, 9), .init(6, 17),
    .init(6, 18), .init(7, 0, candidate: 1), .init(7, 0), .init(7, 2), .init(7, 2, 13), .init(7, 3),
  ]

  private static func host(
    _ quirks: QuirkSet, configuration: UInt32 = 0x0046_0001,
    _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> Host {
    nvmetPCIEPF(configuration: configuration) { model in
      model.quirks = quirks
      change(&model)
    }
  }

  /// A function on an RK3588, and a host with Linux.
  private static func rk3588(
    _ quirks: QuirkSet, _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> (function: NVMeFunction, host: LinuxHost) {
    var model = documentedModel(.nvmetPCIEPF)
    model.quirks = quirks
    model.hardware = ["rockchip,rk3588-pcie-ep"]
    change(&model)
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 1)
    function.linkUp()
    return (function, LinuxHost(function, memory: memory, clock: DeviceClock(function)))
  }

  private static func text(_ status: UInt16?) -> String {
    status.map { String($0, radix: 16) } ?? "none"
  }

  static let probes: [Probe] = [
    Probe(.bar0Is32Bit, old: "0", new: "4") { quirks in
      var model = documentedModel(.nvmetPCIEPF)
      model.quirks = quirks
      let function = NVMeFunction(model, memory: HostMemory(), deviceID: 1)
      return String(function.configuration.read(offset: 0x10, width: .doubleword) & 6)
    },
    Probe(.enableSurvivesShutdown, old: "8, 0", new: "8, 1") { quirks in
      let host = host(quirks)
      host.configure(0x0046_4001)
      let shutdown = host.status
      host.linkDown()
      host.pass(1000)
      host.controller.linkUp(at: host.controller.now)
      // The host starts again: it clears CC.EN, sees RDY clear, and sets CC.EN.
      host.write(0x14, 0x0046_0000)
      host.configure(0x0046_0001)
      host.pass(1000)
      return "\(shutdown), \(host.status)"
    },
    Probe(.linkChangesNotLogged, old: "", new: "PCI link up, PCI link down") { quirks in
      let host = host(quirks)
      host.linkDown()
      return host.log.filter { $0.hasPrefix("PCI link") }.joined(separator: ", ")
    },
    Probe(
      .failedCompletionBlank, old: "id missing, queue 0, head 0", new: "id there, queue 1, head 1"
    ) { quirks in
      let host = host(quirks)
      #expect(host.makeQueues())
      // PRP1 is not a multiple of four.
      let id = host.submit(.init(opcode: 2, namespace: 1, prp1: host.page() + 2), to: 1)
      let (found, completion) = try #require(host.reap(1))
      let isThere = found == id ? "there" : "missing"
      return "id \(isThere), queue \(completion.queue), head \(completion.submissionHead)"
    },
    Probe(.interruptEnableSurvivesDelete, old: "interrupts", new: "none") { quirks in
      let host = host(quirks)
      #expect(host.createCompletionQueue(1) == 0)
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
      #expect(host.createCompletionQueue(1, flags: 1) == 0)
      #expect(host.createSubmissionQueue(1, on: 1) == 0)
      host.forgetInterrupts()
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      return host.interrupts.contains(1) ? "interrupts" : "none"
    },
    Probe(.completionQueueMappedPerPost, old: "0", new: "4006") { quirks in
      let host = host(quirks) {
        $0.windows = OutboundWindows(count: 3, size: 1 << 16)
        $0.usesDMA = true
      }
      #expect(host.makeQueues(1) && host.makeQueues(2))
      return text(host.createCompletionQueue(3))
    },
    Probe(
      .interruptFailuresNotLimited, old: "Failed to raise IRQ (err=-22)",
      new: "CQ[1]: Failed to raise IRQ (err=-22)"
    ) { quirks in
      let host = host(quirks)
      #expect(host.createCompletionQueue(1, vector: 20) == 0)
      #expect(host.createSubmissionQueue(1, on: 1) == 0)
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      return host.log.first { $0.contains("Failed to raise IRQ") } ?? ""
    },
    Probe(.completionQueueNotChecked, old: "0", new: "4101, nvmet: SQ 1: Invalid CQID 3") {
      quirks in
      let host = host(quirks)
      let status = text(host.createSubmissionQueue(1, on: 3))
      return ([status] + host.log.filter { $0.contains("Invalid CQID") }).joined(separator: ", ")
    },
    Probe(.refusedCommandCompletesTwice, old: "2 of 6001, 2 of 6001", new: "1 of 6001, 1 of 6001") {
      quirks in
      let host = host(quirks)
      #expect(host.makeQueues())
      // Security Receive, as an admin command and as an I/O command.
      return [0, 1].map { queue in
        let id = host.submit(.init(opcode: 0x82, namespace: 1), to: queue)
        var count = 0
        var status: UInt16?
        while let (found, completion) = host.reap(queue), found == id {
          count += 1
          status = completion.status
        }
        return "\(count) of \(text(status))"
      }.joined(separator: ", ")
    },
    Probe(.failedMappingKeepsQueueID, old: "4101", new: "0") { quirks in
      let host = host(quirks) {
        $0.windows = OutboundWindows(count: 3, size: 1 << 16)
        $0.usesDMA = true
      }
      #expect(host.makeQueues(1) && host.makeQueues(2))
      if host.createCompletionQueue(3) == 0 {
        #expect(host.status(of: .init(opcode: 4, words: [3])) == 0)
      }
      #expect(host.status(of: .init(opcode: 0, words: [2])) == 0)
      #expect(host.status(of: .init(opcode: 4, words: [2])) == 0)
      return text(host.createCompletionQueue(3))
    },
    Probe(.shortSegmentReadBeyond, old: "nvmet_pci_epf: SGL segment", new: "") { quirks in
      let host = host(quirks)
      #expect(host.makeQueues())
      // A segment descriptor of eight bytes.
      host.submit(
        .init(opcode: 2, flags: 0x40, namespace: 1, prp1: host.page(), prp2: 0x20 << 56 | 8), to: 1)
      host.pass(100)
      return host.diagnoses.map(\.fault).joined(separator: ", ")
    },
    Probe(.identifyNullDereference, old: "no completion, nvmet_pci_epf: Identify", new: "0") {
      quirks in
      let host = host(quirks)
      // After the last namespace there is none to compare.
      func list(after id: UInt32) -> UInt16? {
        host.status(of: .init(opcode: 6, namespace: id, prp1: host.page(), words: [7]))
      }
      #expect(list(after: 0xffff) == 0)
      // A request of an event waits.
      host.submit(.init(opcode: 0x0c), to: 0)
      host.pass(100)
      let list = list(after: 0)
      guard list == nil else { return text(list) }
      // The board is dead: nothing has a completion, and a reset is not seen.
      #expect(host.status(of: .init(opcode: 6, prp1: host.page(), words: [1])) == nil)
      host.write(0x14, 0)
      host.pass(1000)
      #expect(host.status & 1 == 1)
      let (log, interrupts) = (host.log.count, host.interrupts.count)
      host.controller.update(namespaces: [], at: host.controller.now)
      host.controller.reset(at: host.controller.now)
      host.linkDown()
      host.controller.linkUp(at: host.controller.now)
      host.controller.remove(at: host.controller.now)
      host.pass(1000)
      #expect(host.log.count == log && host.interrupts.count == interrupts)
      #expect(host.status & 1 == 1)
      return "no completion, " + host.diagnoses.map(\.fault).joined(separator: ", ")
    },
    Probe(.reservationMaskNamesNamespace, old: "600b, 4002", new: "4002, 4002") { quirks in
      let host = host(quirks)
      return [9, 1].map { text(host.getFeature(0x82, namespace: $0)?.status) }
        .joined(separator: ", ")
    },
    Probe(.largeEntrySizesEnabled, old: "1", new: "0, Unsupported I/O SQES 128 (need 64)") {
      quirks in
      let host = host(quirks, configuration: 0x0047_0001)
      return (["\(host.status)"] + host.log.filter { $0.contains("SQES") }).joined(separator: ", ")
    },
    Probe(.failedReadHangs, old: "hangs", new: "completes") { quirks in
      let host = host(quirks)
      let status = host.logPage(0xee, bytes: 512).0
      #expect(status == 0x6002)
      return host.isHanging ? "hangs" : "completes"
    },
    Probe(.transferFailureSucceeds, old: "0", new: "4013") { quirks in
      let host = host(quirks)
      #expect(host.makeQueues())
      host.submit(.init(opcode: 2, namespace: 1, prp1: host.page() + 2), to: 1)
      return text(host.reap(1)?.1.status)
    },
    Probe(.completionQueueOfSameID, old: "queue 2", new: "queue 1") { quirks in
      let host = host(quirks)
      #expect(host.createCompletionQueue(1) == 0)
      #expect(host.createCompletionQueue(2) == 0)
      #expect(host.createSubmissionQueue(2, on: 1) == 0)
      host.submit(.init(opcode: 0, namespace: 1), to: 2)
      return host.reap(2) == nil ? "queue 1" : "queue 2"
    },
    Probe(.addressTranslationBroken, old: "ATS, enabled", new: "none") { quirks in
      let function = rk3588(quirks).function
      let id = function.configuration.read(offset: 0x100, width: .doubleword) & 0xffff
      // A host with an IOMMU enables it.
      function.writeConfiguration(offset: 0x106, width: .word, value: 0x8000)
      let control = function.configuration.read(offset: 0x106, width: .word)
      return id == 0x0f ? "ATS, \(control & 0x8000 != 0 ? "enabled" : "disabled")" : "none"
    },
    Probe(
      .interruptWriteAfterUnmap, old: "rockchip,rk3588-pcie-ep: msix-write-after-unmap", new: ""
    ) { quirks in
      let (function, host) = rk3588(quirks)
      let disk = try #require(try host.probe().namespaces.first)
      _ = try host.verify(disk, transfers: 32)
      return function.takeEvents().diagnoses.map(\.fault).joined(separator: ", ")
    },
    Probe(.interruptAddressCached, old: "none", new: "interrupts") { quirks in
      let (function, host) = rk3588(quirks) { $0.interrupts = .msi(vectors: 8) }
      _ = try host.probe()
      let before = host.interrupts[0] ?? 0
      #expect(before > 0)
      // The next host, after the firmware, has another address.
      let msi = try #require(function.configuration.offset(of: .msi))
      function.writeConfiguration(offset: msi + 4, width: .doubleword, value: 0xfee0_1000)
      for _ in 0..<3 { _ = try host.identify(.controller) }
      let count = (host.interrupts[0] ?? 0) - before
      #expect(function.takeEvents().diagnoses.count == (count == 0 ? 1 : 0))
      return count == 0 ? "none" : "interrupts"
    },
    Probe(
      .linkTrainingDuringHotReset,
      old: "rockchip,rk3588-pcie-ep: link-training-during-hot-reset", new: ""
    ) { quirks in
      let function = rk3588(quirks).function
      function.reset(.functionLevel)
      #expect(function.takeEvents().diagnoses == [])
      function.reset(.conventional)
      return function.takeEvents().diagnoses.map(\.fault).joined(separator: ", ")
    },
  ]

  @Test(
    "a release behaves as its rows say", arguments: probes, releases)
  func walk(probe: Probe, version: KernelVersion) throws {
    let change = try #require(probe.quirk.change)
    let expected = change.isEmulated(in: version) ? probe.old : probe.new
    #expect(try probe.look(Behaviour.nvmetPCIEPF.quirks(in: version)) == expected)
  }

  @Test("the quirk alone makes the difference, in Linux 7.2.13", arguments: probes)
  func alone(probe: Probe) throws {
    for isOn in [true, false] {
      var quirks = Behaviour.nvmetPCIEPF.quirks(in: KernelVersion(7, 2, 13))
      if isOn { quirks.insert(probe.quirk) } else { quirks.remove(probe.quirk) }
      #expect(try probe.look(quirks) == (isOn ? probe.old : probe.new))
    }
  }

  @Test("two releases differ by exactly the quirks whose rows distinguish them")
  func differences() {
    for first in Self.releases {
      for second in Self.releases {
        let (one, other) = (
          Behaviour.nvmetPCIEPF.quirks(in: first), Behaviour.nvmetPCIEPF.quirks(in: second)
        )
        let rows = KernelChange.all.filter {
          Quirk(rawValue: $0.name) != nil && $0.isEmulated(in: first) != $0.isEmulated(in: second)
        }
        #expect(
          one.symmetricDifference(other).quirks.map(\.rawValue).sorted()
            == rows.map(\.name).sorted(), "\(first) and \(second)")
      }
    }
  }

  /// Rows that a host can see, though not of a controller in software: the reason.
  static let others: [String: String] = [
    "ready-set-late": "a race of two threads of the driver, in candidates of 6.14 only",
    "configuration-lost-at-link-down":
      "the host's bridge resets its port; the function has no part in it",
    "keep-alive-expiry-crashes": "no release ends it: diagnosed in all of them",
  ]

  @Test(
    "the quirks of hardware are those of the controllers that have it",
    arguments: [
      ([], 0), (["rockchip,rk3399-pcie-ep"], 0), (["rockchip,rk3588-pcie-ep"], 1),
      (["vendor,board", "rockchip,rk3588-pcie-ep"], 1), (["rockchip,rk3568-pcie-ep"], 0),
    ] as [([String], Int)])
  func hardware(_ compatible: [String], _ count: Int) {
    var model = documentedModel(.nvmetPCIEPF)
    model.quirks = Behaviour.nvmetPCIEPF.quirks(in: KernelVersion(6, 14, 2))
    model.hardware = compatible
    let function = NVMeFunction(model, memory: HostMemory(), deviceID: 1)
    #expect(function.configuration.extendedCapabilities.count == count)
  }

  @Test(
    "BARs of a fixed 1 MiB and resizable ones give a host the same BAR 0",
    arguments: [0, 1, 32, 2048])
  func fixedBARs(_ vectors: Int) {
    let sizes = [DriverSetup.BAR0.fixed(1 << 20), .resizable].map { bar in
      var setup = DriverSetup(.nvmetPCIEPF)
      setup.msixVectors = vectors
      setup.alignment = 65536
      setup.bar0 = bar
      return setup.bar0Size
    }
    #expect(sizes == [1 << 20, 1 << 20])
  }

  @Test("each row that a host can see has a scenario, or a reason why it has none")
  func coverage() {
    let probed = Set(Self.probes.map(\.quirk.rawValue))
    let seen = KernelChange.all.filter { $0.place == .host }.map(\.name)
    #expect(seen.filter { !probed.contains($0) }.sorted() == Self.others.keys.sorted())
    // And each quirk that some releases do not have.
    let quirks = Quirk.allCases.filter { $0.change != nil }.map(\.rawValue)
    #expect(quirks.filter { !probed.contains($0) } == [])
  }
}
