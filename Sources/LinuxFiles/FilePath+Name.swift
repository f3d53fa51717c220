// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

// Without parsing all components of the path, as `lastComponent` and `removingLastComponent()` do in builds that check their invariants: a
// plan needs thousands of names.
extension FilePath {
  /// The last component, or an empty text if there is none.
  package var name: String { string.lastComponent ?? "" }

  /// The directory that the last component of an absolute path is in; the root's is the root.
  package var parent: FilePath {
    let parent = string.parentPath
    return parent.isEmpty ? "/" : FilePath(parent)
  }
}

extension String {
  /// The last component of a path; nil if there is none.
  package var lastComponent: String? {
    let slash = UInt8(ascii: "/")
    guard let end = utf8.lastIndex(where: { $0 != slash }) else { return nil }
    let path = self[...end]
    return String(
      path[(path.utf8.lastIndex(of: slash).map(path.utf8.index(after:)) ?? startIndex)...])
  }

  /// The path without empty components, `.` and `..`, as `FilePath.lexicallyNormalized()` has it.
  package var lexicallyNormalizedPath: String {
    let slash = UInt8(ascii: "/")
    let dot = UInt8(ascii: ".")
    var previous: UInt8 = 0
    var isNormal = utf8.first == slash && utf8.count > 1
    for byte in utf8 {
      // Also names that begin with a dot.
      if previous == slash, byte == slash || byte == dot {
        isNormal = false
        break
      }
      previous = byte
    }
    return isNormal && previous != slash ? self : FilePath(self).lexicallyNormalized().string
  }

  /// A path without its last component and the slash before that.
  package var parentPath: String {
    utf8.lastIndex(of: UInt8(ascii: "/")).map { String(self[..<$0]) } ?? ""
  }
}
