// SPDX-License-Identifier: Apache-2.0
import Foundation
import SystemPackage
import Testing

@testable import BlockDevices

@Suite("The live backing store")
struct LiveBackingStoreTests {
  let store = LiveBackingStore()

  private func withDirectory(_ body: (FilePath) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(FilePath(url.path))
  }

  @Test("names that differ in their bytes are names of different files, however they are shown")
  func bytes() throws {
    try withDirectory { directory in
      let names = ["caf\u{e9}", "cafe\u{301}"].map { directory.appending($0) }
      for name in names { try store.createFile(name, size: 512) }
      #expect(!store.isSameFile(names[0], names[1]))
      #expect(store.isSameFile(names[0], FilePath("\(directory)/.//caf\u{e9}")))
    }
    let invalid = [0xfe, 0xff].map { (byte: UInt8) -> FilePath in
      let name = [UInt8(ascii: "/"), byte, 0].map { CInterop.PlatformChar(bitPattern: $0) }
      return unsafe name.withUnsafeBufferPointer { bytes in
        bytes.baseAddress.map { unsafe FilePath(platformString: $0) } ?? ""
      }
    }
    #expect(!store.isSameFile(invalid[0], invalid[1]))
    #expect(store.isSameFile(invalid[0], invalid[0]))
  }

  @Test("a file is created sparse, for its owner only, and once")
  func createFile() throws {
    try withDirectory { directory in
      let path = directory.appending("disk")
      try store.createFile(path, size: 1 << 40)
      let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      #expect(attributes[.size] as? Int == 1 << 40)
      #expect(throws: Errno.fileExists) { try store.createFile(path, size: 1) }
      let description = try store.describe(path)
      #expect(description.kind == .regularFile)
      #expect(description.size == 1 << 40)
      #expect(description.blockSize > 0)
      #expect(!description.isReadOnly)
      try store.removeFile(path)
      #expect(throws: Errno.noSuchFileOrDirectory) { _ = try store.describe(path) }
    }
  }

  @Test("a file too large for the file system leaves nothing behind")
  func tooLarge() throws {
    try withDirectory { directory in
      let path = directory.appending("disk")
      #expect(throws: Errno.fileTooLarge) { try store.createFile(path, size: .max) }
      #expect(throws: Errno.self) { try store.createFile(path, size: UInt64(Int64.max)) }
      #expect(throws: Errno.noSuchFileOrDirectory) { _ = try store.describe(path) }
    }
  }

  @Test("a link is followed, but not when a file is created")
  func link() throws {
    try withDirectory { directory in
      let file = directory.appending("disk")
      let link = directory.appending("link")
      try FileManager.default.createSymbolicLink(
        atPath: link.string, withDestinationPath: file.string)
      #expect(throws: Errno.fileExists) { try store.createFile(link, size: 1) }
      try store.createFile(file, size: 4096)
      #expect(try store.describe(link).size == 4096)
    }
  }

  @Test(
    "a path that is not a backing is reported by its kind",
    arguments: [("/dev/null", .characterDevice), ("/", .directory)]
      as [(FilePath, BackingDescription.Kind)])
  func kinds(path: FilePath, kind: BackingDescription.Kind) throws {
    let description = try store.describe(path)
    #expect(description.kind == kind)
    #expect(!description.allowsDirectIO)
  }

  @Test(
    "a path that is not a loop device has no file", arguments: ["/dev/null", "/dev/loop-control"])
  func noLoop(path: FilePath) {
    #expect(throws: Errno.operationNotSupportedByDevice) { _ = try store.loopFile(of: path) }
  }

  @Test("a loop device cannot be bound to a file that is missing")
  func missingFile() throws {
    try withDirectory { directory in
      let loop = LoopConfiguration(file: directory.appending("absent").string)
      #expect(throws: Errno.noSuchFileOrDirectory) { _ = try store.attachLoop(loop) }
    }
  }
}

@Suite("The mount table")
struct MountTableTests {
  @Test("entries have a device, a mount point and a source, independent of the fields between")
  func entries() {
    let text = """
      22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
      36 35 98:0 /mnt1 /mnt\\0402 rw,noatime - ext3 /dev/root rw
      40 22 0:35 /sub /srv\\134a rw master:1 propagate_from:2 - btrfs /dev/sda\\0111 rw
      """
    #expect(
      MountTable(parsing: text).entries == [
        .init(device: "259:2", mountPoint: "/", source: "/dev/nvme0n1p2"),
        .init(device: "98:0", mountPoint: "/mnt 2", source: "/dev/root"),
        .init(device: "0:35", mountPoint: "/srv\\a", source: "/dev/sda\t1"),
      ])
  }

  @Test(
    "other lines are ignored",
    arguments: ["", "22 1", "a b c d e f g h", "1 2 3:4 / /m rw -", "1 2 3:4 / /m rw - ext4"])
  func junk(line: String) {
    #expect(MountTable(parsing: line).entries.isEmpty)
  }
}
