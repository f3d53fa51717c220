// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelEvents
import KernelModules
import SimulatedKernel
import SystemPackage
import Testing

@Suite("configfs: the rules of all trees")
struct TreeTests {
  /// A kernel with nvmet_pci_epf and one function `f0`, one subsystem, one port, one null_blk directory.
  private func prepared() throws -> SimulatedKernel {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.makeFunction()
    try kernel.load("pci_epf_test")
    try kernel.make("pci_ep/functions/pci_epf_test/t")
    try kernel.make("nvmet/hosts/h")
    return kernel
  }

  // configfs.md, 6
  @Test(
    "mkdir",
    arguments: [
      ("new", .notPermitted), ("pci_ep/new", .notPermitted), ("pci_ep/functions/x", .notPermitted),
      ("pci_ep/controllers/x", .notPermitted), (Names.controller + "/x", .notPermitted),
      (Names.function + "/x", .notPermitted), (Names.function + "/primary/x", .notPermitted),
      (Names.function + "/nvme/x", .notPermitted), (Names.function, .fileExists),
      (Names.function + "/vendorid", .fileExists), (Names.function + "/primary", .fileExists),
      ("pci_ep/functions/missing/x", .noSuchFileOrDirectory),
      (Names.function + "/vendorid/x", .notDirectory), ("nvmet/x", .notPermitted),
      (Names.subsystem + "/x", .notPermitted), (Names.subsystem + "/passthru/x", .notPermitted),
      (Names.subsystem + "/allowed_hosts/x", .notPermitted), (Names.port + "/x", .notPermitted),
      (Names.port + "/subsystems/x", .notPermitted), (Names.port + "/ana_groups/1", .fileExists),
      ("nvmet/hosts/h/x", .notPermitted), ("nullb/disk/x", .notPermitted),
      ("nvmet/hosts/" + String(repeating: "n", count: 256), .fileNameTooLong),
      ("nvmet/hosts/" + String(repeating: "n", count: 255), nil), ("nvmet/hosts/a b\n", nil),
    ] as [(String, Errno?)])
  func makeDirectory(path: String, errno: Errno?) throws {
    #expect(try prepared().errno { try $0.make(path) } == errno)
  }

  // configfs.md, 7
  @Test(
    "rmdir",
    arguments: [
      ("nvmet/hosts/missing", .noSuchFileOrDirectory),
      (Names.function + "/vendorid", .notDirectory),
      (Names.port + "/subsystems/nq", .notDirectory), ("pci_ep", .notPermitted),
      ("pci_ep/functions/nvmet_pci_epf", .notPermitted), (Names.controller, .notPermitted),
      (Names.function + "/primary", .notPermitted), (Names.port + "/ana_groups/1", .notPermitted),
      (Names.subsystem, .resourceBusy), (Names.port, .directoryNotEmpty),
      (Names.function, nil), ("nvmet/hosts/h", nil),
    ] as [(String, Errno?)])
  func removeDirectory(path: String, errno: Errno?) throws {
    #expect(try prepared().errno { try $0.drop(path) } == errno)
  }

  // configfs.md, 7
  @Test(
    "a link in primary/ and one from a controller: the function's own incoming link decides")
  func combined() throws {
    let kernel = try prepared()
    try kernel.link(Names.function + "/primary/c", Names.controller)
    #expect(kernel.errno { try $0.drop(Names.function) } == .directoryNotEmpty)
    try kernel.unlink(Names.function + "/primary/c")
    try kernel.link(Names.controller + "/x", Names.function)
    #expect(kernel.errno { try $0.drop(Names.function) } == .resourceBusy)
  }

  // configfs.md, 8
  @Test(
    "symlink",
    arguments: [
      (Names.port + "/subsystems/nq", Names.subsystem, .fileExists),
      (Names.function + "/vendorid", Names.controller, .fileExists),
      ("pci_ep/x", "pci_ep/missing", .notPermitted),
      ("nvmet/ports/x", Names.subsystem, .notPermitted),
      (Names.controller + "/x", "pci_ep/missing", .noSuchFileOrDirectory),
      (Names.controller + "/x", Names.function + "/vendorid", .notDirectory),
      (Names.controller + "/x", "", .noSuchFileOrDirectory),
      (Names.port + "/subsystems/x", "nvmet/hosts/h", .invalidArgument),
      (Names.port + "/subsystems/x", Names.port + "/subsystems/nq", .fileExists),
      (Names.controller + "/x", Names.function, nil),
    ] as [(String, String, Errno?)])
  func symlink(link: String, target: String, errno: Errno?) throws {
    #expect(try prepared().errno { try $0.link(link, target) } == errno)
  }

