// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Values of a profile's target that count although another object could have them, and lists that have an effect without a member.
@Suite struct TargetValueTests {
  private static let nqn = "nqn.2026-01.org.example:x"

  private func profile(_ text: String) throws -> Profile.Located {
    try Profile.decode(Array(text.utf8))
  }

  /// Members of the declared port, and the entries that it gets.
  @Test(
    "a function's queueSize counts on a declared port that does not state its own",
    arguments: [
      (#""id": 1, "transport": "pci""#, 128),
      (#""id": 1, "transport": "pci", "maximumQueueSize": 64"#, 64),
    ])
  func queueSize(_ port: String, _ entries: Int) throws {
    let located = try profile(
      """
      { "version": 1, "name": "x", "identity": "profile",
        "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
        "subsystems": [ { "nqn": "\(Self.nqn)", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "ports": [ { \(port), "subsystems": ["\(Self.nqn)"] } ],
        "functions": [ { "name": "f", "vendorID": "0x1b96", "deviceID": "0xbeef", "ioQueues": 4, "queueSize": 128,
          "msixVectors": 8, "target": { "pci": "\(Self.nqn)" } } ] }
      """)
    let machine = SimulatedMachine()
    try machine.setUp(located)
    let text = try machine.kernel.read("/sys/kernel/config/nvmet/ports/1/param_max_queue_size")
    #expect(text == "\(entries)\n")
  }

  @Test("an empty list of hosts that opens a subsystem is a warning at the list")
  func emptyHosts() throws {
    func issues(_ members: String) throws -> [ProfileIssue] {
      try profile(
        """
        { "version": 1, "name": "x",
          "subsystems": [ { "nqn": "\(Self.nqn)"\(members) } ] }
        """
      ).warnings.filter { $0.path == "subsystems[0].allowedHosts" }
    }
    let found = try issues(#", "allowedHosts": []"#)
    #expect(found.map(\.severity) == [.warning])
    #expect(found.first?.position?.line == 2)
    #expect(found.first?.hint?.contains("\"allowAnyHost\": false") == true)
    for members in [
      "", #", "allowedHosts": [], "allowAnyHost": false"#,
      #", "allowedHosts": [], "allowAnyHost": true"#,
      #", "allowedHosts": ["nqn.2026-01.org.example:h"]"#,
    ] {
      #expect(try issues(members).isEmpty, "\(members)")
    }
    for list in ["null", "[null]", #"[""]"#] {
      #expect(throws: ProfileIssues.self) { try issues(", \"allowedHosts\": \(list)") }
    }
  }
}
