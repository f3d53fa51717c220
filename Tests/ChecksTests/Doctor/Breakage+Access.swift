// SPDX-License-Identifier: Apache-2.0
import Doctor
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

extension Breakage {
  private static let groups = "nvmet/ports/1/ana_groups"

  /// What keeps a host from a namespace, or from a port, seen on the board.
  static let access: [Breakage] = [
    Breakage("the ANA group is inaccessible on the function's port", .anaInaccessible) {
      try $0.work()
      try $0.write("inaccessible", to: "\(groups)/1/ana_state")
    },
    Breakage("the ANA group is lost on the function's port", .anaInaccessible) {
      try $0.work()
      try $0.write("persistent-loss", to: "\(groups)/1/ana_state")
    },
    Breakage("the namespace is in a group that the port does not have", .anaInaccessible) {
      try $0.work()
      try $0.write("2", to: "\($0.subsystem)/namespaces/1/ana_grpid")
    },
    Breakage(
      "the ANA group is inaccessible on the loop port", on: .linux6_12, .anaInaccessible
    ) {
      try $0.work()
      try $0.write("inaccessible", to: "\(groups)/1/ana_state")
    },
    Breakage("the namespace's group is accessible under another spelling of its number") {
      try $0.work()
      let group = FilePath("/sys/kernel/config/\(groups)/02")
      try $0.kernel.createDirectory(group)
      try $0.write("optimized", to: "\(groups)/02/ana_state")
      try $0.write("2", to: "\($0.subsystem)/namespaces/1/ana_grpid")
    },
    Breakage("the ANA group is accessible, though not optimized") {
      try $0.work()
      try $0.write("non-optimized", to: "\(groups)/1/ana_state")
    },
    Breakage("a profile with a port that serves nothing, before setup", .portUnused) {
      $0.profile = try Profile.decode(
        Array(
          #"""
          { "version": 1, "name": "p", "ports": [ { "id": 7, "transport": "tcp",
            "addressFamily": "ipv4", "address": "127.0.0.1", "service": "4420", "subsystems": [] } ] }
          """#.utf8))
    },
    Breakage("the same after setup", .portUnused) {
      let profile = try Profile.decode(
        Array(
          #"""
          { "version": 1, "name": "p", "ports": [ { "id": 7, "transport": "tcp",
            "addressFamily": "ipv4", "address": "127.0.0.1", "service": "4420", "subsystems": [] } ] }
          """#.utf8))
      try $0.simulated.setUp(profile)
      $0.profile = profile
    },
  ]
}
