// SPDX-License-Identifier: Apache-2.0
import SimulatedKernel
import SystemPackage
import Testing

/// The text that is written, and the text that is read then, without the line feed; nil is EINVAL.
typealias Vector = (written: String, shown: String?)

@Suite("Parsers: the examples of the reference")
struct AttributeTests {
  private func check(
    _ kernel: SimulatedKernel, _ attribute: String, _ written: String, _ shown: String?,
    _ errno: Errno = .invalidArgument
  ) {
    let before = kernel.text(attribute)
    let result = kernel.errno { try $0.put(written, attribute) }
    guard let shown else {
      #expect(result == errno)
      #expect(kernel.text(attribute) == before)
      return
    }
    #expect(result == nil)
    #expect(kernel.text(attribute) == shown + "\n")
  }

  private func target() throws -> SimulatedKernel {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet")
    try kernel.make(Names.subsystem)
    try kernel.make(Names.subsystem + "/namespaces/1")
    try kernel.make(Names.port)
    try kernel.make("nvmet/hosts/h")
    return kernel
  }

  // configfs.md, 5.1; nvmet.md, 4.1
  @Test(
    "kstrtou16 in attr_vendor_id",
    arguments: [
      ("010", "0x8"), ("+5", "0x5"), ("0x1F\n", "0x1f"), ("0X1f", "0x1f"), ("65535\n", "0xffff"),
      (" 5", nil), ("5\n\n", nil), ("0x", nil), ("08", nil), ("-5", nil), ("65536", nil),
      ("\n", nil), ("4k", nil), ("1_0", nil),
    ] as [Vector])
  func vendor(vector: Vector) throws {
    check(try target(), Names.subsystem + "/attr_vendor_id", vector.written, vector.shown)
  }

  // configfs.md, 5.2
  @Test(
    "kstrtobool",
    arguments: [
      ("1", "1"), ("yes", "1"), ("T", "1"), ("on", "1"), ("oNx", "1"), ("10", "1"), ("0", "0"),
      ("no", "0"), ("false", "0"), ("oF", "0"), ("0x1", "0"), ("enable", "1"), ("disabled", "0"),
      ("o", nil), ("\n", nil), (" 1", nil), ("2", nil), ("ox", nil),
    ] as [Vector])
  func bool(vector: Vector) throws {
    let attribute = Names.subsystem + "/attr_allow_any_host"
    check(try target(), attribute, vector.written, vector.shown)
    let older = SimulatedKernel(.linux6_12)
    try older.load("nvmet")
    try older.make(Names.subsystem)
    let isWord = vector.written == "enable" || vector.written == "disabled"
    check(older, attribute, vector.written, isWord ? nil : vector.shown)
  }

  // nvmet.md, 4.1
  @Test(
    "the attributes of a subsystem",
    arguments: [
      ("attr_cntlid_min", "5junk", "5"), ("attr_cntlid_min", "65537", "1"),
      ("attr_cntlid_min", "-1", nil), ("attr_cntlid_min", "0x10", nil),
      ("attr_cntlid_min", "65520", nil), ("attr_cntlid_max", "65535", "65535"),
      ("attr_cntlid_max", "0", nil), ("attr_version", "2", nil), ("attr_version", "2.", nil),
      ("attr_version", "abc", nil), ("attr_version", "  1. 4", "1.4"),
      ("attr_version", "1.3.1", "1.3.1"), ("attr_version", "2.1.0", "2.1"),
      ("attr_version", "1.256", "1.0"), ("attr_version", "-1.0", "281474976710655.0"),
      ("attr_model", "two\nlines", "two"), ("attr_model", "\n", nil), ("attr_model", "a\tb", nil),
      ("attr_model", String(repeating: "m", count: 41), nil),
      ("attr_serial", "ABC", "ABC                 "), ("attr_serial", "\n", nil),
      ("attr_serial", String(repeating: "s", count: 21), nil), ("attr_serial", "é", nil),
      ("attr_firmware", "12345678\n", "12345678"), ("attr_firmware", "123456789\n", nil),
      ("attr_firmware", "\n", nil), ("attr_qid_max", "4x", "4"), ("attr_qid_max", "0", nil),
      ("attr_qid_max", "129", nil), ("attr_ieee_oui", "0xabc\n", "0x000abc"),
      ("attr_ieee_oui", "0x1000000", nil),
    ] as [(String, String, String?)])
  func subsystem(name: String, written: String, shown: String?) throws {
    check(try target(), Names.subsystem + "/" + name, written, shown)
  }

