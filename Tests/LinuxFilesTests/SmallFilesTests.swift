// SPDX-License-Identifier: Apache-2.0
import LibC
import LinuxFiles
import SystemPackage
import Testing

@Suite struct SmallFilesTests {
  @Test("a directory's entries have their types, and . and .. are not among them")
  func entries() throws {
    let entries = try directoryEntries("/proc/self")
    let types = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.type) })
    #expect(types["fd"] == CInt(DT_DIR) && types["exe"] == CInt(DT_LNK))
    #expect(types["stat"] == CInt(DT_REG))
    #expect(types["."] == nil && types[".."] == nil)
    #expect(try Set(directoryNames("/proc/self/ns")).isSuperset(of: ["mnt", "net"]))
  }

  @Test("the error of a directory that cannot be read is the kernel's")
  func noDirectory() {
    #expect(throws: Errno.noSuchFileOrDirectory) { try directoryNames("/nonexistent") }
    #expect(throws: Errno.notDirectory) { try directoryNames("/proc/self/stat") }
  }
}
