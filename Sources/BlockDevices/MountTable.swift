// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

/// The mounts of this process, from `/proc/self/mountinfo`.
/// - Source: `Documentation/filesystems/proc.rst`, 3.5; `fs/proc_namespace.c`, `show_mountinfo`.
package struct MountTable {
  package struct Entry: Equatable {
    /// `259:3`; file systems on several devices have an anonymous number, for which only ``source`` is useful.
    package var device: String
    package var mountPoint: FilePath
    package var source: String
  }

  package var entries: [Entry]

  package init(parsing text: String) {
    entries = text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ")
      // A single dash ends the optional fields; type, source and options follow.
      guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"), dash + 2 < fields.count
      else { return nil }
      return Entry(
        device: String(fields[2]), mountPoint: FilePath(Self.unescape(fields[4])),
        source: Self.unescape(fields[dash + 2]))
    }
  }

  /// Blanks, tabs, line feeds and backslashes are written as three octal digits.
  private static func unescape(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
