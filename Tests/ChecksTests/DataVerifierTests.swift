// SPDX-License-Identifier: Apache-2.0
import Foundation
import SystemPackage
import Testing

@testable import BoardTests

/// The pattern on a disk; a file in place of the disk.
@Suite struct DataVerifierTests {
  private final class Disk {
    let path = FilePath("/tmp/epfnvme-disk-\(UInt64.random(in: 0...UInt64.max))")
    init(bytes: Int) throws {
      try Data(count: bytes).write(to: URL(fileURLWithPath: path.string))
    }
    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    func change(_ body: (inout Data) -> Void) throws {
      let url = URL(fileURLWithPath: path.string)
      var data = try Data(contentsOf: url)
      body(&data)
      let handle = try FileHandle(forWritingTo: url)
      try handle.write(contentsOf: data)
      try handle.synchronize()
      try handle.close()
    }
  }

  @Test(
    "a small disk is written and read back completely",
    arguments: [4096, 1 << 20, 5 << 20, (3 << 20) + 4096])
  func everything(bytes: Int) throws {
    let disk = try Disk(bytes: bytes)
    let outcome = try DataVerifier(disk.path, seed: 7, budget: 64 << 20).run { false }
    #expect(outcome.differenceCount == 0)
    #expect(outcome.bytes == UInt64(bytes))
    let data = try Data(contentsOf: URL(fileURLWithPath: disk.path.string))
    #expect(!stride(from: 0, to: data.count, by: 512).contains { data[$0 + 8] != 7 })
  }

  @Test("the beginning, the end and positions of a large disk are written")
  func places() {
    let verifier = DataVerifier("/nonexistent", seed: 1, budget: 4 << 20)
    #expect(verifier.places(of: 100 << 20) == [0, 33 << 20, 66 << 20, 99 << 20])
    #expect(verifier.places(of: 2 << 20) == [0, 1 << 20])
    #expect(verifier.places(of: 512) == [0])
    #expect(verifier.places(of: 0) == [])
  }

  @Test(
    "each kind of damage is found, with its position and its name",
    arguments: [
      ("lost", "holds zeros"), ("misplaced", "holds the data that was written at 0"),
      ("old", "holds data that this run did not write"), ("torn", "its checksum is wrong"),
    ])
  func damage(kind: String, words: String) throws {
    let disk = try Disk(bytes: 1 << 20)
    let verifier = DataVerifier(disk.path, seed: 9, budget: 1 << 20)
    // The damage is done between writing and reading, when the run asks whether to go on for the second time.
    var asked = 0
    let outcome = try verifier.run {
      asked += 1
      guard asked == 2 else { return false }
      try? disk.change { data in
        let block = 4096..<4608
        switch kind {
        case "lost": data.replaceSubrange(block, with: Data(count: 512))
        case "misplaced": data.replaceSubrange(block, with: data[0..<512])
        case "old": data[4096 + 8] = 8
        default: data[4096 + 300] ^= 1
        }
      }
      return false
    }
    #expect(outcome.differenceCount == 1)
    #expect(outcome.differences.first?.hasPrefix("the block at 4096 ") == true)
    #expect(outcome.differences.first?.contains(words) == true)
  }

  @Test("a missing disk is an error with its path and the kernel's errno")
  func missing() {
    let error = #expect(throws: DataVerifier.Failure.self) {
      try DataVerifier("/nonexistent/disk", seed: 1, budget: 1).run { false }
    }
    #expect(error?.description.contains("/nonexistent/disk: ENOENT") == true)
  }
}
