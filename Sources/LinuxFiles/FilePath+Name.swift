// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

// Without parsing all of the path's components, which `lastComponent` and `removingLastComponent()` do in a build that
// checks their invariants: a plan asks for thousands of names.
extension FilePath {
  /// The last component, or an empty text for a path that has none.
  package var name: String { String(string.nameOfPath) }

  /// The directory that the last component of an absolute path is in; the root's is the root.
  package var parent: FilePath {
    let parent = string.parentPath
    return parent.isEmpty ? "/" : FilePath(parent)
  }
}

extension String {
  /// What stands after the last slash.
  fileprivate var nameOfPath: Substring {
    utf8.lastIndex(of: UInt8(ascii: "/")).map { self[utf8.index(after: $0)...] } ?? self[...]
  }

  /// A path without its last component and the slash before that.
  package var parentPath: String {
    utf8.lastIndex(of: UInt8(ascii: "/")).map { String(self[..<$0]) } ?? ""
  }
}
