// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import NVMeTarget
import Testing

@Suite("Names")
struct NQNTests {
  @Test(
    "a name that the kernel can use is accepted",
    arguments: [
      "nq", "pci_epf_nvme.0.nqn", "with spaces", "nqn.2026-01.org.example:disk", "ünïcode",
      String(repeating: "q", count: 223),
    ])
  func good(text: String) throws {
    #expect(try NQN(text).text == text)
  }

  @Test(
    "a name that a directory cannot have, or that the kernel would truncate, is refused",
    arguments: [
      ("", "is empty"), (".", "cannot name a directory"), ("..", "cannot name a directory"),
      ("a/b", "contains \"/\", which ends a directory name"),
      ("a\nb", "contains a control character"),
      ("a\0b", "contains a control character"), ("a\u{7f}", "contains a control character"),
      (String(repeating: "q", count: 224), "has 224 bytes, more than the 223 that NVMe allows"),
      (String(repeating: "ü", count: 112), "has 224 bytes, more than the 223 that NVMe allows"),
    ])
  func bad(text: String, reason: String) {
    #expect(throws: InvalidValue(text, isNot: "an NQN", because: reason)) { try NQN(text) }
  }

  @Test("endpoint functions hold a byte less", arguments: [(222, true), (223, false)])
  func endpointLimit(length: Int, isUsable: Bool) throws {
    #expect(
      try NQN(String(repeating: "q", count: length)).isUsableByEndpointFunction == isUsable)
  }

  @Test(
    "the specification's forms are well formed",
    arguments: [
      "nqn.2026-01.org.example:disk", "nqn.2014-08.org.nvmexpress.discovery",
      "nqn.2014-08.org.nvmexpress:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
      "nqn.1999-12.com.example-two:a:b",
    ])
  func wellFormed(text: String) throws {
    #expect(try NQN(text).isWellFormed)
    #expect(try NQN(text).warning == nil)
  }

  @Test(
    "other names work with a warning",
    arguments: [
      "pci_epf_nvme.0.nqn", "nqn.2026-13.org.example:d", "nqn.2026-00.org.example:d",
      "nqn.26-01.org.example:d", "nqn.2026-01.org", "nqn.2026-01.org..example:d",
      "nqn.2026-01.-org.example:d", "nqn.2026-01.org.example:", "nqn.2026-01:org.example",
      "nqn.2014-08.org.nvmexpress:uuid:f81d", "NQN.2026-01.org.example:disk",
    ])
  func notWellFormed(text: String) throws {
    #expect(try !NQN(text).isWellFormed)
    #expect(
      try NQN(text).warning
        == "\"\(text)\" is not of the form nqn.YYYY-MM.reverse-domain:name; "
        + "Linux accepts it, other hosts may not")
  }

  @Test("the discovery name is written without a line feed")
  func discovery() {
    let value = DiscoveryNQN(.discovery)
    #expect(value.attributeText == "nqn.2014-08.org.nvmexpress.discovery")
    #expect(value.shownText == "nqn.2014-08.org.nvmexpress.discovery\n")
    #expect(DiscoveryNQN(attributeText: value.shownText) == value)
  }
}

@Suite("Identity")
struct IdentityTests {
  @Test(
    "a serial number is shown padded to 20",
    arguments: [
      ("ABC", "ABC                 \n"), ("0123456789abcdefghij", "0123456789abcdefghij\n"),
      ("ABC ", "ABC                 \n"), (" ", "                    \n"),
      (" A", " A                  \n"),
    ])
  func serial(text: String, shown: String) throws {
    let serial = try SerialNumber(text)
    #expect(serial.shownText == shown)
    #expect(shown.utf8.count == 21)
    #expect(SerialNumber(attributeText: shown) == serial)
  }

  @Test("the padding is not written")
  func serialText() throws {
    #expect(try SerialNumber("ABC").attributeText == "ABC\n")
    #expect(SerialNumber(attributeText: "ABC                 \n")?.attributeText == "ABC\n")
  }

  @Test(
    "a text that the kernel refuses is refused",
    arguments: ["", "a\tb", "é", "two\nlines", "\u{7f}"])
  func noASCII(text: String) {
    #expect(throws: InvalidValue.self) { try SerialNumber(text) }
    #expect(throws: InvalidValue.self) { try ModelNumber(text) }
    #expect(throws: InvalidValue.self) { try FirmwareRevision(text) }
  }

