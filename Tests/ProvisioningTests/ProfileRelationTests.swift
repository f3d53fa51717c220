// SPDX-License-Identifier: Apache-2.0
import Provisioning
import TestSupport
import Testing

/// Values that are valid separately but not together.
@Suite struct ProfileRelationTests {
  struct Row: Sendable, CustomStringConvertible {
    var description: String
    /// The members of the document after version and name.
    var members: String
    /// Where the error is; nil for a profile that is right.
    var error: String?
    var warning: String?

    var text: String { "{ \"version\": 1, \"name\": \"x\", \(members) }" }
  }

  private static func row(
    _ description: String, error: String? = nil, warning: String? = nil, _ members: String
  ) -> Row {
    Row(description: description, members: members, error: error, warning: warning)
  }

  private static let nqn = "nqn.2026-01.org.example:a"
  private static let subsystem = #""subsystems": [ { "nqn": "nqn.2026-01.org.example:a" } ]"#

  private static func port(_ members: String) -> String {
    #""ports": [ { "id": 1, \#(members) } ]"#
  }

  private static func tcp(_ family: String, _ address: String, _ service: String = "4420") -> String
  {
    port(
      #""transport": "tcp", "addressFamily": "\#(family)", "address": "\#(address)", "service": \#(service)"#
    )
  }

  private static func ports(_ one: String, _ other: String) -> String {
    #""ports": [ { "id": 1, "transport": "tcp", \#(one) }, { "id": 2, "transport": "tcp", \#(other) } ]"#
  }

  private static func v4(_ address: String, _ service: Int) -> String {
    #""addressFamily": "ipv4", "address": "\#(address)", "service": \#(service)"#
  }

