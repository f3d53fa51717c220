// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

// Without parsing all of the path's components, which `lastComponent` and `removingLastComponent()` do in a build that
// checks their invariants: a plan asks for thousands of names.
extension FilePath {
  /// The last component, or an empty text for a path that has none.
  package var name: String { string.lastComponent ?? "" }

  /// The directory that the last component of an absolute path is in; the root's is the root.
  package var parent: FilePath {
    let parent = string.parentPath
    return parent.isEmpty ? "/" : FilePath(parent)
  }
}

extension String {
  /// The last component of a path; nil for a path that has none.
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