  // nvmet.md, 4.1
  @Test("defaults, and what 6.12 lacks")
  func defaults() throws {
    let kernel = try target()
    func text(_ name: String) -> String? { kernel.text(Names.subsystem + "/attr_" + name) }
    #expect(text("version") == "2.1\n")
    #expect(text("model") == "Linux\n")
    #expect(text("firmware") == "7.2.13\n")
    #expect(text("ieee_oui") == "0x000000\n")
    #expect(text("cntlid_max") == "65519\n")
    #expect(text("serial")?.utf8.count == 21)
    #expect(text("pi_enable") == nil)

    let older = SimulatedKernel(.linux6_12)
    try older.load("nvmet")
    try older.make(Names.subsystem)
    try older.make(Names.subsystem + "/namespaces/1")
    try older.make(Names.port)
    #expect(older.text(Names.subsystem + "/attr_version") == "1.3\n")
    #expect(older.text(Names.subsystem + "/attr_vendor_id") == nil)
    #expect(older.text(Names.subsystem + "/namespaces/1/resv_enable") == nil)
    #expect(older.text(Names.port + "/param_mdts") == nil)
    #expect(
      older.errno { try $0.put("pci\n", Names.port + "/addr_trtype") } == .invalidArgument)
  }

  // nvmet.md, 5
  @Test(
    "the attributes of a namespace",
    arguments: [
      (
        "device_nguid", "0123456789abcdef0123456789ABCDEF",
        "01234567-89ab-cdef-0123-456789abcdef", nil
      ),
      (
        "device_nguid", "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:AB:CD:00junk",
        "01234567-89ab-cdef-0123-456789abcd00", nil
      ),
      ("device_nguid", "0123456789abcdef0123456789ABCDE", nil, .invalidArgument),
      ("device_uuid", "0123456789abcdef0123456789ABCDEF", nil, .invalidArgument),
      (
        "device_uuid", "11111111-2222-3333-4444-55555555AAAAjunk",
        "11111111-2222-3333-4444-55555555aaaa", nil
      ),
      ("ana_grpid", "127", "127", nil), ("ana_grpid", "0", nil, .invalidArgument),
      ("ana_grpid", "129", nil, .invalidArgument), ("ana_grpid", "zz", nil, .invalidArgument),
      ("ana_grpid", "4294967296", nil, .outOfRange), ("device_path", "\n", nil, .invalidArgument),
      ("device_path", "/srv/f1\njunk", "/srv/f1", nil), ("buffered_io", "x", nil, .invalidArgument),
      ("enable", "x", nil, .invalidArgument), ("enable", "0", "0", nil),
      ("resv_enable", "1\n", "1", nil),
    ] as [(String, String, String?, Errno?)])
  func namespace(name: String, written: String, shown: String?, errno: Errno?) throws {
    let attribute = Names.subsystem + "/namespaces/1/" + name
    check(try target(), attribute, written, shown, errno ?? .invalidArgument)
  }

  // nvmet.md, 2
  @Test(
    "names",
    arguments: [
      ("subsystems/nqn.2014-08.org.nvmexpress.discovery", .invalidArgument),
      ("subsystems/with space", nil), ("subsystems/nq/namespaces/0", .invalidArgument),
      ("subsystems/nq/namespaces/4294967295", .invalidArgument),
      ("subsystems/nq/namespaces/4294967294", nil),
      ("subsystems/nq/namespaces/4294967296", .outOfRange),
      ("subsystems/nq/namespaces/x", .invalidArgument),
      ("subsystems/nq/namespaces/0x1", .noMemory), ("ports/0x1", nil),
      ("ports/65536", .invalidArgument), ("ports/x", .invalidArgument),
      ("ports/1/ana_groups/2", nil), ("ports/1/ana_groups/129", .invalidArgument),
      ("ports/1/ana_groups/0x1", .invalidArgument), ("ports/1/referrals/any", nil),
    ] as [(String, Errno?)])
  func names(path: String, errno: Errno?) throws {
    #expect(try target().errno { try $0.make("nvmet/" + path) } == errno)
  }

  // nvmet.md, 2
  @Test("the 1025th namespace gives ENOMEM")
  func manyNamespaces() throws {
    let kernel = try target()
    for id in 2...1024 { try kernel.make(Names.subsystem + "/namespaces/\(id)") }
    #expect(
      kernel.errno { try $0.make(Names.subsystem + "/namespaces/2000") } == .noMemory)
  }

  // nvmet.md, 9.1, 11, 8
  @Test(
    "ports, ANA groups and hosts",
    arguments: [
      ("ports/1/addr_trtype", "pci\n", "pci"), ("ports/1/addr_trtype", "pcie\n", nil),
      ("ports/1/addr_adrfam", "pcie", nil), ("ports/1/addr_adrfam", "ipv6", "ipv6"),
      ("ports/1/addr_treq", "not required\n", "not required"), ("ports/1/addr_treq", "no", nil),
      ("ports/1/addr_traddr", " 10.0.0.1 more\n", "10.0.0.1"), ("ports/1/addr_traddr", " \n", ""),
      ("ports/1/addr_traddr", String(repeating: "a", count: 257), nil),
      ("ports/1/addr_trsvcid", String(repeating: "1", count: 33), nil),
      ("ports/1/addr_tsas", "none\n", nil), ("ports/1/param_inline_data_size", "-7", "-7"),
      ("ports/1/param_max_queue_size", "x", nil), ("ports/1/param_mdts", "256", nil),
      ("ports/1/param_mdts", "-1", nil), ("ports/1/param_mdts", "255", "255"),
      ("ports/1/ana_groups/1/ana_state", "change\n", "change"),
      ("ports/1/ana_groups/1/ana_state", "gone", nil), ("hosts/h/dhchap_key", "x", nil),
      ("hosts/h/dhchap_key", "DHHC-1:00:abc: \n", "DHHC-1:00:abc:"),
      ("hosts/h/dhchap_key", "DHHC-1:4:", nil), ("hosts/h/dhchap_key", "\n", nil),
      ("hosts/h/dhchap_key", "\0", ""), ("hosts/h/dhchap_hash", "hmac(sha384)xx", "hmac(sha384)"),
      ("hosts/h/dhchap_dhgroup", "ffdhe2048\n", "ffdhe2048"), ("hosts/h/dhchap_dhgroup", "x", nil),
    ] as [(String, String, String?)])
  func ports(path: String, written: String, shown: String?) throws {
    check(try target(), "nvmet/" + path, written, shown)
  }

  // nvmet.md, 3
  @Test(
    "discovery_nqn",
    arguments: [("n", nil), ("nqx", "nqx"), ("\n", nil), ("d", "d")]
      as [Vector])
  func discovery(vector: Vector) throws {
    check(try target(), "nvmet/discovery_nqn", vector.written, vector.shown)
  }

  // nvmet.md, 3
  @Test("discovery_nqn doesn't count the line feed")
  func shortCount() throws {
    #expect(try target().put("disc\n", "nvmet/discovery_nqn") == 4)
    #expect(try target().put("disc", "nvmet/discovery_nqn") == 4)
  }

  // pci_ep.md, 3
  @Test(
    "the header",
    arguments: [
      ("subsys_id", "077", "0x003f"), ("vendorid", "0x12345", nil), ("vendorid", "-1", nil),
      ("vendorid", "zz", nil), ("vendorid", "\n", nil), ("revid", "256", nil),
      ("interrupt_pin", "9", "0x0009"), ("msi_interrupts", "33", "33"),
      ("msi_interrupts", "256", nil), ("msix_interrupts", "65535\n", "65535"),
    ] as [(String, String, String?)])
  func header(name: String, written: String, shown: String?) throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet_pci_epf")
    try kernel.make(Names.function)
    check(kernel, Names.function + "/" + name, written, shown)
  }

  // pci_ep.md, 6.1
  @Test(
    "mdts_kb and portid of nvmet_pci_epf",
    arguments: [
      ("mdts_kb", "0", "512", nil), ("mdts_kb", "3000", "2048", nil),
      ("mdts_kb", "96", nil, .invalidArgument), ("mdts_kb", "1", "1", nil),
      ("mdts_kb", "-4", nil, .invalidArgument),
      ("mdts_kb", "12345678901234567890123", nil, .outOfRange), ("portid", "65535", "65535", nil),
      ("portid", "65536", nil, .invalidArgument), ("portid", "x", nil, .invalidArgument),
    ] as [(String, String, String?, Errno?)])
  func nvmetPCIEPFGroup(name: String, written: String, shown: String?, errno: Errno?) throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet_pci_epf")
    try kernel.make(Names.function)
    check(kernel, Names.function + "/nvme/" + name, written, shown, errno ?? .invalidArgument)
  }

  // pci_ep.md, 6.1
  @Test(
    "subsysnqn loses its last byte",
    arguments: [
      ("abc\n", "abc"), ("abc", "ab"), ("a", ""), ("\n", ""), ("one\ntwo\n", "one\ntwo"),
      (String(repeating: "q", count: 222) + "\n", String(repeating: "q", count: 222)),
    ] as [Vector])
  func subsystemName(vector: Vector) throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet_pci_epf")
    try kernel.make(Names.function)
    check(kernel, Names.function + "/nvme/subsysnqn", vector.written, vector.shown)
  }

  // pci_epf_nvme.md, 4.3
  @Test(
    "mdts_kb",
    arguments: [
      ("128", "128", nil), ("0", "128", nil), ("0x100", "256", nil), ("0200", "128", nil),
      ("2000", "1024", nil), ("99999", "1024", nil), ("100", nil, .invalidArgument),
      ("1000", nil, .invalidArgument), ("8", "8", nil), ("1", "1", nil),
      ("-1", nil, .invalidArgument), ("1 2", nil, .invalidArgument), ("\n", nil, .invalidArgument),
      ("18446744073709551616", nil, .outOfRange),
    ] as [(String, String?, Errno?)])
  func pciEPFNVMeTransfer(written: String, shown: String?, errno: Errno?) throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.makePCIEPFNVMeFunction()
    let attribute = Names.pciEPFNVMeFunction + "/nvme/mdts_kb"
    check(kernel, attribute, written, shown, errno ?? .invalidArgument)
  }

  // pci_epf_nvme.md, 5.1
  @Test(
    "ctrl_opts",
    arguments: [
      ("transport=loop,nqn=n1", "transport=loop,nqn=n1,hidden_ns"),
      ("transport=loop,nqn=n1\n", "transport=loop,nqn=n1\n,hidden_ns"),
      ("nqn=n1,hidden_ns", "nqn=n1,hidden_ns"), ("nqn=n1,hidden_ns\n", "nqn=n1,hidden_ns\n"),
      ("transport=loop,nqn=my_hidden_ns_test", "transport=loop,nqn=my_hidden_ns_test"),
    ] as [Vector])
  func options(vector: Vector) throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.makePCIEPFNVMeFunction()
    check(kernel, Names.pciEPFNVMeFunction + "/nvme/ctrl_opts", vector.written, vector.shown)
  }

  // pci_epf_nvme.md, 19.5
  @Test("attributes after mkdir on a newly loaded module")
  func pciEPFNVMeDefaults() throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.load("pci_epf_nvme")
    try kernel.make(Names.pciEPFNVMeFunction)
    kernel.advance(by: .milliseconds(1))
    let expected = [
      "vendorid": "0xffff\n", "deviceid": "0xffff\n", "revid": "0x0000\n",
      "progif_code": "0x0002\n", "subclass_code": "0x0008\n", "baseclass_code": "0x0001\n",
      "cache_line_size": "0x0000\n", "subsys_vendor_id": "0x0000\n", "subsys_id": "0x0000\n",
      "interrupt_pin": "0x0001\n", "msi_interrupts": "0\n", "msix_interrupts": "0\n",
      "nvme/ctrl_opts": "", "nvme/dma_enable": "1\n", "nvme/mdts_kb": "128\n",
    ]
    for (name, text) in expected {
      #expect(kernel.text(Names.pciEPFNVMeFunction + "/" + name) == text)
    }
  }
}