  @Test("each text has its length", arguments: [20, 40, 8])
  func length(limit: Int) {
    let fits = String(repeating: "x", count: limit)
    #expect(((try? SerialNumber(fits)) != nil) == (limit <= 20))
    #expect(((try? SerialNumber(fits + "x")) != nil) == (limit < 20))
    #expect((try? ModelNumber(fits)) != nil)
    #expect(((try? ModelNumber(fits + "x")) != nil) == (limit < 40))
    #expect(((try? FirmwareRevision(fits)) != nil) == (limit <= 8))
    #expect((try? FirmwareRevision(fits + "x")) == nil)
  }

  @Test("model and firmware are shown as they are written")
  func model() throws {
    #expect(try ModelNumber("Linux-pci-epf").shownText == "Linux-pci-epf\n")
    #expect(try ModelNumber("trailing ").shownText == "trailing \n")
    #expect(FirmwareRevision(attributeText: "7.2.13\n")?.text == "7.2.13")
  }

  @Test(
    "a vendor ID is shown without leading zeros",
    arguments: [("010\n", "0x8\n"), ("+5", "0x5\n"), ("0x15b7\n", "0x15b7\n"), ("0", "0x0\n")])
  func vendor(text: String, shown: String) {
    #expect(VendorID(attributeText: text)?.shownText == shown)
  }

  @Test(
    "texts that are not vendor IDs are refused",
    arguments: [" 5", "5\n\n", "0x", "08", "-5", "65536", ""])
  func noVendor(text: String) {
    #expect(VendorID(attributeText: text) == nil)
  }

  @Test("an OUI is shown with six digits and has 24 bits")
  func organization() throws {
    #expect(try OUI(0x2538).shownText == "0x002538\n")
    #expect(OUI(attributeText: "0xffffff\n")?.rawValue == 0xff_ffff)
    #expect(OUI(attributeText: "0x1000000") == nil)
    #expect(throws: InvalidValue.self) { try OUI(0x100_0000) }
  }

  @Test(
    "a version has two or three numbers, the third is shown unless 0",
    arguments: [("2.1", "2.1\n"), ("1.3.1", "1.3.1\n"), ("2.1.0", "2.1\n"), ("1.4\n", "1.4\n")])
  func version(text: String, shown: String) {
    #expect(SpecificationVersion(attributeText: text)?.shownText == shown)
  }

  @Test(
    "versions that the kernel would refuse or mangle are refused",
    arguments: ["2", "2.", "abc", "1.256", "-1.0", "+1.0", "1.2.3.4", "", "1. 4", "1.4 "])
  func noVersion(text: String) {
    #expect(throws: InvalidValue.self) { try SpecificationVersion(text) }
  }

  @Test("versions are ordered")
  func versionOrder() {
    #expect(SpecificationVersion(1, 3) < SpecificationVersion(1, 3, 1))
    #expect(SpecificationVersion(1, 4) < SpecificationVersion(2, 0))
  }
}

@Suite("Identifiers of namespaces")
struct IdentifierTests {
  static let shown = "01234567-89ab-cdef-0123-456789abcdef"

  @Test(
    "an NGUID has any separators and is shown like a UUID",
    arguments: [
      "0123456789abcdef0123456789ABCDEF", "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef",
      "01234567-89AB-cdef-0123-456789abcdef",
    ])
  func nguid(text: String) throws {
    #expect(try NGUID(text).shownText == Self.shown + "\n")
    #expect(try NGUID(text).attributeText == Self.shown + "\n")
    #expect(NGUID(attributeText: text + "\n") == (try NGUID(text)))
  }

  @Test(
    "texts that are not NGUIDs are refused",
    arguments: [
      "", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
      "0-123456789abcdef0123456789abcdef", "01--23456789abcdef0123456789abcdef",
      "0123456789abcdef0123456789abcdeg", "-0123456789abcdef0123456789abcdef",
    ])
  func noNGUID(text: String) {
    #expect(throws: InvalidValue.self) { try NGUID(text) }
  }

  @Test("a UUID is shown in lower case")
  func uuid() throws {
    #expect(try UUIDText(Self.shown.uppercased()).shownText == Self.shown + "\n")
    #expect(UUIDText(attributeText: Self.shown + "\n") == (try UUIDText(Self.shown)))
  }

  @Test(
    "texts that are not UUIDs are refused",
    arguments: [
      "", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdeg",
      "01234567-89ab-cdef-0123-456789abcdefjunk", "0123456-789ab-cdef-0123-456789abcdef",
    ])
  func noUUID(text: String) {
    #expect(throws: InvalidValue.self) { try UUIDText(text) }
  }

  @Test("a device path that was never written is (null)")
  func devicePath() throws {
    #expect(DevicePath(attributeText: "(null)\n") == .unset)
    #expect(DevicePath.unset.shownText == "(null)\n")
    #expect(DevicePath(attributeText: "/dev/nullb0\n") == (try DevicePath("/dev/nullb0")))
    #expect(try DevicePath("/dev/nullb0").attributeText == "/dev/nullb0\n")
  }

