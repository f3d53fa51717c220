// SPDX-License-Identifier: Apache-2.0

/// The text of a saved log: UTF-8 in lines, whatever the tool made of it that saved it.
struct SavedLogText {
  let bytes: [UInt8]

  /// - Returns: nil for a file that is not text.
  init?(_ file: [UInt8]) {
    var bytes = file
    // PowerShell and editors of Windows write UTF-16.
    if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
      bytes = Self.utf8(ofUTF16: bytes)
    }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
    // A system that loses power leaves zeros at the end of its files.
    bytes.removeAll { $0 == 0 }
    guard Self.isText(bytes) else { return nil }
    // Captures of a serial console may end lines with a carriage return alone.
    let (feed, carriage) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    self.bytes =
      bytes.contains(feed) ? bytes : bytes.map { $0 == carriage ? feed : $0 }
  }

  private static func utf8(ofUTF16 bytes: [UInt8]) -> [UInt8] {
    let isLittleEndian = bytes[0] == 0xff
    let units = stride(from: 2, to: bytes.count - 1, by: 2).map { index in
      let (low, high) = isLittleEndian ? (index, index + 1) : (index + 1, index)
      return UInt16(bytes[low]) | UInt16(bytes[high]) << 8
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }

  /// Whether at most a tenth of the bytes are control characters that no log has, or bytes of no ASCII text.
  private static func isText(_ bytes: [UInt8]) -> Bool {
    let strange = bytes.reduce(0) { count, byte in
      let isPlain = (0x20..<0x7f).contains(byte) || (0x09...0x0d).contains(byte) || byte == 0x1b
      return isPlain ? count : count + 1
    }
    return strange * 10 <= bytes.count
  }
}
