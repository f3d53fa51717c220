// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Foundation
import SystemPackage
import Testing

/// System calls on an ordinary directory, which answers like configfs where this suite asks.
@Suite("Live system calls")
struct LiveConfigFSTests {
  private func withDirectory(_ body: (LiveConfigFS) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(LiveConfigFS(mountPoint: FilePath(url.resolvingSymlinksInPath().path)))
  }

  @Test("each verb does what its system call does")
  func verbs() throws {
    try withDirectory { live in
      let root = live.mountPoint
      let item = root.appending("item")
      let file = item.appending("size")
      let link = root.appending("link")
      try live.createDirectory(item)
      #expect(throws: Errno.fileExists) { try live.createDirectory(item) }
      #expect(throws: Errno.noSuchFileOrDirectory) { _ = try live.write("1\n", to: file) }
      try Data("old".utf8).write(to: URL(fileURLWithPath: file.string))
      #expect(try live.write("new\n", to: file) == 4)
      #expect(try live.read(file) == "new\n")
      try live.createLink(at: link, to: item)
      #expect(try live.linkTarget(of: link) == item)
      #expect(try live.kind(of: link) == .link)
      #expect(try live.kind(of: item) == .directory)
      #expect(try live.kind(of: file) == .attribute)
      #expect(
        Set(try live.entries(of: root))
          == [
            DirectoryEntry(name: "item", kind: .directory),
            DirectoryEntry(name: "link", kind: .link),
          ])
      #expect(throws: Errno.directoryNotEmpty) { try live.removeDirectory(item) }
      try live.removeLink(link)
      try live.removeLink(file)
      try live.removeDirectory(item)
      #expect(throws: Errno.noSuchFileOrDirectory) { _ = try live.kind(of: item) }
    }
  }

  @Test("an ordinary directory is not configfs")
  func magic() throws {
    try withDirectory { live in
      #expect(!live.isMounted)
      #expect(!ConfigFSMount(at: live.mountPoint).isMounted)
    }
  }

  @Test("mounting at a missing path is ENOENT, or EPERM without privileges")
  func mountNowhere() {
    let error = #expect(throws: Errno.self) {
      try ConfigFSMount(at: FilePath("/nonexistent-\(UUID().uuidString)")).mountIfNeeded()
    }
    #expect(error == .noSuchFileOrDirectory || error == .notPermitted)
  }
}
