// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import KernelModules
import SimulatedKernel
import SystemPackage
import Testing

@Suite("nvmet: namespaces, ports, locks")
struct TargetTests {
  private func prepared() throws -> SimulatedKernel {
    var machine = SimulatedKernel.Machine()
    machine.storage["/srv/file"] = .init(.regularFile, size: 3 << 20)
    machine.storage["/srv/empty"] = .init(.regularFile)
    machine.storage["/srv/fifo"] = .init(.other)
    machine.storage["/srv/link"] = .init(.symbolicLink, target: "file")
    var overlay = SimulatedKernel.StoredObject(.regularFile, size: 1 << 20)
    overlay.allowsDirectIO = false
    machine.storage["/srv/overlay"] = overlay
    var frozen = SimulatedKernel.StoredObject(.blockDevice, size: 1 << 20)
    frozen.isReadOnly = true
    machine.storage["/dev/frozen"] = frozen
    frozen.kind = .regularFile
    machine.storage["/srv/frozen"] = frozen
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    try kernel.load("nvmet")
    try kernel.load("loop")
    try kernel.make(Names.subsystem)
    try kernel.make(Names.subsystem + "/namespaces/1")
    try kernel.make(Names.port)
    return kernel
  }

  private static let namespace = Names.subsystem + "/namespaces/1"

  // nvmet.md, 6
  @Test(
    "enabling a namespace, by what device_path is",
    arguments: [
      (nil, false, .invalidArgument), ("/missing", false, .noSuchFileOrDirectory),
      ("/srv", false, .isDirectory), ("/dev/zero", false, .invalidArgument),
      ("/dev/zero", true, nil),
      ("/srv/fifo", false, .invalidArgument), ("/srv/fifo", true, nil),
      ("/dev/frozen", false, .permissionDenied), ("/srv/frozen", false, .readOnlyFileSystem),
      ("/srv/overlay", false, .invalidArgument), ("/srv/overlay", true, nil),
      ("/srv/empty", false, nil), ("/srv/file", false, nil), ("/srv/link", false, nil),
      ("/dev/loop0", false, nil), ("/dev/sda", true, nil), ("/dev/sda/x", false, .notDirectory),
    ] as [(String?, Bool, Errno?)])
  func enable(path: String?, isBuffered: Bool, errno: Errno?) throws {
    let kernel = try prepared()
    if let path { try kernel.put(path + "\n", Self.namespace + "/device_path") }
    if isBuffered { try kernel.put("1", Self.namespace + "/buffered_io") }
    #expect(kernel.errno { try $0.put("1", Self.namespace + "/enable") } == errno)
    #expect(kernel.text(Self.namespace + "/enable") == (errno == nil ? "1\n" : "0\n"))
    if path == "/missing" {
      #expect(kernel.logLines.last == "nvmet: failed to open block device /missing: (-2)")
    }
    if path == "/srv/overlay", errno != nil {
      #expect(kernel.logLines.last == "nvmet: failed to open file /srv/overlay: (-22)")
    }
  }

