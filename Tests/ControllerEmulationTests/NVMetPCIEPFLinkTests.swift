// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: link and creation (nvmet_pci_epf.md, 5).
@Suite struct NVMetPCIEPFLinkTests {
  // nvmet_pci_epf.md, 5
  @Test("the link comes up: a line, and CC is polled in 10 ms")
  func linkUp() {
    let host = nvmetPCIEPF(enabled: false)
    host.write(0x14, 0x0046_0001)
    host.pass(100)
    #expect(host.status == 0 && host.log.isEmpty)
    host.controller.linkUp(at: host.controller.now)
    host.pass(9)
    #expect(host.status == 0)
    host.pass(1)
    #expect(host.status == 1)
    #expect(host.log == ["PCI link up", "Enabling controller"])
  }

  // nvmet_pci_epf.md, 5
  @Test("without a notifier the link is up at once")
  func noNotifier() {
    let host = nvmetPCIEPF(enabled: false) { $0.hasLinkUpNotifier = false }
    #expect(host.isLinkUp)
    host.configure(0x0046_0001)
    #expect(host.status == 1)
  }

  // nvmet_pci_epf.md, 5
  @Test(
    "the link goes down: disabled if enabled, CC and CSTS zero, CC is no longer polled",
    arguments: [true, false])
  func linkDown(_ isEnabled: Bool) {
    let host = nvmetPCIEPF(enabled: isEnabled)
    if !isEnabled { host.controller.linkUp(at: .zero) }
    host.linkDown()
    let lines = ["PCI link down"] + (isEnabled ? ["Disabling controller"] : [])
    #expect(host.log.suffix(lines.count) == lines[...])
    #expect(host.status == 0 && host.read(0x14) == 0)
    host.configure(0x0046_0001)
    #expect(host.status == 0)
  }

  // nvmet_pci_epf.md, 5
  @Test("the function is removed: the driver logs it, then acts as at link down")
  func removed() {
    let host = nvmetPCIEPF()
    host.controller.remove(at: host.controller.now)
    host.drain()
    #expect(
      host.log.suffix(3) == [
        "Destroying PCI ctrl \"nq\"", "PCI link down", "Disabling controller",
      ])
    host.configure(0x0046_0001)
    #expect(!host.isEnabled)
  }

  struct Queues: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var msix = 0
    var msi = 0
    var target = 128
    var queues: Int?
    var line: String?
  }

  // nvmet_pci_epf.md, 5
  @Test(
    "queues are the least of qid_max + 1, 128 and the vectors; two have to remain",
    arguments: [
      Queues(
        testDescription: "MSI-X, qid_max decides", msix: 8, target: 4, queues: 4,
        line: "PCI endpoint controller supports MSI-X, 8 vectors"),
      Queues(
        testDescription: "MSI-X, vectors decide", msix: 8, msi: 32, queues: 7,
        line: "PCI endpoint controller supports MSI-X, 8 vectors"),
      Queues(
        testDescription: "MSI", msi: 4, queues: 3,
        line: "PCI endpoint controller supports MSI, 4 vectors"),
      Queues(testDescription: "INTx", target: 200, queues: 127),
      Queues(testDescription: "2048 vectors", msix: 2048, target: 200, queues: 127),
      Queues(testDescription: "one vector", msix: 1, queues: nil),
    ])
  func queueCount(_ row: Queues) {
    var setup = DriverSetup(.nvmetPCIEPF)
    setup.msixVectors = row.msix
    setup.msiVectors = row.msi
    #expect(setup.queues(target: row.target).ioQueues == row.queues)
    if let line = row.line { #expect(setup.interruptLine?.text == line) }
    if row.queues == nil {
      #expect(
        setup.queues(target: row.target).log.map(\.text) == ["Invalid maximum number of queues 1"])
    }
  }
}
