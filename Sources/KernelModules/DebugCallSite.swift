// SPDX-License-Identifier: Apache-2.0

/// A call site in the kernel's code that prints if it is enabled (`pr_debug`, `dev_dbg`).
/// - Source: `lib/dynamic_debug.c`, `ddebug_proc_show`.
public struct DebugCallSite: Sendable, Hashable {
  public var module: String
  /// As the kernel was built: `drivers/nvme/target/pci-epf.c`.
  public var file: String
  public var line: UInt32
  public var function: String
  /// `p` prints; `m`, `f`, `s`, `l`, `t`, `d` add information; `_` is none of them.
  public var flags: String
  /// One of a class (`DRM_UT_CORE`) obeys only those who name the class.
  public var hasClass: Bool

  public init(
    module: String, file: String, line: UInt32, function: String, flags: String,
    hasClass: Bool = false
  ) {
    self.module = module
    self.file = file
    self.line = line
    self.function = function
    self.flags = flags
    self.hasClass = hasClass
  }

  public var isOn: Bool { flags.contains("p") }

  /// `drivers/nvme/target/core.c:1234 [nvmet]nvmet_execute =_ "text\012"`; nil for anything else.
  public init?(parsing text: some StringProtocol) {
    let text = Substring(text)
    guard text.first != "#" else { return nil }
    // The format may contain anything; the text before it does not contain " =".
    var rest = text
    var head = text[..<text.startIndex]
    while true {
      guard let equals = rest.firstIndex(of: "=") else { return nil }
      let after = text[text.index(after: equals)...]
      let letters = after.prefix { $0.isASCII && $0.isLetter || $0 == "_" }
      if text[..<equals].last == " ", !letters.isEmpty,
        after.dropFirst(letters.count).hasPrefix(" \"")
      {
        head = text[..<equals].dropLast()
        flags = String(letters)
        break
      }
      rest = after
    }
    guard let close = head.lastIndex(of: "]"), let open = head[..<close].lastIndex(of: "["),
      head[..<open].last == " "
    else { return nil }
    let place = head[..<open].dropLast()
    module = String(head[head.index(after: open)..<close])
    function = String(head[head.index(after: close)...])
    guard let colon = place.lastIndex(of: ":"),
      let number = UInt32(place[place.index(after: colon)...])
    else { return nil }
    file = String(place[..<colon])
    line = number
    hasClass = !text.hasSuffix("\"")
    guard !module.isEmpty, !function.isEmpty, !file.isEmpty else { return nil }
  }

  /// All call sites of a control file; other lines are ignored.
  public static func all(in text: String) -> [DebugCallSite] {
    text.split(separator: "\n").compactMap { DebugCallSite(parsing: $0) }
  }
}
