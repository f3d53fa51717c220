// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// Reaching the host's memory through windows, and running out of them.
@Suite struct OutboundWindowTests {
  private func host(
    _ behaviour: Behaviour, _ windows: OutboundWindows, usesDMA: Bool = false
  ) -> Host {
    var model = documentedModel(behaviour)
    model.windows = windows
    model.usesDMA = usesDMA
    let host = Host(model)
    host.enable()
    return host
  }

  /// Writes 4 KiB across a page's end and reads it back.
  private func transfer(_ host: Host) -> Bool {
    let (source, target) = (host.page(2), host.page(2))
    let bytes = [UInt8]((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 3) })
    host.fill(source + 512, bytes)
    let ends = [(UInt8(1), source), (2, target)].map { opcode, page in
      host.status(
        of: .init(
          opcode: opcode, namespace: 1, prp1: page + 512, prp2: page + 4096, words: [0, 0, 7]),
        on: 1)
    }
    return ends == [0, 0] && host.bytes(at: target + 512, 4096) == bytes
  }

  @Test(
    "windows enough: everything moves, with and without DMA",
    arguments: Behaviour.allCases, [true, false])
  func enough(_ behaviour: Behaviour, _ usesDMA: Bool) {
    let host = host(behaviour, OutboundWindows(count: 8, size: 1 << 16), usesDMA: usesDMA)
    #expect(host.status == 1)
    #expect(host.makeQueues())
    #expect(transfer(host))
  }

  @Test(
    "nvmet_pci_epf holds one for each completion queue: the queue that finds none is refused, and the driver says so"
  )
  func exhaustion() {
    let host = host(.nvmetPCIEPF, OutboundWindows(count: 3, size: 1 << 16), usesDMA: true)
    #expect(host.makeQueues(1) && host.makeQueues(2))
    #expect(host.createCompletionQueue(3) == 0x4006)
    #expect(host.log.contains("Failed to map CQ 3 (err=-12)"))
    #expect(transfer(host), "with DMA the data need none")
    // A queue that goes gives its window back.
    #expect(host.status(of: .init(opcode: 0, words: [2])) == 0)
    #expect(host.status(of: .init(opcode: 4, words: [2])) == 0)
    #expect(host.createCompletionQueue(3) == 0)
  }

  @Test("nvmet_pci_epf: a completion queue has to fit one window")
  func partialMapping() {
    let host = host(.nvmetPCIEPF, OutboundWindows(count: 8, size: 4096, alignment: 4096))
    #expect(host.createCompletionQueue(1, depth: 512) == 0x4006)
    #expect(host.log.contains("Invalid partial mapping of queue 1"))
    #expect(host.createCompletionQueue(1, depth: 256) == 0)
  }

  @Test("nvmet_pci_epf: without a window for the admin completion queue it is not enabled")
  func noAdminQueue() {
    let host = host(.nvmetPCIEPF, OutboundWindows(count: 0, size: 1 << 16), usesDMA: true)
    #expect(host.status == 0 && host.read(0x14) == 0)
    #expect(host.log.contains("Failed to create admin completion queue"))
  }

  @Test("nvmet_pci_epf without DMA: the last window that a queue takes stops the fetching")
  func noFetch() {
    let host = host(.nvmetPCIEPF, OutboundWindows(count: 1, size: 1 << 16))
    #expect(host.status == 1)
    #expect(host.identify(1).0 == nil)
    #expect(host.diagnoses.contains { $0.fault == "nvmet_pci_epf: outbound windows" })
  }

  // pci_epf_nvme.md#partial-mapping-repeats
  @Test(
    "a piece that needs two mappings is refused and diagnosed; by the specification it moves",
    arguments: [true, false])
  func repeats(_ isQuirk: Bool) {
    var model = documentedModel(.pciEPFNVMe)
    model.windows = OutboundWindows(count: 8, size: 4096)
    model.usesDMA = false
    if !isQuirk { model.quirks.remove(.partialMappingRepeats) }
    let host = Host(model)
    host.enable()
    #expect(host.makeQueues())
    // Two pages that touch are one piece of 8 KiB.
    let page = host.page(2)
    let status = host.status(
      of: .init(opcode: 2, namespace: 1, prp1: page, prp2: page + 4096, words: [0, 0, 15]), on: 1)
    #expect(status == (isQuirk ? 0x4004 : 0))
    #expect(host.diagnoses.contains { $0.fault == "pci_epf_nvme: partial mapping" } == isQuirk)
  }
}
