// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A change does what it has to, and nothing else.
@Suite struct MinimalChangeTests {
  struct Change: Sendable, CustomStringConvertible {
    var description: String
    /// The steps: verb and last component of the path.
    var steps: [String]
    var isDisruptive = false
    /// Whether the change is applied to the profile before, and reverted.
    var isReversed = false
    var change: @Sendable (inout Profile) -> Void

    /// The profile before the change, and after it.
    func profiles() throws -> (Profile.Located, Profile.Located) {
      let plain = try profile(MinimalChangeTests.base)
      var altered = plain
      change(&altered.profile)
      altered = try Profile.decode(Array(altered.profile.json.compactText.utf8))
      return isReversed ? (altered, plain) : (plain, altered)
    }
  }

  /// A function's subsystem and one that a tcp port offers to two hosts.
  private static let base = """
    { "version": 1, "name": "p",
      "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } }, "e": { "nullBlock": { "sizeMiB": 64 } } },
      "subsystems": [
        { "nqn": "nqn.2026-01.org.example:p", "maximumQueueID": 4, "namespaces": [ { "id": 1, "backing": "d" } ] },
        { "nqn": "nqn.2026-01.org.example:t", "allowedHosts": [ "nqn.2026-01.org.example:h", "nqn.2026-01.org.example:i" ],
          "namespaces": [ { "id": 3, "backing": "e", "anaGroup": 2 } ] } ],
      "ports": [ { "id": 7, "transport": "tcp", "addressFamily": "ipv4", "address": "127.0.0.1", "service": "4420",
        "anaGroups": [ { "id": 2, "state": "optimized" } ],
        "subsystems": [ "nqn.2026-01.org.example:t" ] } ],
      "functions": [ { "name": "p", "vendorID": "0x15b7", "deviceID": "0x5fff", "msixVectors": 8, "msiVectors": 8,
        "target": { "loop": "nqn.2026-01.org.example:p" } } ] }
    """

