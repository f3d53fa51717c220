// SPDX-License-Identifier: Apache-2.0

/// The lines of the kernel's log that are compared: those of the drivers of the three trees, and complaints of the kernel.
enum LogText {
  private static let prefixes = [
    "nvmet", "null_blk", "nullb", "pci_epc", "pci_epf", "pci-epf", "loop", "nvme",
    "Invalid logical block size", "blk-mq",
  ].map { Array($0.utf8) }
  private static let complaints = [
    "WARNING: ", "BUG: ", "Oops", "general protection", "detected buffer overflow", "kernel BUG",
    "refcount_t", "sysfs: cannot create duplicate",
  ].map { Array($0.utf8) }
  private static let host = Array("nqn.2014-08.org.nvmexpress:uuid:".utf8)

  /// printk cuts longer texts.
  private static let longest = 900

  static func drivers(_ lines: [String]) -> [String] {
    lines.compactMap { line in
      let bytes = Array(line.utf8)
      if complaints.contains(where: { bytes.starts(with: $0) }) { return complaint(bytes) }
      return prefixes.contains { bytes.starts(with: $0) } ? normal(bytes) : nil
    }
  }

  /// `WARNING: drivers/…/file.c:123 at function+0x1/0x2` without the file and line, which not every kernel prints.
  private static func complaint(_ line: [UInt8]) -> String {
    guard line.starts(with: "WARNING: ".utf8), let place = line.firstRange(of: Array(" at ".utf8))
    else { return String(decoding: line, as: UTF8.self) }
    let function = line[place.upperBound...].prefix { $0 != UInt8(ascii: "+") && $0 != 0x20 }
    return "WARNING: " + String(decoding: function, as: UTF8.self)
  }

  private static func normal(_ line: [UInt8]) -> String {
    var text = line
    // Line feeds at the end are printk's.
    while text.last == UInt8(ascii: "\n") { text.removeLast() }
    if text.count > longest { text = text.prefix(longest) + Array("…".utf8) }
    if let place = text.firstRange(of: host), text.count >= place.upperBound + 36 {
      text.replaceSubrange(
        place.upperBound..<(place.upperBound + 36), with: Array("<random UUID>".utf8))
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension [UInt8] {
  fileprivate func firstRange(of part: [UInt8]) -> Range<Int>? {
    guard !part.isEmpty, count >= part.count else { return nil }
    for start in 0...(count - part.count) where self[start...].starts(with: part) {
      return start..<(start + part.count)
    }
    return nil
  }
}
