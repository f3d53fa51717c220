// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// Values of attributes and names of directories: valid values, values at their limits, and invalid ones.
struct Grammar {
  enum Form {
    case flag
    /// The largest value.
    case number(UInt64)
    case words([String])
    /// The longest text, in bytes.
    case text(Int)
    case version, uuid, nguid, badBlocks, nqn, devicePath
  }

  /// The format that the parser of an attribute expects, by its name.
  static let forms: [String: Form] = {
    var forms: [String: Form] = [:]
    for name in ["vendorid", "deviceid", "subsys_vendor_id", "subsys_id", "msix_interrupts"] {
      forms[name] = .number(0xffff)
    }
    for name in [
      "revid", "progif_code", "subclass_code", "baseclass_code", "cache_line_size",
      "interrupt_pin", "msi_interrupts",
    ] { forms[name] = .number(0xff) }
    // Memory for more than 4 MiB depends on the machine.
    for bar in 0...5 {
      forms["bar\(bar)_size"] = .words([
        "0", "1", "3", "128", "4096", "65536", "0x20000", "1048576", "4194304", "0x80000000",
        "4294967295", "4294967296", "-1", "x", "131073",
      ])
    }
    forms.merge([
      "start": .flag, "portid": .number(0xffff), "subsysnqn": .nqn, "mdts_kb": .number(2048),
      "discovery_nqn": .nqn,
      "attr_allow_any_host": .flag, "attr_version": .version, "attr_serial": .text(20),
      "attr_cntlid_min": .number(65535), "attr_cntlid_max": .number(65535),
      "attr_vendor_id": .number(0xffff), "attr_subsys_vendor_id": .number(0xffff),
      "attr_model": .text(40), "attr_qid_max": .number(128), "attr_ieee_oui": .number(0xff_ffff),
      "attr_firmware": .text(8), "attr_pi_enable": .flag,
      "device_path": .devicePath, "device_nguid": .nguid, "device_uuid": .uuid,
      "ana_grpid": .number(127), "enable": .flag, "buffered_io": .flag, "revalidate_size": .flag,
      "resv_enable": .flag, "p2pmem": .words(["0", "1", "0000:00:03.0", "yes", "no", "0000:"]),
      "admin_timeout": .number(0xffff_ffff), "io_timeout": .number(0xffff_ffff),
      "clear_ids": .number(0xffff_ffff),
      "addr_adrfam": .words(["ipv4", "ipv6", "ib", "fc", "pci", "loop", "pcie", "IPV4"]),
      "addr_treq": .words(["not specified", "required", "not required", "none"]),
      "addr_trtype": .words(["loop", "pci", "tcp", "loop", "pci", "rdma", "fc", "pcie", "TCP"]),
      "addr_traddr": .words([
        "127.0.0.1", "0.0.0.0", "::1", "192.0.2.1", "127.0.0.1 junk", "  127.0.0.1", "1.2.3",
        "localhost", String(repeating: "a", count: 254),
      ]),
      "addr_trsvcid": .words([
        "4420", "4421", "65535", "65536", "0", "nvme", "4420 x", String(repeating: "1", count: 30),
      ]),
      "addr_tsas": .words(["none", "tls1.3", "connected", "datagram", ""]),
      "addr_portid": .number(0xffff),
      "param_inline_data_size": .number(0x7fff_ffff), "param_max_queue_size": .number(1024),
      "param_mdts": .number(255), "param_pi_enable": .flag,
      "ana_state": .words([
        "optimized", "non-optimized", "inaccessible", "persistent-loss", "change", "optimize",
      ]),
      "dhchap_key": .words(["DHHC-1:00:x:", "DHHC-1:03:", "DHHC-1:4", "DHHC-1:0 ", "x"]),
      "dhchap_ctrl_key": .words(["DHHC-1:00:x:", "DHHC-1:9:x", "DHHC-2:0"]),
      "dhchap_hash": .words(["hmac(sha256)", "hmac(sha512)x", "sha256"]),
      "dhchap_dhgroup": .words(["null", "ffdhe2048", "ffdhe8192x", "ffdhe1"]),
      "badblocks": .badBlocks, "power": .flag, "blocksize": .number(65536),
      "zone_offline": .number(512_000), "zone_readonly": .number(512_000),
      "size": .number(256_000), "zone_size": .number(256), "zone_capacity": .number(256),
      "hw_queue_depth": .number(10240), "submit_queues": .number(2), "poll_queues": .number(1),
      "irqmode": .number(2), "queue_mode": .number(2), "mbps": .number(40960),
      "cache_size": .number(64), "completion_nsec": .number(.max), "home_node": .number(0),
      "index": .number(0xffff_ffff), "max_sectors": .number(0xffff_ffff),
      "zone_nr_conv": .number(16), "zone_max_open": .number(16), "zone_max_active": .number(16),
      "zone_append_max_sectors": .number(0x7fff_ffff),
    ]) { _, new in new }
    for name in [
      "badblocks_once", "badblocks_partial_io", "blocking", "discard", "fua", "memory_backed",
      "no_sched", "rotational", "shared_tag_bitmap", "shared_tags", "use_per_node_hctx",
      "virt_boundary", "zone_full", "zoned",
    ] { forms[name] = .flag }
    return forms
  }()

