// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import HostDriver
import NVMe
import Provisioning
import ServedHost
import SystemPackage
import TestSupport
import Testing

/// The identity of a served disk: two servers with one profile are two boards.
@Suite struct ServeIdentityTests {
  /// A served disk that keeps nothing, and a host of a machine that finds it.
  private struct ServedDisk {
    let server: Program.Running
    let guest: ServedGuest

    init(_ program: Program, _ socket: String, _ options: [String] = []) throws {
      let path = program.directory.appending(socket).string
      let profile = ShippedProfile.directory.appending("null_blk-pci.json").string
      let server = try program.start(
        ["serve", profile, "--json", "--socket", path] + options)
      self.server = server
      try waitUntil("it is ready") { !server.outputSoFar.isEmpty || !server.isRunning }
      guest = try ServedGuest(path, ServedMachine.model(.reference))
    }

    func probe(on machine: LinuxMachine) throws -> ProbeResult {
      guest.host.machine = machine
      return try guest.host.probe()
    }

    func stop() throws {
      server.send(signal: SIGTERM)
      #expect(try server.finish().status == 0)
    }
  }

  @Test("two servers with one profile are two disks of one host")
  func twoServers() throws {
    let program = Program()
    let machine = LinuxMachine()
    let disks = [try ServedDisk(program, "one"), try ServedDisk(program, "two")]
    let found = try disks.map { try $0.probe(on: machine) }
    #expect(machine.disks == ["nvme0n1", "nvme1n1"], "\(machine.log)")
    #expect(machine.log == [])
    #expect(Set(found.map { $0.identifyController[.nqn] }).count == 2)
    for disk in disks { try disk.stop() }
  }

  @Test("a server that is started again at its socket has the same identity")
  func sameServer() throws {
    let program = Program()
    let seen = try (0..<2).map { _ in
      let disk = try ServedDisk(program, "one")
      defer { try? disk.stop() }
      let found = try disk.probe(on: LinuxMachine())
      return [found.identifyController.fields, found.namespaces[0].identify.fields]
        .map { $0.map { "\($0.name) \($0.value)" } }
    }
    #expect(seen[0] == seen[1])
  }

  @Test("--machine-id gives a served disk the identity of that board, which a host has once only")
  func identityOfBoard() throws {
    let program = Program()
    let option = ["--machine-id", String(repeating: "0123456789abcdef", count: 2)]
    let profile = ShippedProfile.directory.appending("null_blk-pci.json").string
    let predicted = try program(["predict", profile, "--json"] + option)
    let machine = LinuxMachine()
    let disks = try ["one", "two"].map { try ServedDisk(program, $0, option) }
    let found = try disks[0].probe(on: machine)
    #expect(predicted.output.contains(found.identifyController[.nqn]), "\(predicted.errors)")
    #expect(predicted.output.contains(found.identifyController[.serial]))
    #expect(throws: HostError.self) { try disks[1].probe(on: machine) }
    #expect(machine.log.first?.contains("Duplicate cntlid") == true, "\(machine.log)")
    for disk in disks { try disk.stop() }
  }

  @Test("--machine-id takes 32 digits, and needs a profile")
  func refusedMachineID() throws {
    let program = Program()
    let profile = ShippedProfile.directory.appending("null_blk-pci.json").string
    let short = try program("serve", profile, "--machine-id", "12")
    #expect(short.status == 64 && short.errors.contains("32 hexadecimal digits"), "\(short.errors)")
    #expect(try program("setup", profile).status == 0)
    let unused = try program(
      "serve", "--socket", program.directory.appending("socket").string, "--machine-id",
      String(repeating: "a", count: 32))
    #expect(unused.status == 64 && unused.errors.contains("requires a profile"), "\(unused.errors)")
  }
}
