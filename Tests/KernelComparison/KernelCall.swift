// SPDX-License-Identifier: Apache-2.0

/// One call of a process: on configfs, on an open attribute, on a module, or on a file of the machine.
///
/// Paths of configfs are relative to its root. Open attributes have numbers, the lowest free one first, as descriptors have.
package enum KernelCall: Hashable, Sendable {
  case make(String)
  case remove(String)
  case link(String, to: String)
  case unlink(String)
  case write(String, to: String)
  case read(String)
  case list(String)
  /// `lstat(2)`: mode and link count.
  case status(String)
  /// `readlink(2)`.
  case linkText(String)
  case open(String, OpenMode)
  case readOpen(Int)
  case rewind(Int)
  case writeOpen(String, to: Int)
  case close(Int)
  case load(String, [String])
  case unload(String)
  /// The kind and size of a file or block device, by its absolute path.
  case describe(String)

  package enum OpenMode: String, Hashable, Sendable, CaseIterable { case r, w, rw }

  /// Whether the call may change the kernel.
  package var isEffect: Bool {
    switch self {
    case .make, .remove, .link, .unlink, .write, .writeOpen, .load, .unload: true
    case .read, .list, .status, .linkText, .open, .readOpen, .rewind, .close, .describe: false
    }
  }
}

/// One line a call: words separated by tabs.
extension KernelCall {
  private var words: [String] {
    switch self {
    case .make(let path): ["make", path]
    case .remove(let path): ["remove", path]
    case .link(let path, let target): ["link", path, target]
    case .unlink(let path): ["unlink", path]
    case .write(let text, let path): ["write", path, text]
    case .read(let path): ["read", path]
    case .list(let path): ["list", path]
    case .status(let path): ["status", path]
    case .linkText(let path): ["readlink", path]
    case .open(let path, let mode): ["open", path, mode.rawValue]
    case .readOpen(let number): ["read-open", String(number)]
    case .rewind(let number): ["rewind", String(number)]
    case .writeOpen(let text, let number): ["write-open", String(number), text]
    case .close(let number): ["close", String(number)]
    case .load(let module, let parameters): ["load", module] + parameters
    case .unload(let module): ["unload", module]
    case .describe(let path): ["describe", path]
    }
  }

  /// The call as a line of a file, without the line feed.
  package var line: String { words.map(Self.escaped).joined(separator: "\t") }

  /// Reads a line; nil for one that is no call.
  package init?(line: some StringProtocol) {
    let words = line.split(separator: "\t", omittingEmptySubsequences: false).map {
      Self.unescaped($0)
    }
    func word(_ index: Int) -> String { index < words.count ? words[index] : "" }
    let number = Int(word(1)) ?? 0
    switch word(0) {
    case "make": self = .make(word(1))
    case "remove": self = .remove(word(1))
    case "link": self = .link(word(1), to: word(2))
    case "unlink": self = .unlink(word(1))
    case "write": self = .write(word(2), to: word(1))
    case "read": self = .read(word(1))
    case "list": self = .list(word(1))
    case "status": self = .status(word(1))
    case "readlink": self = .linkText(word(1))
    case "open": self = .open(word(1), OpenMode(rawValue: word(2)) ?? .r)
    case "read-open": self = .readOpen(number)
    case "rewind": self = .rewind(number)
    case "write-open": self = .writeOpen(word(2), to: number)
    case "close": self = .close(number)
    case "load": self = .load(word(1), Array(words.dropFirst(2)))
    case "unload": self = .unload(word(1))
    case "describe": self = .describe(word(1))
    default: return nil
    }
  }

  private static func escaped(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": line += "\\\\"
      case "\n": line += "\\n"
      case "\t": line += "\\t"
      case "\0": line += "\\0"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  private static func unescaped(_ line: some StringProtocol) -> String {
    var text = String.UnicodeScalarView()
    var scalars = line.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "\\" else {
        text.append(scalar)
        continue
      }
      switch scalars.next() {
      case "n"?: text.append("\n")
      case "t"?: text.append("\t")
      case "0"?: text.append("\0")
      case let other?: text.append(other)
      case nil: break
      }
    }
    return String(text)
  }
}

/// The result of a call.
package struct Answer: Hashable, Sendable {
  /// `ok`, or the name of the errno.
  package var outcome: String
  /// The value that the call returned, one item a line: a text, the entries of a directory in order.
  package var result: [String] = []
  /// The lines of drivers in the kernel's log since the call before.
  package var log: [String] = []
}