  // configfs.md, 8
  @Test(
    "targets outside of configfs",
    arguments: [
      ("/srv", .notPermitted), ("/missing", .noSuchFileOrDirectory), ("/dev/sda", .notDirectory),
    ] as [(FilePath, Errno)])
  func foreignTarget(target: FilePath, errno: Errno) throws {
    let kernel = try prepared()
    #expect(
      kernel.errno {
        try $0.createLink(at: $0.path(Names.controller + "/x"), to: target)
      } == errno)
  }

  // configfs.md, 9
  @Test(
    "unlink",
    arguments: [
      (Names.function + "/vendorid", .notPermitted), (Names.function, .isDirectory),
      ("nvmet/hosts/missing", .noSuchFileOrDirectory), (Names.port + "/subsystems/nq", nil),
    ] as [(String, Errno?)])
  func unlink(path: String, errno: Errno?) throws {
    #expect(try prepared().errno { try $0.unlink(path) } == errno)
  }

  // configfs.md, 8
  @Test("readlink goes up to the root and down again")
  func linkTexts() throws {
    let kernel = try prepared()
    try kernel.link(Names.controller + "/x", Names.function)
    try kernel.make("pci_ep/functions/pci_epf_test/vf")
    try kernel.link("pci_ep/functions/pci_epf_test/t/v", "pci_ep/functions/pci_epf_test/vf")
    func text(_ path: String) throws -> String { try kernel.linkText(of: kernel.path(path)) }
    #expect(try text(Names.port + "/subsystems/nq") == "../../../../nvmet/subsystems/nq")
    #expect(try text(Names.controller + "/x") == "../../../pci_ep/functions/nvmet_pci_epf/f0")
    #expect(
      try text("pci_ep/functions/pci_epf_test/t/v")
        == "../../../../pci_ep/functions/pci_epf_test/vf")
    #expect(
      try kernel.linkTarget(of: kernel.path(Names.controller + "/x"))
        == kernel.path(Names.function))
    #expect(try kernel.kind(of: kernel.path(Names.controller + "/x")) == .link)
  }

  // configfs.md, 4
  @Test("open, and the rules of one write")
  func attributes() throws {
    let kernel = try prepared()
    let attribute = Names.function + "/vendorid"
    #expect(kernel.errno { try $0.put("", attribute) } == .badAddress)
    #expect(kernel.errno { try $0.put("1\n", "nullb/features") } == .permissionDenied)
    let revalidate = Names.subsystem + "/namespaces/1/revalidate_size"
    #expect(kernel.errno { _ = try $0.read($0.path(revalidate)) } == .permissionDenied)
    #expect(kernel.errno { try $0.put("1\n", Names.function + "/no") } == .noSuchFileOrDirectory)
    #expect(kernel.errno { try $0.put("1\n", Names.function) } == .isDirectory)
    #expect(try kernel.put("0x10\0zz", attribute) == 7)
    #expect(kernel.text(attribute) == "0x0010\n")
    let long = "/" + String(repeating: "d", count: 5000)
    try kernel.make(Names.subsystem + "/namespaces/2")
    #expect(try kernel.put(long, Names.subsystem + "/namespaces/2/device_path") == 4095)
  }

  // configfs.md, 3, 17
  @Test("readdir's order in 7.2 and in 6.12")
  func order() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.makeFunction()
    #expect(
      try kernel.names(Names.function) == [
        "msix_interrupts", "msi_interrupts", "interrupt_pin", "subsys_id", "subsys_vendor_id",
        "cache_line_size", "baseclass_code", "subclass_code", "progif_code", "revid", "deviceid",
        "vendorid", "primary", "secondary", "nvme",
      ])
    #expect(try kernel.names(Names.function + "/nvme") == ["mdts_kb", "subsysnqn", "portid"])
    try kernel.bind()
    #expect(try kernel.names(Names.controller) == ["start", "f0"])

    let older = SimulatedKernel(.linux6_12)
    try older.makeFabricsFunction()
    #expect(
      try older.names(Names.fabricsFunction) == [
        "nvme", "secondary", "primary", "msix_interrupts", "msi_interrupts", "interrupt_pin",
        "subsys_id", "subsys_vendor_id", "cache_line_size", "baseclass_code", "subclass_code",
        "progif_code", "revid", "deviceid", "vendorid",
      ])
    try older.make("nvmet/hosts/a")
    try older.make("nvmet/hosts/b")
    #expect(try older.names("nvmet/hosts") == ["b", "a"])
  }

  @Test("an unmounted configfs is an empty directory that refuses all operations")
  func unmounted() throws {
    var machine = SimulatedKernel.Machine()
    machine.isConfigFSMounted = false
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    #expect(try kernel.entries(of: kernel.mountPoint) == [])
    #expect(kernel.errno { try $0.make("x") } == .notPermitted)
    #expect(kernel.errno { _ = try $0.names("pci_ep") } == .noSuchFileOrDirectory)
    #expect(!kernel.isConfigFSMounted)
    try kernel.mountConfigFS()
    #expect(try kernel.names("") == ["pci_ep"])
    #expect(kernel.errno { try $0.mountConfigFS() } == .resourceBusy)
  }

  @Test("without privileges everything can be read and nothing written")
  func unprivileged() throws {
    var machine = SimulatedKernel.Machine()
    machine.isPrivileged = false
    machine.modules = [.init("configfs", .builtIn), .init("nvmet", .loaded)]
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    #expect(kernel.text(Names.controller + "/start") == "0\n")
    #expect(kernel.errno { try $0.put("1\n", Names.controller + "/start") } == .permissionDenied)
    #expect(kernel.errno { try $0.make("nvmet/hosts/h") } == .permissionDenied)
    #expect(kernel.errno { try $0.load("loop") } == .notPermitted)
    #expect(kernel.mark() == nil)
    #expect(kernel.facts.isPrivileged == false)
  }
}
