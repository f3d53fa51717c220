// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import SimulatedKernel
import SystemPackage
import Testing

/// Findings of the comparison with real kernels (`make lab-diff`), each with the fewest calls that show it.
@Suite("Differences from the real kernel that were found and fixed")
struct DifferenceTests {
  private func disk(_ values: (String, String)...) throws -> SimulatedKernel {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("null_blk", parameters: ["nr_devices=0"])
    try kernel.make("nullb/d")
    for (name, value) in values { try kernel.put(value + "\n", "nullb/d/" + name) }
    return kernel
  }

  @Test("a disk with fewer sectors in a transfer than a page is refused with a warning, once")
  func shortTransfers() throws {
    let kernel = try disk(("max_sectors", "7"))
    for round in 1...2 {
      let lines = kernel.logged { kernel in
        #expect(kernel.errno { try $0.put("1\n", "nullb/d/power") } == .invalidArgument)
      }
      #expect(lines.filter { $0.hasPrefix("WARNING") }.count == (round == 1 ? 1 : 0))
    }
    #expect(kernel.errno { try $0.put("8\n", "nullb/d/max_sectors") } == nil)
    #expect(kernel.errno { try $0.put("1\n", "nullb/d/power") } == nil)
  }

  @Test("zone_size is checked before discard is reset")
  func zoneSizeFirst() throws {
    let kernel = try disk(("zoned", "1"), ("zone_size", "3"), ("discard", "1"))
    #expect(kernel.errno { try $0.put("1\n", "nullb/d/power") } == .invalidArgument)
    #expect(kernel.text("nullb/d/discard") == "1\n")
  }

  @Test("the limit of open zones follows that of active ones before the number of zones")
  func openZones() throws {
    let kernel = try disk(
      ("size", "64"), ("zoned", "1"), ("zone_size", "16"), ("zone_max_active", "2"),
      ("zone_max_open", "5"))
    let lines = try kernel.logged { try $0.put("1\n", "nullb/d/power") }
    #expect(kernel.text("nullb/d/zone_max_open") == "2\n")
    #expect(lines.contains("null_blk: changed the maximum number of open zones to 2"))
    #expect(lines.contains("null_blk: d: using native zone append"))
  }

  @Test("a power-on that fails for the disk's name has changed the index")
  func indexOfRefusedDisk() throws {
    var machine = SimulatedKernel.Machine()
    machine.storage["/dev/d"] = .init(.blockDevice, size: 1 << 20)
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    try kernel.load("null_blk", parameters: ["nr_devices=0"])
    try kernel.make("nullb/d")
    try kernel.put("7\n", "nullb/d/index")
    #expect(kernel.errno { try $0.put("1\n", "nullb/d/power") } == .fileExists)
    #expect(kernel.text("nullb/d/index") == "0\n")
  }

  @Test("a disk can have the name of a character device, whose node stays")
  func nameOfCharacterDevice() throws {
    let kernel = try disk()
    try kernel.make("nullb/zero")
    #expect(kernel.errno { try $0.put("1\n", "nullb/zero/power") } == nil)
    #expect(try kernel.describe("/dev/zero").kind == .characterDevice)
    try kernel.drop("nullb/zero")
    #expect(try kernel.describe("/dev/zero").kind == .characterDevice)
  }

  @Test("a directory can have a long name that begins with the name of a disk")
  func longName() throws {
    let kernel = try disk()
    let name = String(repeating: "n", count: 31)
    try kernel.make("nullb/" + name)
    try kernel.put("1\n", "nullb/" + name + "/power")
    #expect(kernel.errno { try $0.make("nullb/" + name + "x") } == nil)
    #expect(kernel.errno { try $0.put("1\n", "nullb/" + name + "x/power") } == .fileExists)
  }

  @Test("a disk without polled queues at power-on has no more queues than processors")
  func polledQueues() throws {
    let kernel = try disk(("poll_queues", "0"), ("submit_queues", "8"), ("power", "1"))
    #expect(kernel.errno { try $0.put("1\n", "nullb/d/poll_queues") } == .noMemory)
    try kernel.put("7\n", "nullb/d/submit_queues")
    #expect(kernel.errno { try $0.put("1\n", "nullb/d/poll_queues") } == nil)
  }