  static func isAttribute(_ name: String) -> Bool {
    forms[name] != nil || name == "features"
  }

  /// Values that a driver multiplies with memory: what a machine of 1 GiB cannot hold depends on the machine and is not compared.
  private static let limited: Set = [
    "size", "zone_size", "zone_capacity", "zone_nr_conv", "hw_queue_depth", "cache_size",
    "home_node",
  ]

  /// Names of disks, which null_blk has as directories.
  static let disks = [
    "disk", "d1", "nullb0", "nullb1", "loop0", "zero",
    "a-name-of-exactly-thirty-one-by", "a-name-of-exactly-thirty-one-bytes", "a!b", "with space",
  ]

  static let nqns = [
    "nq", "nq2", "nqn.2026-01.org.example:disk", "with space", "n", "nq\u{e9}", "two\nlines",
    "nq\n",
    String(repeating: "q", count: 222), String(repeating: "q", count: 223),
    String(repeating: "q", count: 224), String(repeating: "q", count: 255),
    "nqn.2014-08.org.nvmexpress.discovery",
  ]
}

/// Choices.
extension SplitMix64 {
  mutating func below(_ count: Int) -> Int { Int(next() % UInt64(max(1, count))) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func one<Element>(of elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[below(elements.count)]
  }
}

extension Grammar {
  /// A text to write into an attribute.
  static func value(for attribute: String, _ random: inout SplitMix64) -> String {
    let text = body(for: attribute, &random)
    switch random.below(40) {
    case 0...3: return text
    case 4: return text + "\n\n"
    case 5: return " " + text + "\n"
    case 6: return text + " \n"
    case 7: return text + "\0"
    case 8: return text + "\0junk\n"
    case 9: return text + "junk\n"
    case 10: return text + "\n junk\n"
    case 11: return ["", "\n", "\0", " ", "\t\n"][random.below(5)]
    case 12: return text + String(repeating: " ", count: 4200) + "\n"
    default: return text + "\n"
    }
  }

  private static func body(for attribute: String, _ random: inout SplitMix64) -> String {
    switch forms[attribute] {
    case .flag?:
      return random.chance(75)
        ? ["0", "1"][random.below(2)]
        : random.one(of: [
          "y", "n", "yes", "no", "on", "off", "o", "true", "false", "enable", "disable", "Enabled",
          "2", "10", "0x1", "-1", "ON", "oF", "T", "",
        ]) ?? ""
    case .number(let limit)?: return number(upTo: limit, attribute, &random)
    case .words(let words)?: return random.one(of: words) ?? ""
    case .text(let longest)?:
      return random.one(of: [
        "ABC", "x", String(repeating: "S", count: longest),
        String(repeating: "S", count: longest + 1), "two\nlines", "tab\there", "caf\u{e9}",
        " lead", "trail ", "\u{7f}", "~",
      ]) ?? ""
    case .version?:
      return random.one(of: [
        "1.3", "1.4.0", "2.1", "1.3.1", "2", "2.", "1.256", "-1.0", " 1. 4", "1.2.3.4", "abc",
        "65536.0", "1.-2", "0.0", "+1.2", "99999999999.1", "1 .2", "1.2.", "1.2.x",
      ]) ?? ""
    case .uuid?:
      return random.one(of: [
        "11111111-2222-1333-8444-555555555555", "AAAAAAAA-BBBB-1CCC-8DDD-EEEEEEEEEEEE",
        "1111111122221333844455555555555", "11111111-2222-1333-8444-55555555555",
        "00000000-0000-0000-0000-000000000000", "11111111-2222-1333-8444-555555555555junk",
        "11111111-2222-1333-8444_555555555555", "g1111111-2222-1333-8444-555555555555",
      ]) ?? ""
    case .nguid?:
      return random.one(of: [
        "0123456789abcdef0123456789ABCDEF", "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:AB:CD:EF",
        "11111111-2222-3333-4444-555555555555", "0123456789abcdef0123456789ABCDE", "",
        "01--23456789abcdef0123456789ABCDEF", "00000000000000000000000000000000",
        "0123456789abcdef0123456789ABCDEF0", "0x23456789abcdef0123456789ABCDEF",
      ]) ?? ""
    case .badBlocks?: return badBlocks(&random)
    case .nqn?: return random.one(of: nqns) ?? ""
    case .devicePath?:
      return random.one(of: [
        "/srv/file", "/srv/empty", "/srv/fifo", "/srv", "/srv/link", "/dev/zero", "/missing",
        "/dev/disk", "/dev/disk", "/dev/d1", "/dev/nullb0", "/srv/file/x", "/srv/small",
        "/dev/nvme0", "", "/" + String(repeating: "d", count: 300),
      ]) ?? ""
    case nil: return random.one(of: ["1", "x", "0"]) ?? ""
    }
  }