  private static func stores(_ one: String, _ other: String) -> String {
    #"""
    "backings": { "a": { \#(one) }, "b": { \#(other) } },
    "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": 1, "backing": "a" }, { "id": 2, "backing": "b" } ] } ]
    """#
  }

  private static func identifiers(_ one: String, _ other: String) -> String {
    #"""
    "backings": { "a": { "nullBlock": {} }, "b": { "nullBlock": {} } },
    "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": 1, "backing": "a", \#(one) }, { "id": 2, "backing": "b", \#(other) } ] } ]
    """#
  }

  private static func loop(_ members: String) -> String {
    #"""
    "backings": { "l": { "loopDevice": { "path": "/srv/l", \#(members) } } },
    "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": 1, "backing": "l" } ] } ]
    """#
  }

  private static func function(
    _ members: String, driver: String = "auto", of subsystem: String = ""
  ) -> String {
    #"""
    "driver": "\#(driver)",
    "subsystems": [ { "nqn": "nqn.2026-01.org.example:a"\#(subsystem) } ],
    "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 64, "msiVectors": 32, \#(members), "target": { "loop": "nqn.2026-01.org.example:a" } } ]
    """#
  }

  private static func remote(_ members: String) -> String {
    #"""
    "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8,
      "target": { "tcp": { "nqn": "nqn.2026-01.org.example:r", \#(members) } } } ]
    """#
  }

  static let rows: [Row] = lists + addresses + storage + identity + drivers

  private static let lists: [Row] = [
    row(
      "a host twice", error: "subsystems[0].allowedHosts[1]",
      #""subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "allowedHosts": [ "nqn.2026-01.org.example:h", "nqn.2026-01.org.example:h" ] } ]"#
    ),
    row(
      "two hosts that differ in case",
      #""subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "allowedHosts": [ "nqn.2026-01.org.example:h", "nqn.2026-01.org.example:H" ] } ]"#
    ),
    row(
      "a subsystem twice on a port", error: "ports[0].subsystems[1]",
      #"\#(subsystem), "ports": [ { "id": 1, "transport": "loop", "subsystems": [ "\#(nqn)", "\#(nqn)" ] } ]"#
    ),
    row(
      "an ANA group twice", error: "ports[0].anaGroups[1].id",
      port(
        #""transport": "loop", "anaGroups": [ { "id": 2, "state": "optimized" }, { "id": 2, "state": "change" } ]"#
      )),
    row(
      "a host with attributes twice", error: "hosts[1].nqn",
      #""hosts": [ { "nqn": "nqn.2026-01.org.example:h" }, { "nqn": "nqn.2026-01.org.example:h" } ]"#
    ),
    row(
      "a host with a blank and a comma", error: "hosts[0].nqn", #""hosts": [ { "nqn": "a b,c" } ]"#),
    row(
      "a port id twice", error: "ports[1].id",
      #""ports": [ { "id": 1, "transport": "loop" }, { "id": 1, "transport": "pci" } ]"#),
  ]

  private static let addresses: [Row] = [
    row("an IPv4 address", tcp("ipv4", "192.0.2.1")),
    row("a service in hexadecimal", tcp("ipv4", "192.0.2.1", #""0x1144""#)),
    row("an empty address", error: "ports[0].address", tcp("ipv4", "")),
    row("a host name", error: "ports[0].address", tcp("ipv4", "localhost")),
    row("an IPv4 address that is too large", error: "ports[0].address", tcp("ipv4", "192.0.2.256")),
    row("three numbers", error: "ports[0].address", tcp("ipv4", "192.0.2")),
    row("an IPv6 address of family ipv4", error: "ports[0].address", tcp("ipv4", "::1")),
    row("an IPv4 address of family ipv6", error: "ports[0].address", tcp("ipv6", "192.0.2.1")),
    row("an IPv6 address", tcp("ipv6", "2001:db8::1")),
    row("a link-local address with a scope", tcp("ipv6", "fe80::1%eth0")),
    row("an empty scope", error: "ports[0].address", tcp("ipv6", "fe80::1%")),
    row("a scope of a global address", error: "ports[0].address", tcp("ipv6", "2001:db8::1%eth0")),
    row("another family", error: "ports[0].addressFamily", tcp("ib", "192.0.2.1")),
    row("service 0", error: "ports[0].service", tcp("ipv4", "192.0.2.1", "0")),
    row("service 65536", error: "ports[0].service", tcp("ipv4", "192.0.2.1", #""65536""#)),
    row("half a service", error: "ports[0].service", tcp("ipv4", "192.0.2.1", "99999.5")),
    row("a service in words", error: "ports[0].service", tcp("ipv4", "192.0.2.1", #""日本""#)),
    row(
      "a loop port's address is not checked", port(#""transport": "loop", "address": "anything""#)),
    row(
      "two ports of one address", error: "ports[1].address",
      ports(v4("192.0.2.1", 4420), v4("192.0.2.1", 4420))),
    row(
      "two spellings of one address", error: "ports[1].address",
      ports(
        #""addressFamily": "ipv6", "address": "2001:db8::1", "service": "4420""#,
        #""addressFamily": "ipv6", "address": "2001:DB8:0::1", "service": "0x1144""#)),
    row("two services of one address", ports(v4("192.0.2.1", 4420), v4("192.0.2.1", 4421))),
    row(
      "every address and one of them", error: "ports[1].address",
      ports(v4("0.0.0.0", 4420), v4("192.0.2.1", 4420))),
    row(
      "a remote target by name", error: "functions[0].target.tcp.address",
      remote(#""address": "target""#)),
    row(
      "an empty local address", error: "functions[0].target.tcp.hostAddress",
      remote(#""address": "192.0.2.1", "hostAddress": """#)),
    row(
      "a local address by name", error: "functions[0].target.tcp.hostAddress",
      remote(#""address": "192.0.2.1", "hostAddress": "eth0""#)),
  ]

  private static let storage: [Row] = [
    row(
      "two spellings of one file", error: "backings.b",
      stores(#""file": { "path": "/srv/a" }"#, #""file": { "path": "/srv//x/../a" }"#)),
    row(
      "a file and a loop device on it", error: "backings.b",
      stores(#""file": { "path": "/srv/a" }"#, #""loopDevice": { "path": "/srv/./a" }"#)),
    row(
      "a null_blk device as a block device", error: "backings.b",
      stores(#""nullBlock": { "device": "disk" }"#, #""block": { "path": "/dev/disk" }"#)),
    row(
      "one device name twice", error: "backings.b",
      stores(#""nullBlock": { "device": "disk" }"#, #""nullBlock": { "device": "disk" }"#)),
    row(
      "derived device names that are cut to the same",
      error: "backings.a-backing-with-a-long-name-of-2",
      #"""
      "backings": { "a-backing-with-a-long-name-of-1": { "nullBlock": {} }, "a-backing-with-a-long-name-of-2": { "nullBlock": {} } },
      "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [
        { "id": 1, "backing": "a-backing-with-a-long-name-of-1" }, { "id": 2, "backing": "a-backing-with-a-long-name-of-2" } ] } ]
      """#),
    row(
      "a path that ends with a slash", error: "backings.a.file.path",
      stores(#""file": { "path": "/srv/a/" }"#, #""nullBlock": {}"#)),
    row("an offset in the file", loop(#""create": true, "sizeMiB": 1, "offsetBytes": 1048064"#)),
    row(
      "an offset at its end", error: "backings.l.loopDevice.offsetBytes",
      loop(#""create": true, "sizeMiB": 1, "offsetBytes": 1048576"#)),
    row(
      "an offset beyond it", error: "backings.l.loopDevice.offsetBytes",
      loop(#""create": true, "sizeMiB": 1, "offsetBytes": 9007199254740480"#)),
    row(
      "an offset between blocks", error: "backings.l.loopDevice.offsetBytes",
      loop(#""create": true, "sizeMiB": 1, "blockSize": 4096, "offsetBytes": 1047552"#)),
    row(
      "a zone's capacity on a device of no whole zones",
      error: "backings.a.nullBlock.zoneCapacityMiB",
      stores(
        #""nullBlock": { "zoned": true, "sizeMiB": 100, "zoneSizeMiB": 64, "zoneCapacityMiB": 4 }"#,
        #""nullBlock": {}"#)),
    row(
      "a zoned device with a smaller last zone",
      error: "backings.a.nullBlock.sizeMiB",
      stores(
        #""nullBlock": { "zoned": true, "sizeMiB": 100, "zoneSizeMiB": 64 }"#, #""nullBlock": {}"#)),
  ]

  private static let uuid = "6ad37b33-6a6b-4cd1-9c3f-5a3a86a4c8a1"
  private static let identity: [Row] = [
    row(
      "one UUID twice", error: "subsystems[0].namespaces[1].uuid",
      identifiers(#""uuid": "\#(uuid)""#, #""uuid": "\#(uuid.uppercased())""#)),
    row(
      "one NGUID twice", error: "subsystems[0].namespaces[1].nguid",
      identifiers(#""nguid": "\#(uuid)""#, #""nguid": "\#(uuid.filter { $0 != "-" })""#)),
    row(
      "a UUID and an NGUID of the same bytes",
      identifiers(#""uuid": "\#(uuid)""#, #""nguid": "\#(uuid)""#)),
    row(
      "zeros, which are none",
      identifiers(
        #""nguid": "00000000000000000000000000000000""#,
        #""nguid": "00000000000000000000000000000000""#)),
    row(
      "one UUID in two subsystems", warning: "subsystems[1].namespaces[0].uuid",
      #"""
      "backings": { "a": { "nullBlock": {} }, "b": { "nullBlock": {} } },
      "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": 1, "backing": "a", "uuid": "\#(uuid)" } ] },
                      { "nqn": "nqn.2026-01.org.example:b", "namespaces": [ { "id": 1, "backing": "b", "uuid": "\#(uuid)" } ] } ]
      """#),
  ]

  private static let drivers: [Row] = [
    row(
      "2048 KiB with either driver", warning: "functions[0].mdtsKiB", function(#""mdtsKiB": 2048"#)),
    row("2048 KiB with nvmet_pci_epf", function(#""mdtsKiB": 2048"#, driver: "nvmet_pci_epf")),
    row(
      "2048 KiB with pci_epf_nvme", error: "functions[0].mdtsKiB",
      function(#""mdtsKiB": 2048"#, driver: "pci_epf_nvme")),
    row(
      "16 I/O queues with either driver", warning: "functions[0].ioQueues",
      function(#""ioQueues": 16"#)),
    row(
      "16 I/O queues with pci_epf_nvme", error: "functions[0].ioQueues",
      function(#""ioQueues": 16"#, driver: "pci_epf_nvme")),
    row(
      "a subsystem's vendor ID of an empty slot", error: "subsystems[0].vendorID",
      function(#""ioQueues": 4"#, driver: "nvmet_pci_epf", of: #", "vendorID": "0xffff""#)),
    row(
      "two subsystems that disagree on a vendor ID", warning: "functions[1]",
      #"""
      "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "subsystemVendorID": 1 }, { "nqn": "nqn.2026-01.org.example:b" } ],
      "functions": [
        { "name": "a", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "nqn.2026-01.org.example:a" } },
        { "name": "b", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "nqn.2026-01.org.example:b" } } ]
      """#),
  ]

  @Test("conflicting values are reported with their location, and nothing else is", arguments: rows)
  func relation(_ row: Row) {
    var issues: [ProfileIssue] = []
    do { issues = try Profile.decode(Array(row.text.utf8)).warnings } catch {
      issues = error.issues
    }
    let errors = issues.filter { $0.severity == .error }
    #expect(errors.map(\.path) == [row.error].compactMap(\.self), "\(errors.map(\.message))")
    #expect(errors.allSatisfy { $0.position != nil })
    if let warning = row.warning {
      #expect(issues.contains { $0.severity == .warning && $0.path == warning }, "\(issues)")
    }
  }
}