  static let changes: [Change] = [
    Change(
      description: "a port goes",
      steps: ["unlink nqn.2026-01.org.example:t", "remove 2", "remove 7"]
    ) { $0.ports = [] },
    Change(
      description: "an allowed host goes",
      steps: ["unlink nqn.2026-01.org.example:i", "remove nqn.2026-01.org.example:i"]
    ) { $0.subsystems[1].allowedHosts.removeLast() },
    Change(
      description: "an ANA group goes, and its namespace leaves it before",
      steps: ["write ana_grpid", "remove 2"]
    ) {
      $0.ports[0].anaGroups = []
      $0.subsystems[1].namespaces[0].anaGroup = nil
    },
    Change(
      description: "an ANA state changes, and hosts keep the namespace", steps: ["write ana_state"]
    ) { $0.ports[0].anaGroups[0].state = "non-optimized" },
    Change(
      description: "an ANA state takes a namespace from hosts", steps: ["write ana_state"],
      isDisruptive: true
    ) { $0.ports[0].anaGroups[0].state = "inaccessible" },
    Change(
      description: "an ANA state gives a namespace back", steps: ["write ana_state"],
      isReversed: true
    ) { $0.ports[0].anaGroups[0].state = "persistent-loss" },
    Change(
      description: "an ANA group goes, and its namespace stays in it", steps: ["remove 2"],
      isDisruptive: true
    ) { $0.ports[0].anaGroups = [] },
    Change(
      description: "a namespace moves to a group that its port does not have",
      steps: ["write ana_grpid"], isDisruptive: true
    ) { $0.subsystems[1].namespaces[0].anaGroup = 3 },
    Change(
      description: "the state of an ANA group without namespaces", steps: ["write ana_state"]
    ) { $0.ports[0].anaGroups.append(.init(id: 1, state: "inaccessible")) },
    Change(
      description: "a namespace moves to a new group before its old one becomes inaccessible",
      steps: ["create 3", "write ana_state", "write ana_grpid", "write ana_state"]
    ) {
      $0.ports[0].anaGroups = [
        .init(id: 2, state: "inaccessible"), .init(id: 3, state: "optimized"),
      ]
      $0.subsystems[1].namespaces[0].anaGroup = 3
    },
    Change(
      description: "a disabled namespace moves to a group that is inaccessible",
      steps: ["write enable", "write ana_grpid"], isDisruptive: true
    ) {
      $0.subsystems[1].namespaces[0].enabled = false
      $0.subsystems[1].namespaces[0].anaGroup = 3
    },
    Change(
      description: "a namespace goes",
      steps: ["write enable", "remove 1", "write power", "remove p-d"], isDisruptive: true
    ) {
      $0.subsystems[0].namespaces = []
      $0.backings.removeFirst()
    },
    Change(
      description: "a namespace is disabled", steps: ["write enable"], isDisruptive: true
    ) { $0.subsystems[0].namespaces[0].enabled = false },
    Change(
      description: "a namespace is enabled", steps: ["write enable"], isReversed: true
    ) { $0.subsystems[0].namespaces[0].enabled = false },
    Change(
      description: "a namespace comes",
      steps: [
        "create 2", "write device_path", "write device_uuid", "write device_nguid", "write enable",
      ], isReversed: false
    ) {
      $0.backings.append(.init(name: "f", store: .block(path: "/dev/sda")))
      $0.subsystems[0].namespaces.append(.init(id: 2, backing: "f"))
    },
    Change(
      description: "start: false", steps: ["write start"], isDisruptive: true
    ) { $0.functions[0].start = false },
    Change(
      description: "start: true again", steps: ["write start"], isReversed: true
    ) { $0.functions[0].start = false },
    Change(
      description: "a device under an enabled namespace gets another size",
      steps: [
        "write enable", "write power", "write size", "write power", "await p-d", "write enable",
      ], isDisruptive: true
    ) {
      guard case .nullBlock(var device) = $0.backings[0].store else { return }
      device.sizeMiB = 128
      $0.backings[0].store = .nullBlock(device)
    },
    Change(
      description: "a key of a device goes",
      steps: [
        "write enable", "write power", "write discard", "write power", "await p-d", "write enable",
      ], isDisruptive: true, isReversed: true
    ) {
      guard case .nullBlock(var device) = $0.backings[0].store else { return }
      device.discard = true
      $0.backings[0].store = .nullBlock(device)
    },
    Change(
      description: "queues of a device in use", steps: ["write submit_queues"]
    ) {
      guard case .nullBlock(var device) = $0.backings[0].store else { return }
      device.submitQueues = 2
      $0.backings[0].store = .nullBlock(device)
    },
    Change(
      description: "a device is no longer throttled: only a new one is not",
      steps: [
        "write enable", "write power", "remove p-d", "create p-d", "write size",
        "write memory_backed", "write power", "await p-d", "write enable",
      ], isDisruptive: true, isReversed: true
    ) {
      guard case .nullBlock(var device) = $0.backings[0].store else { return }
      device.mbps = 100
      $0.backings[0].store = .nullBlock(device)
    },
    Change(
      description: "the vendor's OUI of a subsystem that no host has identified",
      steps: [
        "write start", "unlink p", "write attr_ieee_oui", "link p", "verify p", "write start",
      ], isDisruptive: true
    ) { $0.subsystems[0].ieeeOUI = 0x123456 },
    Change(
      description: "a port's queue size is the default again",
      steps: [
        "unlink nqn.2026-01.org.example:t", "write param_max_queue_size",
        "link nqn.2026-01.org.example:t",
      ], isDisruptive: true, isReversed: true
    ) { $0.ports[0].maximumQueueSize = 64 },
    Change(
      description: "a host has no secret any more", steps: ["write dhchap_key"],
      isReversed: true
    ) {
      $0.hosts = [
        .init(
          nqn: "nqn.2026-01.org.example:h",
          attributes: [.init(name: "dhchap_key", text: "DHHC-1:00:ia6zGodOr4SEG0Zz:")])
      ]
    },
  ]

  @Test(
    "the steps are those of the change, and what a host notices needs force", arguments: changes)
  func steps(_ change: Change) throws {
    let (before, after) = try change.profiles()
    let machine = SimulatedMachine()
    try machine.setUp(before)
    let plan = try machine.provisioner.plan(after)
    #expect(
      plan.steps.map { step in
        "\(step.operation.verb) \(step.operation.path.split(separator: "/").last ?? "")"
      } == change.steps)
    #expect(plan.disruptions.isEmpty != change.isDisruptive)
    if change.isDisruptive {
      let state = machine.state()
      let error = machine.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(after)
      }
      #expect(error?.kind == .disruptive)
      #expect(machine.state() == state)
    }
    try machine.setUp(after, force: change.isDisruptive)
    #expect(try machine.provisioner.check(after).failures == [])
    #expect(try machine.provisioner.differences(after) == [])
    #expect(machine.kernel.crashes.isEmpty)
  }
}