  private static func number(
    upTo limit: UInt64, _ attribute: String, _ random: inout SplitMix64
  ) -> String {
    if random.chance(20) {
      return random.one(of: [
        "-1", "0x", "08", "zz", "1_0", "4k", "+5", " 5", "5 ", "0b1", "99999999999999999999",
        "18446744073709551616", "-0", "+", "-", "0x10000000000000000", "--1", "1e3", "0X1f", "010",
        String(repeating: "0", count: 3000) + "7",
      ]) ?? ""
    }
    var value: UInt64
    switch random.below(8) {
    case 0: value = 0
    case 1: value = 1
    case 2: value = limit
    case 3: value = limit == .max ? limit : limit + 1
    case 4: value = 1 << random.next(upTo: limit)
    case 5:
      value =
        limited.contains(attribute)
        ? 2
        : [255, 256, 65535, 65536, 0xffff_ffff, 1 << 32, 1 << 63][
          random.below(7)]
    default: value = limit == .max ? random.next() : random.next() % (limit + 1)
    }
    if limited.contains(attribute) { value = min(value, limit + 1) }
    switch random.below(6) {
    case 0: return hexadecimal(value)
    case 1: return "0" + String(value, radix: 8)
    default: return String(value)
    }
  }

  private static func badBlocks(_ random: inout SplitMix64) -> String {
    if random.chance(15) {
      return random.one(of: [
        "+10-5", "foo", "+5", "5-10", "+-", "+5-", "+ 5-10", "  +5-10 ", "+0x10-0x20", "+010-011",
        "-", "+5-10-20", "+18446744073709551615-18446744073709551615", "++1-2",
      ]) ?? ""
    }
    let start = random.below(60)
    return (random.chance(65) ? "+" : "-") + "\(start)-\(start + random.below(12))"
  }

  /// A name for `mkdir` in a directory.
  static func name(in kind: DirectoryKind, _ random: inout SplitMix64) -> String {
    if random.chance(4) {
      return random.one(of: [
        String(repeating: "n", count: 255), String(repeating: "n", count: 256), " ", "a\nb", "-",
        "attr_serial", "\u{1}", ".hidden", "power", "enable", "caf\u{e9}",
      ]) ?? ""
    }
    let names: [String] =
      switch kind {
      case .subsystems: nqns
      case .hosts: ["nqn.2026-01.org.example:host", "h", "h2", "nq", "two\nlines"]
      case .namespaces:
        [
          "1", "2", "3", "1", "2", "0x1", "01", "0", "4294967295", "4294967294", "4294967296",
          "abc", "-1", "+3", "3\n", "1025", "2147483648", " 1",
        ]
      case .ports: ["1", "2", "1", "2", "0x1", "0", "65535", "65536", "p", "-1", "01", "3\n"]
      case .anaGroups: ["2", "3", "2", "127", "128", "1", "0", "129", "02", "4294967296", "x"]
      case .referrals: ["r", "1", "r2"]
      case .nullBlockRoot: disks
      case .driver: ["f0", "f1", "f2", "nvme", "primary"]
      default: ["x", "1", "primary"]
      }
    // The first names are the usual ones.
    return random.one(of: random.chance(60) ? Array(names.prefix(3)) : names) ?? ""
  }
}

extension SplitMix64 {
  /// An exponent: 2 to its power is at most a limit.
  fileprivate mutating func next(upTo limit: UInt64) -> Int {
    below(64 - limit.leadingZeroBitCount)
  }
}
