// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Values that are right on another machine: refused before the first write, with the range.
@Suite struct MachineLimitTests {
  private func located(_ members: String, subsystem: String = "") throws -> Profile.Located {
    try profile(
      """
      { "version": 1, "name": "x",
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a"\(subsystem) } ],
        "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 64, "msiVectors": 32, \(members),
          "target": { "loop": "nqn.2026-01.org.example:a" } } ] }
      """)
  }

  private func refusal(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release
  ) -> ProvisioningError? {
    let machine = SimulatedMachine(kernelRelease)
    let error = machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(located)
    }
    #expect(machine.kernel.effects == 0)
    return error
  }

  @Test(
    "values that only the other driver supports are impossible on this machine",
    arguments: [
      ("\"mdtsKiB\": 2048", "2048", "8 to 1024"), ("\"ioQueues\": 16", "16", "1 to 15"),
    ])
  func otherDriver(_ members: String, _ value: String, _ range: String) throws {
    let error = try #require(refusal(try located(members), .linux6_12))
    #expect(error.kind == .impossible)
    #expect(error.message.contains("\(value) is out of range"))
    #expect(error.message.contains(range))
    let machine = SimulatedMachine(.linux7_2)
    try machine.setUp(try located(members))
  }

  @Test(
    "a subsystem's vendor ID that hosts treat as an empty slot is impossible with nvmet_pci_epf")
  func vendorID() throws {
    let empty = try located("\"ioQueues\": 4", subsystem: ", \"vendorID\": 0")
    #expect(refusal(empty, .linux7_2)?.kind == .impossible)
  }

  @Test("an offset at the end of an existing file is an unusable input")
  func offset() throws {
    var machine = SimulatedKernel.Machine()
    machine.storage["/srv/disk.img"] = .init(.regularFile, size: 1 << 20)
    let text = { (offset: Int) in
      """
      { "version": 1, "name": "x", "backings": { "d": { "loopDevice": { "path": "/srv/disk.img", "offsetBytes": \(offset) } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": 1, "backing": "d" } ] } ] }
      """
    }
    let refused = SimulatedMachine(.linux7_2, machine: machine)
    let beyond = try profile(text(1 << 20))
    let error = refused.failure { (machine) throws(ProvisioningError) in try machine.setUp(beyond) }
    #expect(error?.kind == .inputMissing)
    #expect(refused.kernel.effects == 0)
    let taken = SimulatedMachine(.linux7_2, machine: machine)
    try taken.setUp(try profile(text((1 << 20) - 512)))
  }

  @Test("two functions whose subsystems differ match the profile: check and diff agree")
  func sharedHeader() throws {
    let both = try profile(
      """
      { "version": 1, "name": "x",
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "subsystemVendorID": 7 }, { "nqn": "nqn.2026-01.org.example:b" } ],
        "functions": [
          { "name": "a", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "nqn.2026-01.org.example:a" } },
          { "name": "b", "vendorID": 1, "deviceID": 2, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "nqn.2026-01.org.example:b" } } ] }
      """)
    #expect(both.warnings.map(\.path) == ["functions[1]"])
    let machine = SimulatedMachine(.linux7_2, machine: ProfileGenerator.machine)
    try machine.setUp(both)
    #expect(try machine.provisioner.check(both).failures.map(\.id) == [])
    #expect(try machine.provisioner.differences(both).map(\.id) == [])
    // A wrong value is also found if neither function sets it.
    let path = "/sys/kernel/config/pci_ep/functions/nvmet_pci_epf/a/deviceid"
    _ = try machine.kernel.write("0xabcd", to: FilePath(path))
    #expect(
      try machine.provisioner.check(both).failures.map(\.path).sorted() == [
        path, path.replacingName("b"),
      ])
  }
}

extension String {
  /// The same attribute of another function.
  fileprivate func replacingName(_ name: String) -> String {
    let parts = split(separator: "/", omittingEmptySubsequences: false)
    return (parts.dropLast(2) + [Substring(name)] + parts.suffix(1)).joined(separator: "/")
  }
}