  @Test("an address of nothing is refused, one of blanks is empty")
  func emptyAddress() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make("nvmet/ports/1")
    #expect(kernel.errno { try $0.put("\0", "nvmet/ports/1/addr_traddr") } == .invalidArgument)
    #expect(kernel.errno { try $0.put(" \n", "nvmet/ports/1/addr_traddr") } == nil)
  }

  @Test("an enabled referral logs the refused change of its address with its port id")
  func referral() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make("nvmet/ports/1")
    let referral = "nvmet/ports/1/referrals/r"
    try kernel.make(referral)
    try kernel.put("7\n", referral + "/addr_portid")
    try kernel.put("1\n", referral + "/enable")
    #expect(kernel.errno { try $0.put("tcp\n", referral + "/addr_trtype") } == .permissionDenied)
    #expect(
      kernel.logLines.last
        == "nvmet: Disable port '7' before changing attribute in nvmet_addr_trtype_store")
  }

  @Test("a namespace with conventional zones, or a smaller last one, is refused")
  func zonedNamespace() throws {
    for (conventional, size, errno) in [
      ("0", "64", nil), ("1", "64", .invalidArgument), ("0", "60", .invalidArgument),
    ] as [(String, String, Errno?)] {
      let kernel = try disk(
        ("size", size), ("zoned", "1"), ("zone_size", "16"), ("zone_nr_conv", conventional),
        ("power", "1"))
      try kernel.load("nvmet")
      try kernel.make(Names.subsystem)
      try kernel.make(Names.subsystem + "/namespaces/1")
      try kernel.put("/dev/d\n", Names.subsystem + "/namespaces/1/device_path")
      #expect(
        kernel.errno { try $0.put("1\n", Names.subsystem + "/namespaces/1/enable") } == errno,
        "\(conventional) \(size)")
    }
  }

  @Test(
    "a refused namespace ID is printed with its prefix, 0 as well", arguments: ["0", "0xffffffff"])
  func invalidNamespaceID(_ name: String) throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make(Names.subsystem)
    let lines = kernel.logged {
      #expect(
        $0.errno { try $0.make(Names.subsystem + "/namespaces/" + name) } == .invalidArgument)
    }
    #expect(lines == ["nvmet: invalid nsid \(name == "0" ? "0x0" : name)"])
  }

  @Test("directories of one ANA group have one state, which ends with any of them")
  func sharedANAState() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make(Names.port)
    let groups = Names.port + "/ana_groups/"
    try kernel.make(groups + "2")
    try kernel.put("change\n", groups + "2/ana_state")
    try kernel.make(groups + "02")
    #expect(kernel.text(groups + "02/ana_state") == "change\n")
    try kernel.put("optimized\n", groups + "02/ana_state")
    #expect(kernel.text(groups + "2/ana_state") == "optimized\n")
    try kernel.drop(groups + "2")
    #expect(kernel.text(groups + "02/ana_state") == "inaccessible\n")
  }

  @Test(
    "passthru opens its path before it looks for a controller there",
    arguments: [
      ("/" + String(repeating: "d", count: 256), Errno.fileNameTooLong), ("/srv", .isDirectory),
      ("/dev/nothing", .noSuchFileOrDirectory),
    ])
  func passthruPath(_ path: String, _ errno: Errno) throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make(Names.subsystem)
    let passthru = Names.subsystem + "/passthru"
    try kernel.put(path, passthru + "/device_path")
    let lines = kernel.logged { kernel in
      #expect(kernel.errno { try $0.put("1\n", passthru + "/enable") } == errno)
    }
    #expect(lines.isEmpty)
  }

  @Test("of two pci ports with one id a function takes the one that was enabled first")
  func firstEnabledPort() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.makeFunction()
    try kernel.unlink(Names.port + "/subsystems/nq")
    try kernel.make("nvmet/ports/0x1")
    try kernel.put("pci\n", "nvmet/ports/0x1/addr_trtype")
    try kernel.make("nvmet/subsystems/other")
    try kernel.link("nvmet/ports/0x1/subsystems/other", "nvmet/subsystems/other")
    try kernel.link(Names.port + "/subsystems/nq", Names.subsystem)
    try kernel.bind()
    #expect(
      kernel.logLines.contains("nvmet: connect request for invalid subsystem nq!"))
  }

  @Test("a number that scanf reads is the largest one when it has more than 64 bits")
  func largeNumber() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make(Names.subsystem)
    try kernel.put("01000000000000000000000\n", Names.subsystem + "/attr_cntlid_max")
    #expect(kernel.text(Names.subsystem + "/attr_cntlid_max") == "65535\n")
  }

  @Test("a version is put together from 32-bit integers")
  func largeVersion() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    try kernel.make(Names.subsystem)
    try kernel.put("99999999999.1\n", Names.subsystem + "/attr_version")
    #expect(kernel.text(Names.subsystem + "/attr_version") == "281474976704511.1\n")
  }

  @Test("with one vector the driver complains about the queues, and of nothing else")
  func oneVector() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.makeFunction(msix: 1)
    let lines = try kernel.logged { try $0.bind() }
    #expect(
      lines == [
        "nvmet_pci_epf nvmet_pci_epf.0: PCI endpoint controller supports MSI-X, 1 vectors",
        "nvmet_pci_epf nvmet_pci_epf.0: Invalid maximum number of queues 1",
      ])
  }

  @Test("the message about a namespace has the NQN of its subsystem, not the directory")
  func cutNQN() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    let subsystem = "nvmet/subsystems/" + String(repeating: "q", count: 255)
    try kernel.make(subsystem)
    try kernel.make(subsystem + "/namespaces/3")
    #expect(
      kernel.logLines.last
        == "nvmet: adding nsid 3 to subsystem " + String(repeating: "q", count: 223))
  }

  @Test("a path that ends in . or .. is not that of a new or removed entry")
  func dots() throws {
    let kernel = try disk()
    #expect(kernel.errno { try $0.make("nullb/.") } == .fileExists)
    #expect(kernel.errno { try $0.make("nullb/d/..") } == .fileExists)
    #expect(kernel.errno { try $0.drop("nullb/d/.") } == .invalidArgument)
    #expect(kernel.errno { try $0.drop("nullb/d/..") } == .directoryNotEmpty)
    #expect(kernel.errno { try $0.unlink("nullb/d/.") } == .isDirectory)
    #expect(kernel.errno { _ = try $0.read($0.path("nullb/d/size/.")) } == .notDirectory)
    #expect(kernel.errno { try $0.make("nullb/missing/.") } == .noSuchFileOrDirectory)
    #expect(try kernel.names("nullb/d/../.") == kernel.names("nullb"))
  }

  @Test("discovery_nqn accepts the first line, and names the subsystem in its way")
  func discoveryNQN() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("nvmet")
    #expect(try kernel.put("abc\0junk\n", "nvmet/discovery_nqn") == 3)
    #expect(try kernel.put("abc\n more\n", "nvmet/discovery_nqn") == 3)
    try kernel.make("nvmet/subsystems/abcdef")
    #expect(kernel.errno { try $0.put("abcd", "nvmet/discovery_nqn") } == .invalidArgument)
    #expect(kernel.logLines.last == "nvmet: duplicate NQN abcdef")
  }

  @Test("a namespace keeps null_blk in the kernel after its disk is gone")
  func openDiskWithoutDirectory() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.makeTarget("loop")
    try kernel.drop("nullb/disk")
    #expect(kernel.errno { try $0.unload("null_blk") } == .resourceTemporarilyUnavailable)
    try kernel.put("0\n", Names.subsystem + "/namespaces/1/enable")
    #expect(kernel.errno { try $0.unload("null_blk") } == nil)
  }

  @Test("an unknown parameter of null_blk is ignored, a large block reduced, with a message each")
  func moduleParameters() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.load("null_blk", parameters: ["nr_devices=0", "size=x", "bs=8192"])
    try kernel.make("nullb/d")
    #expect(kernel.text("nullb/d/size") == "256000\n")
    #expect(kernel.text("nullb/d/blocksize") == "4096\n")
    #expect(kernel.logLines.contains("null_blk: unknown parameter 'size' ignored"))
    #expect(kernel.logLines.contains("null_blk: defaults block size to 4096"))
  }

  @Test("an open attribute keeps the text that it has read, and its module")
  func openAttribute() throws {
    let kernel = try disk()
    let size = kernel.path("nullb/d/size")
    let descriptor = try kernel.openAttribute(size, reading: true, writing: true)
    let text = Array("256000\n".utf8)
    #expect(try kernel.readOpenAttribute(descriptor) == text)
    try kernel.put("5\n", "nullb/d/size")
    #expect(try kernel.readOpenAttribute(descriptor).isEmpty)
    try kernel.rewindOpenAttribute(descriptor)
    #expect(try kernel.readOpenAttribute(descriptor) == text)
    #expect(
      kernel.errno { _ = try $0.writeOpenAttribute("x\n", to: descriptor) } == .invalidArgument)
    try kernel.rewindOpenAttribute(descriptor)
    #expect(try kernel.readOpenAttribute(descriptor) == Array("5\n".utf8))
    try kernel.drop("nullb/d")
    #expect(
      kernel.errno { _ = try $0.writeOpenAttribute("1\n", to: descriptor) }
        == .noSuchFileOrDirectory)
    #expect(kernel.errno { try $0.unload("null_blk") } == .resourceTemporarilyUnavailable)
    try kernel.closeAttribute(descriptor)
    #expect(kernel.errno { try $0.unload("null_blk") } == nil)
  }
}
