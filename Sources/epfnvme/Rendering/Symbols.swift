// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// Every non-ASCII character that this program prints; other text is from a profile or from the kernel.
///
/// A locale without UTF-8 gets ASCII instead.
enum Symbols {
  /// Whether the locale's encoding is UTF-8. The first variable that is not empty decides; none is the locale C.
  /// - Source: setlocale(3), `LC_CTYPE`.
  static let areUTF8: Bool = {
    for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
      guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }), !value.isEmpty
      else { continue }
      let encoding = value.lowercased()
      return encoding.contains("utf-8") || encoding.contains("utf8")
    }
    return false
  }()

  /// Between facts on one line.
  static let separator = areUTF8 ? " · " : " | "
  /// Before an explanation.
  static let dash = areUTF8 ? "—" : "-"
  /// Of a tree: a child, the last child, and the line past the children of a child.
  static let child = areUTF8 ? "├─ " : "|- "
  static let lastChild = areUTF8 ? "└─ " : "`- "
  static let passing = areUTF8 ? "│  " : "|  "
}
