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

  /// A path without its last component and the slash before that.
  package var parentPath: String {
    utf8.lastIndex(of: UInt8(ascii: "/")).map { String(self[..<$0]) } ?? ""
  }
}
