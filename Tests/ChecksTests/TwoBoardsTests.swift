// SPDX-License-Identifier: Apache-2.0
import ProfileEmulation
import Provisioning
import SimulatedKernel
import TestSupport
import Testing

/// Boards with one profile in one Linux host.
@Suite struct TwoBoardsTests {
  private func host(_ members: String, boards: Int = 2) throws -> BoardsInOneHost {
    let shipped = ShippedProfile(name: "rock5b", kernelRelease: .linux7_2)
    let text = String(decoding: try readFile(shipped.file), as: UTF8.self)
    let located = try Profile.decode(
      Array(text.replacing("\"version\": 1,", with: "\"version\": 1, \(members)").utf8))
    let host = try BoardsInOneHost(located, .linux7_2, count: boards)
    try host.run(transfers: 16)
    return host
  }

  @Test("all disks appear, and keep their data", arguments: [2, 3])
  func disks(_ count: Int) throws {
    let host = try host("", boards: count)
    #expect(host.disks == (0..<count).map { "nvme\($0)n1" })
    #expect(host.log.isEmpty)
    #expect(host.found.allSatisfy { $0.verified == 16 * 4096 && $0.refusal == nil })
    for values in [host.found.map(\.nqn), host.found.map(\.serial)] {
      #expect(Set(values).count == count)
    }
    #expect(Set(host.found.map(\.controllerID)).count == count)
  }

  @Test(
    "with one identity the host refuses the second board as Linux does",
    arguments: [#""identity": "profile","#, #""identity": "seed", "identitySeed": "a","#])
  func equal(_ members: String) throws {
    let host = try host(members)
    let first = try #require(host.found.first)
    #expect(host.disks == ["nvme0n1"])
    #expect(
      host.log.first
        == "nvme nvme1: Duplicate cntlid \(first.controllerID) with nvme0, subsys \(first.nqn), rejecting"
    )
    #expect(host.found.last?.controller == nil && host.found.last?.refusal != nil)
  }
}
