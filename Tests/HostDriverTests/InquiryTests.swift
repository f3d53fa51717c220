// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import HostDriver
import NVMe
import PCI
import NVMeEmulation
import Testing

/// Commands that only ask, and what each kind of controller answers.
@Suite struct InquiryTests {
  private func answers(
    of behaviour: Behaviour, _ change: (inout ControllerModel) -> Void = { _ in }
  ) throws -> (found: ProbeResult, all: [(inquiry: Inquiry, answer: Inquiry.Answer)]) {
    var model = ControllerModel(behaviour)
    model.nqn = "nqn.2026-01.org.example:asked"
    model.namespaces = [1, 2].map {
      Namespace(id: $0, backend: .memory(MemoryStore(count: 1 << 20)))
    }
    change(&model)
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    function.linkUp()
    let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
    let found = try host.probe()
    let inquiries = Inquiry.all(for: found)
    return (found, Array(zip(inquiries, try host.answers(to: inquiries))))
  }

  @Test(
    "every read-only command has a unique name, fits a page and completes",
    arguments: Behaviour.allCases)
  func whole(_ behaviour: Behaviour) throws {
    let all = try answers(of: behaviour).all
    #expect(Set(all.map(\.inquiry.words)).count == all.count)
    for (inquiry, answer) in all {
      #expect(inquiry.length <= 4096, "\(inquiry.words)")
      let length = answer.status.isSuccess ? inquiry.length : 0
      #expect(answer.data.count == length, "\(inquiry.words)")
    }
  }

  @Test("id-ctrl and id-ns match the probe", arguments: Behaviour.allCases)
  func identify(_ behaviour: Behaviour) throws {
    let (found, all) = try answers(of: behaviour)
    func data(_ words: String) -> [UInt8]? { all.first { $0.inquiry.words == words }?.answer.data }
    #expect(data("id-ctrl") == found.identifyController.bytes)
    for space in found.namespaces {
      #expect(data("id-ns --namespace-id=\(space.id)") == space.identify.bytes)
    }
  }

  /// A word or an option, and the number that nvme-cli shows: 0 is success.
  private static let ends: [(Behaviour, String, UInt16)] = [
    (.pciEPFNVMe, "nvm-id-ns --namespace-id=1", 0x4002),
    (.pciEPFNVMe, "supported-log-pages", 0x4002), (.pciEPFNVMe, "ana-log", 0),
    (.pciEPFNVMe, "get-feature --feature-id=0x01 --sel=0", 0x4002),
    (.pciEPFNVMe, "get-property --offset=0x00", 0x4001),
    (.pciEPFNVMe, "resv-report --namespace-id=1", 0x4001),
    (.nvmetPCIEPF, "nvm-id-ns --namespace-id=1", 0),
    (.nvmetPCIEPF, "cmdset-ind-id-ns --namespace-id=3", 0x600b),
    (.nvmetPCIEPF, "supported-log-pages", 0), (.nvmetPCIEPF, "self-test-log", 0x6002),
    (.nvmetPCIEPF, "get-log --log-id=0x02 --log-len=16", 0x0006),
    (.nvmetPCIEPF, "get-feature --feature-id=0x82 --sel=0", 0x4002),
    (.nvmetPCIEPF, "get-property --offset=0x00", 0),
    (.nvmetPCIEPF, "get-property --offset=0x24", 0x6002),
    (
      .nvmetPCIEPF,
      "get-lba-status --namespace-id=1 --start-lba=0 --max-dw=1023 --action=0x10 --range-len=8",
      0x6001
    ),
    (.reference, "id-iocs", 0), (.reference, "list-endgrp", 0x4002),
    (.reference, "ana-log", 0x4109),
    (.reference, "get-feature --feature-id=0x02 --sel=3", 0),
    (.reference, "ns-descs --namespace-id=4294967295", 0x400b),
  ]

  @Test("the refusals of each controller, with their statuses", arguments: ends)
  func end(_ behaviour: Behaviour, _ words: String, _ status: UInt16) throws {
    let found = try #require(
      try answers(of: behaviour).all.first { $0.inquiry.words == words }?.answer)
    #expect(found.status.rawValue == status, "\(words): \(found.status)")
  }

  @Test("without an I/O queue no command is sent on one")
  func noQueues() throws {
    let found = try answers(of: .reference).found
    var without = found
    without.ioQueues = 0
    #expect(Inquiry.all(for: found).filter(\.isIO).count == 3)
    #expect(Inquiry.all(for: without).filter(\.isIO).isEmpty)
  }

  @Test("a substitute follows the rules of its original: a file differs from a block device")
  func standIns() throws {
    for (isFile, features) in [(true, 0), (false, 0x32)] as [(Bool, UInt8)] {
      let found = try answers(of: .nvmetPCIEPF) { $0.namespaces[0].standsForFile = isFile }.found
      #expect(found.namespaces[0].identify[.features] == features)
      #expect(found.namespaces[1].identify[.features] == 0x32, "memory without a file is a device")
    }
  }
}