  @Test(
    "a device path is absolute and of one line", arguments: ["", "x", "(null)", "/a\nb", "/a\0"])
  func noDevicePath(text: String) {
    #expect(throws: InvalidValue.self) { try DevicePath(text) }
  }

  @Test(
    "peer-to-peer memory is off, automatic or a device",
    arguments: [
      ("0\n", .off), ("1\n", .automatic), ("0000:01:00.0\n", .device("0000:01:00.0")),
    ] as [(String, PeerMemory)])
  func peerMemory(text: String, value: PeerMemory) {
    #expect(PeerMemory(attributeText: text) == value)
    #expect(value.attributeText == text)
  }
}

@Suite("Words")
struct WordTests {
  @Test("words are the kernel's")
  func words() {
    #expect(TransportType.allCases.map(\.rawValue) == ["", "rdma", "fc", "tcp", "pci", "loop"])
    #expect(
      AddressFamily.allCases.map(\.rawValue) == ["", "ipv4", "ipv6", "ib", "fc", "pci", "loop"])
    #expect(
      SecureChannel.allCases.map(\.attributeText)
        == ["not specified\n", "required\n", "not required\n"])
    #expect(
      TransportSpecificAddress.allCases.map(\.rawValue)
        == ["", "none", "tls1.3", "connected", "datagram"])
    #expect(
      ANAState.allCases.map(\.rawValue)
        == ["optimized", "non-optimized", "inaccessible", "persistent-loss", "change"])
    #expect(
      AuthenticationHash.allCases.map(\.rawValue)
        == ["hmac(sha256)", "hmac(sha384)", "hmac(sha512)"])
  }

  @Test("an unset word is an empty line")
  func unset() {
    #expect(TransportType(attributeText: "\n") == .unset)
    #expect(AddressFamily(attributeText: "\n") == .unset)
    #expect(SecureChannel(attributeText: "\n") == nil)
  }

  @Test("nvmet does not accept pcie", arguments: ["pcie", "PCI", "pci ", "pci\n\n"])
  func noWord(text: String) {
    #expect(AddressFamily(attributeText: text) == nil)
  }

  @Test("error messages name the words")
  func expected() {
    #expect(
      SecureChannel.expectedForm == "one of \"not specified\", \"required\", \"not required\"")
  }

  @Test("the kernel loads the modules of only some transports")
  func modules() {
    #expect(
      TransportType.allCases.filter(\.isLoadedOnDemand).map(\.moduleName)
        == ["nvmet-rdma", "nvmet-tcp", "nvme-loop"])
    #expect(TransportType.pci.moduleName == "nvmet-pci-epf")
  }

  @Test("an address holds 255 bytes and a service 31", arguments: [(255, 31)])
  func lengths(address: Int, service: Int) {
    #expect((try? TransportAddress(String(repeating: "a", count: address))) != nil)
    #expect((try? TransportAddress(String(repeating: "a", count: address + 1))) == nil)
    #expect((try? ServiceID(String(repeating: "1", count: service))) != nil)
    #expect((try? ServiceID(String(repeating: "1", count: service + 1))) == nil)
  }

  @Test("an address is one word, or none", arguments: [("", true), ("::1", true), ("a b", false)])
  func addressWord(text: String, isGood: Bool) {
    #expect(((try? TransportAddress(text)) != nil) == isGood)
    #expect(TransportAddress(attributeText: "\n") == TransportAddress.none)
  }

  @Test("a key is hidden, and cleared by a NUL")
  func key() throws {
    let key = try AuthenticationKey("DHHC-1:01:YWJj:")
    #expect(key.attributeText == "DHHC-1:01:YWJj:\n")
    #expect(key.reportedText == "(hidden)")
    #expect(AuthenticationKey(attributeText: "DHHC-1:01:YWJj:\n") == key)
    #expect(AuthenticationKey.none.attributeText == "\0")
    #expect(AuthenticationKey.none.shownText == "\n")
    #expect(AuthenticationKey(attributeText: "\n") == AuthenticationKey.none)
  }

  @Test(
    "texts that are not keys are refused",
    arguments: ["", "abc", "DHHC-1:04:YQ==:", "DHHC-1:00:YQ==", "DHHC-1:00::", "DHHC-1:00:a b:"])
  func noKey(text: String) {
    let error = #expect(throws: InvalidValue.self) { try AuthenticationKey(text) }
    #expect(error?.text == "(hidden)")
  }
}
