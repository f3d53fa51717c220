// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: BAR 0 and the registers in it (nvmet_pci_epf.md, 3, 4).
@Suite struct NVMetPCIEPFRegisterTests {
  // MARK: nvmet_pci_epf.md, 3

  // nvmet_pci_epf.md, 3
  @Test(
    "BAR 0 by vectors and alignment, 1 MiB where it is resizable",
    arguments: [
      (0, 1, 8192), (8, 1, 8192), (190, 1, 8192), (191, 1, 16384), (3000, 1, 65536),
      (8, 65536, 65536),
    ] as [(Int, UInt64, UInt64)])
  func barSize(_ vectors: Int, _ alignment: UInt64, _ size: UInt64) {
    var setup = DriverSetup(.nvmetPCIEPF)
    setup.msixVectors = vectors
    setup.alignment = alignment
    #expect(setup.bar0Size == size)
    setup.bar0 = .resizable
    #expect(setup.bar0Size == 1 << 20)
    var model = documentedModel(.nvmetPCIEPF)
    model.interrupts = .msix(vectors: vectors)
    if alignment == 1 { #expect(model.bar0Size == Int(size)) }
  }

  // nvmet_pci_epf.md, 3
  @Test(
    "registers, doorbells, 16 bytes a vector, and pending bits in whole quadwords",
    arguments: [(0, 0x1400), (1, 0x1418), (8, 0x1488), (64, 0x1808), (65, 0x1820)]
      as [(Int, UInt64)])
  func registerBytes(_ vectors: Int, _ bytes: UInt64) {
    var setup = DriverSetup(.nvmetPCIEPF)
    setup.msixVectors = vectors
    #expect(setup.registerBytes == bytes)
    setup.isMSIXCapable = false
    #expect(setup.registerBytes == 0x1400)
  }

  // nvmet_pci_epf.md, 3
  @Test("a fixed BAR is taken as it is, and has to be large enough")
  func fixedBar() {
    var setup = DriverSetup(.nvmetPCIEPF)
    setup.msixVectors = 8
    setup.bar0 = .fixed(0x1488)
    #expect(setup.bar0Size == 0x1488)
    setup.bar0 = .fixed(0x1400)
    #expect(setup.bar0Size == nil)
  }

  // nvmet_pci_epf.md, 3
  @Test(
    "a part of BAR 0 that nothing has written reads zero",
    arguments: [
      0x0c, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x38, 0x40, 0x58, 0x68, 0x6c, 0xe00, 0xffc, 0x1000,
      0x1004, 0x13fc, 0x1400, 0x1ffc, 0x2000,
    ])
  func zero(_ offset: Int) {
    #expect(nvmetPCIEPF(enabled: false).read(offset) == 0)
  }

  // nvmet_pci_epf.md, 3; nvmet_pci_epf.md#registers-writable
  @Test(
    "the host can write every byte of the BAR and reads it back; as the spec, not CAP, VS and CSTS",
    arguments: [
      0x00, 0x04, 0x08, 0x0c, 0x10, 0x18, 0x1c, 0x20, 0x38, 0x68, 0xe00, 0xffc, 0x1018, 0x13fc,
      0x1500, 0x1ffc,
    ])
  func writable(_ offset: Int) {
    let host = nvmetPCIEPF()
    host.write(offset, 0x1234_5678)
    host.pass(50)
    #expect(host.read(offset) == 0x1234_5678)
    let withoutQuirk = nvmetPCIEPF(without: .registersWritable)
    let before = withoutQuirk.read(offset)
    withoutQuirk.write(offset, 0x1234_5678)
    withoutQuirk.pass(50)
    let isReadOnly = [0x00, 0x04, 0x08, 0x1c].contains(offset)
    #expect(withoutQuirk.read(offset) == (isReadOnly ? before : 0x1234_5678))
  }

  // nvmet_pci_epf.md, 3
  @Test("beyond the BAR there is nothing")
  func beyond() {
    let host = nvmetPCIEPF()
    host.write(0x2000, 1)
    #expect(host.read(0x2000) == 0)
  }

  // nvmet_pci_epf.md, 3
  @Test("the driver writes CAP and VS once: what the host wrote stays over enable and link")
  func writtenOnce() {
    let host = nvmetPCIEPF()
    for offset in [0, 4, 8] { host.write(offset, 0xabcd_ef01) }
    host.linkDown()
    host.enable()
    #expect(host.status == 1)
    #expect([0, 4, 8].map(host.read) == [0xabcd_ef01, 0xabcd_ef01, 0xabcd_ef01])
  }

  // nvmet_pci_epf.md, 3
  @Test(
    "CC and CSTS are zero at creation, after link down and after a failed enable",
    arguments: [
      NVMetPCIEPFRow("creation") { host in host.linkDown() },
      NVMetPCIEPFRow("link down") { host in
        host.enable()
        host.linkDown()
      },
      NVMetPCIEPFRow("failed enable") { host in host.enable(configuration: 0x0040_0001) },
    ])
  func zeroed(_ row: NVMetPCIEPFRow) throws {
    let host = nvmetPCIEPF(enabled: false)
    try row.act(host)
    #expect(host.read(0x14) == 0)
    #expect(host.status == 0)
  }

  // nvmet_pci_epf.md, 3
  @Test("a doorbell is zero when its queue has been created")
  func doorbells() {
    let host = nvmetPCIEPF()
    for offset in [0x1008, 0x100c] { host.write(offset, 7) }
    #expect(host.createCompletionQueue(1) == 0)
    #expect(host.read(0x100c) == 0)
    #expect(host.read(0x1008) == 7)
    #expect(host.createSubmissionQueue(1, on: 1) == 0)
    #expect(host.read(0x1008) == 0)
    // Nothing has been fetched for the old value.
    host.pass(20)
    #expect(host.number(at: host.completions(of: 1)) == 0)
  }

  // MARK: nvmet_pci_epf.md, 4

  // nvmet_pci_epf.md, 4
  @Test(
    "the fields of CAP",
    arguments: [
      ("MQES", 0, 16, 1023), ("CQR", 16, 1, 1), ("AMS", 17, 2, 0), ("TO", 24, 8, 15),
      ("DSTRD", 32, 4, 0), ("NSSRS", 36, 1, 0), ("CSS, NVM", 37, 1, 1), ("CSS, others", 38, 5, 0),
      ("CSS, several", 43, 1, 1), ("CSS, none", 44, 1, 0), ("BPS", 45, 1, 0), ("MPSMIN", 48, 4, 0),
      ("MPSMAX", 52, 4, 0), ("PMRS", 56, 1, 0), ("CMBS", 57, 1, 0), ("NSSS, CRMS", 58, 3, 0),
    ] as [(String, UInt64, UInt64, UInt64)])
  func capabilities(_ field: String, _ bit: UInt64, _ width: UInt64, _ value: UInt64) {
    #expect(nvmetPCIEPF(enabled: false).capabilities >> bit & (1 << width - 1) == value, "\(field)")
  }

  // nvmet_pci_epf.md, 4
  @Test("MQES is the port's limit less one", arguments: [16, 512, 1024])
  func queueEntries(_ entries: Int) {
    let host = nvmetPCIEPF(enabled: false) { $0.maximumQueueEntries = entries }
    #expect(host.capabilities & 0xffff == UInt64(entries - 1))
  }

  // nvmet_pci_epf.md, 4
  @Test("VS is what the subsystem says", arguments: [0x0001_0300, 0x0002_0000, 0x0002_0100])
  func version(_ version: UInt32) {
    let host = nvmetPCIEPF { $0.version = version }
    #expect(host.read(8) == version)
    #expect(host.identify(1).1.number(80, 4) == UInt64(version))
  }

  // nvmet_pci_epf.md, 4
  @Test(
    "INTMS, INTMC and NSSR have no function",
    arguments: [(0x0c, 0xffff_ffff), (0x10, 0xffff_ffff), (0x20, 0x4e56_4d65)]
      as [(Int, UInt32)])
  func noFunction(_ offset: Int, _ value: UInt32) {
    let host = nvmetPCIEPF()
    host.write(offset, value)
    host.forgetInterrupts()
    #expect(host.identify(1).0 == 0)
    #expect(host.interrupts == [0, 0])
    #expect(host.status == 1)
  }

  // nvmet_pci_epf.md, 4; nvmet_pci_epf.md#registers-writable
  @Test("the host can write CSTS, and it stays until CC changes")
  func writableStatus() {
    let host = nvmetPCIEPF()
    host.write(0x1c, 0xff)
    host.pass(50)
    #expect(host.status == 0xff)
    host.configure(0x0046_0000)
    #expect(host.status == 0)
  }

  // nvmet_pci_epf.md, 4
  @Test(
    "AQA, ASQ and ACQ are read at enable: 12 bits of size, the low 12 bits of an address masked",
    arguments: [
      (0x24, 0xf000_f000), (0x28, 0xfff), (0x30, 0xabc),
    ] as [(Int, UInt32)])
  func adminQueue(_ offset: Int, _ extra: UInt32) {
    let host = nvmetPCIEPF()
    host.configure(0x0046_0000)
    let before = host.read(offset)
    host.write(offset, before | extra)
    host.configure(0x0046_0001)
    #expect(host.identify(1).0 == 0)
    // While enabled, the registers are not read.
    host.write(offset, 0)
    #expect(host.identify(1).0 == 0)
    // Round its end, which would be elsewhere with another size.
    for _ in 0..<Int(Host.adminDepth) { #expect(host.getFeature(7)?.status == 0) }
  }
}
