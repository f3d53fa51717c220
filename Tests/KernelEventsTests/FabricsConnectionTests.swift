// SPDX-License-Identifier: Apache-2.0
import Foundation
import KernelEvents
import SystemPackage
import Testing

@Suite("The connections of this machine's NVMe host")
struct FabricsConnectionTests {
  /// A class directory with controllers: their attributes by name.
  private func connections(_ controllers: [String: [String: String]]) throws -> [FabricsConnection]
  {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "epfnvme-class-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (name, attributes) in controllers {
      let directory = root.appending(path: name)
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      for (attribute, text) in attributes {
        try Data((text + "\n").utf8).write(to: directory.appending(path: attribute))
      }
    }
    return try LiveFabricsConnections(directory: FilePath(root.path)).connections()
  }

  @Test("the state distinguishes a live connection from a lost one")
  func states() throws {
    let tcp = [
      "transport": "tcp", "subsysnqn": "nq",
      "address": "traddr=192.0.2.10,trsvcid=4420,src_addr=192.0.2.1",
    ]
    let found = try connections([
      "nvme0": tcp.merging(["state": "live"]) { $1 },
      "nvme1": tcp.merging(["state": "connecting"]) { $1 },
      "nvme2": [
        "transport": "loop", "subsysnqn": "nl", "address": "", "state": "deleting (no IO)",
      ],
      "nvme3": ["transport": "loop", "subsysnqn": "nl"],
      // On its way out.
      "nvme4": ["state": "live"],
    ])
    #expect(found.map(\.name) == ["nvme0", "nvme1", "nvme2", "nvme3"])
    #expect(found.map(\.state) == ["live", "connecting", "deleting (no IO)", nil])
    #expect(found.map(\.isLive) == [true, false, false, true])
    #expect(
      found.map(\.description) == [
        "nvme0", "nvme1 (connecting)", "nvme2 (deleting (no IO))", "nvme3",
      ])
    #expect(
      found[0].address
        == FabricsAddress(transport: "tcp", nqn: "nq", address: "192.0.2.10", serviceID: "4420"))
    #expect(found[2].address == FabricsAddress(transport: "loop", nqn: "nl"))
  }

  @Test("a kernel without an NVMe host has none")
  func none() throws {
    #expect(try LiveFabricsConnections(directory: "/nonexistent").connections() == [])
  }
}