  // nvmet.md, 14
  @Test(
    "an enabled namespace refuses a write to this attribute",
    arguments: [
      ("device_path", "/srv/file\n", .resourceBusy),
      ("device_uuid", "11111111-2222-3333-4444-555555555555", .resourceBusy),
      ("device_nguid", "0123456789abcdef0123456789ABCDEF", .resourceBusy),
      ("buffered_io", "1", .invalidArgument), ("resv_enable", "1", .invalidArgument),
      ("ana_grpid", "2", nil), ("enable", "1", nil), ("revalidate_size", "1", nil),
      ("revalidate_size", "0", .invalidArgument),
    ] as [(String, String, Errno?)])
  func enabledLocks(name: String, written: String, errno: Errno?) throws {
    let kernel = try prepared()
    try kernel.put("/dev/sda\n", Self.namespace + "/device_path")
    #expect(
      kernel.errno { try $0.put("1", Self.namespace + "/revalidate_size") } == .invalidArgument)
    try kernel.put("1", Self.namespace + "/enable")
    #expect(kernel.errno { try $0.put(written, Self.namespace + "/" + name) } == errno)
    #expect(kernel.errno { try $0.drop(Self.namespace) } == nil)
  }

  // nvmet.md, 10
  @Test(
    "enabling a port",
    arguments: [
      ([], .invalidArgument, nil),
      ([("addr_trtype", "fc")], .invalidArgument, "nvmet: transport type 2 not supported"),
      ([("addr_trtype", "pci")], .invalidArgument, "nvmet: transport type 0 not supported"),
      ([("addr_trtype", "loop")], nil, nil),
      ([("addr_trtype", "tcp")], .invalidArgument, "nvmet_tcp: address family 255 not supported"),
      (
        [("addr_trtype", "tcp"), ("addr_adrfam", "ipv4"), ("addr_traddr", "x")], .invalidArgument,
        "nvmet_tcp: malformed ip/port passed: x:"
      ),
      (
        [
          ("addr_trtype", "tcp"), ("addr_adrfam", "ipv4"), ("addr_traddr", "10.9.9.9"),
          ("addr_trsvcid", "4420"),
        ], .addressNotAvailable, "nvmet_tcp: failed to bind port socket -99"
      ),
      (
        [
          ("addr_trtype", "tcp"), ("addr_adrfam", "ipv4"), ("addr_traddr", "127.0.0.1"),
          ("addr_trsvcid", "4420"),
        ], nil, "nvmet_tcp: enabling port 1 (127.0.0.1:4420)"
      ),
    ] as [([(String, String)], Errno?, String?)])
  func enablePort(values: [(String, String)], errno: Errno?, line: String?) throws {
    let kernel = try prepared()
    for (name, value) in values { try kernel.put(value + "\n", Names.port + "/" + name) }
    let lines = kernel.logged { kernel in
      #expect(
        kernel.errno { try $0.link(Names.port + "/subsystems/s", Names.subsystem) } == errno)
    }
    if let line { #expect(lines.last == line) }
    if values.isEmpty { #expect(lines.isEmpty) }
    #expect(try kernel.names(Names.port + "/subsystems") == (errno == nil ? ["s"] : []))
  }

  // nvmet.md, 10
  @Test("a module that has an alias is loaded by enabling a port, others are not")
  func autoload() throws {
    let kernel = try prepared()
    #expect(try kernel.state(of: "nvme-loop") == .loadable)
    try kernel.put("loop\n", Names.port + "/addr_trtype")
    try kernel.link(Names.port + "/subsystems/s", Names.subsystem)
    #expect(try kernel.state(of: "nvme-loop") == .loaded)
    #expect(kernel.errno { try $0.unload("nvme_loop") } == .resourceTemporarilyUnavailable)
    #expect(kernel.errno { try $0.unload("nvmet") } == .resourceTemporarilyUnavailable)
  }

  // nvmet.md, 9.2
  @Test("enabling writes the computed parameters back")
  func parameters() throws {
    for (written, shown) in [("-1", "1024"), ("5", "16"), ("5000", "1024"), ("64", "64")] {
      let kernel = try prepared()
      try kernel.put(written, Names.port + "/param_max_queue_size")
      try kernel.put("loop", Names.port + "/addr_trtype")
      try kernel.link(Names.port + "/subsystems/s", Names.subsystem)
      #expect(kernel.text(Names.port + "/param_max_queue_size") == shown + "\n")
      #expect(kernel.text(Names.port + "/param_inline_data_size") == "0\n")
      #expect(kernel.text(Names.port + "/param_mdts") == "0\n")
    }
  }

  // nvmet.md, 9.1
  @Test("an enabled port refuses everything with EACCES and a log line")
  func portLock() throws {
    let kernel = try prepared()
    try kernel.put("loop", Names.port + "/addr_trtype")
    try kernel.link(Names.port + "/subsystems/s", Names.subsystem)
    for name in [
      "addr_trtype", "addr_adrfam", "addr_treq", "addr_traddr", "addr_trsvcid", "addr_tsas",
      "param_inline_data_size", "param_max_queue_size", "param_mdts",
    ] {
      #expect(kernel.errno { try $0.put("loop\n", Names.port + "/" + name) } == .permissionDenied)
      #expect(
        kernel.logLines.last
          == "nvmet: Disable port '1' before changing attribute in nvmet_\(name)_store")
    }
  }

  // nvmet.md, 8
  @Test("allowed hosts and attr_allow_any_host exclude each other")
  func hosts() throws {
    let kernel = try prepared()
    try kernel.make("nvmet/hosts/h")
    let allowed = Names.subsystem + "/allowed_hosts/"
    #expect(kernel.errno { try $0.link(allowed + "s", Names.subsystem) } == .invalidArgument)
    try kernel.link(allowed + "h", "nvmet/hosts/h")
    #expect(kernel.errno { try $0.link(allowed + "again", "nvmet/hosts/h") } == .fileExists)
    let any = Names.subsystem + "/attr_allow_any_host"
    #expect(kernel.errno { try $0.put("1", any) } == .invalidArgument)
    #expect(kernel.errno { try $0.drop("nvmet/hosts/h") } == .resourceBusy)
    try kernel.unlink(allowed + "h")
    try kernel.put("1", any)
    #expect(kernel.errno { try $0.link(allowed + "h", "nvmet/hosts/h") } == .invalidArgument)
  }

  // nvmet.md, 7
  @Test("passthru")
  func passthru() throws {
    let kernel = try prepared()
    let passthru = Names.subsystem + "/passthru"
    #expect(kernel.errno { try $0.put("1", passthru + "/enable") } == .invalidArgument)
    try kernel.put("/dev/nvme0\n", passthru + "/device_path")
    #expect(kernel.errno { try $0.put("1", passthru + "/enable") } == .invalidArgument)
    try kernel.drop(Self.namespace)
    try kernel.put("1", passthru + "/enable")
    #expect(kernel.errno { try $0.put("x", passthru + "/device_path") } == .resourceBusy)
    #expect(
      kernel.errno { try $0.put("1.4", Names.subsystem + "/attr_version") } == .invalidArgument)
    try kernel.make(Self.namespace)
    try kernel.put("/dev/sda\n", Self.namespace + "/device_path")
    try kernel.put("1", Self.namespace + "/enable")
    #expect(kernel.text(Self.namespace + "/enable") == "0\n")
    try kernel.put("0", passthru + "/enable")
    #expect(kernel.text(Names.subsystem + "/attr_version") == "2.1\n")
  }

  // nvmet.md, 4.1
  @Test("Identify Controller fixes the subsystem's identity")
  func discovered() throws {
    let kernel = SimulatedKernel.withVirtualController()
    try kernel.makeFunction()
    try kernel.bind()
    kernel.host(.identify, at: "a40000000.pcie-ep")
    for name in ["attr_version", "attr_serial", "attr_model", "attr_ieee_oui", "attr_firmware"] {
      #expect(
        kernel.errno { try $0.put("1.4\n", Names.subsystem + "/" + name) } == .invalidArgument)
      #expect(kernel.logLines.last?.hasSuffix("is already assigned") == true)
    }
    #expect(
      kernel.logLines.contains("nvmet: Can't set model number. Linux is already assigned"))
    #expect(kernel.errno { try $0.put("1", Names.subsystem + "/attr_vendor_id") } == nil)
  }

  // null_blk.md, 12
  @Test("power off under an enabled namespace")
  func deadDisk() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.makeTarget("loop")
    try kernel.put("0", "nullb/disk/power")
    #expect(kernel.text(Self.namespace + "/enable") == "1\n")
    try kernel.put("0", Self.namespace + "/enable")
    #expect(
      kernel.errno { try $0.put("1", Self.namespace + "/enable") } == .noSuchFileOrDirectory)
  }

  // null_blk.md, 17
  @Test("a loop device in use unbinds when the namespace closes it")
  func loop() throws {
    let kernel = try prepared()
    let device = try kernel.attachLoop(LoopConfiguration(file: "/srv/file", blockSize: 4096))
    #expect(device == "/dev/loop0")
    #expect(try kernel.describe(device).size == 3 << 20)
    #expect(try kernel.loopFile(of: device) == "/srv/file")
    try kernel.put("/dev/loop0", Self.namespace + "/device_path")
    try kernel.put("1", Self.namespace + "/enable")
    try kernel.detachLoop(device)
    #expect(try kernel.boundLoops().count == 1)
    try kernel.put("0", Self.namespace + "/enable")
    #expect(try kernel.boundLoops().isEmpty)
    #expect(kernel.errno { try $0.detachLoop(device) } == .noSuchAddressOrDevice)
  }

  @Test("files: created once, in directories that exist")
  func files() throws {
    let kernel = SimulatedKernel(.linux7_2)
    let path: FilePath = "/var/lib/epfnvme/disk.img"
    try kernel.createFile(path, size: 1 << 30)
    #expect(kernel.errno { try $0.createFile(path, size: 1) } == .fileExists)
    #expect(kernel.errno { try $0.createFile("/no/x", size: 1) } == .noSuchFileOrDirectory)
    #expect(
      try kernel.describe(path)
        == BackingDescription(kind: .regularFile, size: 1 << 30, blockSize: 4096))
    try kernel.removeFile(path)
    #expect(kernel.errno { try $0.removeFile(path) } == .noSuchFileOrDirectory)
  }
}
