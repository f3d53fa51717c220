// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// The print format of a field in nvme-cli.
public enum ByteFieldFormat: Hashable, Sendable {
  case decimal
  /// `0x…`; zero is `0`, as `%#x` prints it.
  case hexadecimal
  /// Characters with their padding, up to a NUL.
  case text
  /// Two digits a byte, the first byte first.
  case bytes
  /// Two digits a byte, the last byte first: an OUI.
  case reversedBytes
  /// 8-4-4-4-12.
  case uuid

  /// The text of a field's bytes.
  func text(of bytes: [UInt8]) -> String {
    switch self {
    case .decimal: String(UInt128(fieldBytes: bytes[...], padding: 0))
    case .hexadecimal:
      switch UInt128(fieldBytes: bytes[...], padding: 0) {
      case 0: "0"
      case let number: Numbers.hexadecimal(number)
      }
    case .text: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    case .bytes: bytes.map { hexadecimalDigits($0, count: 2) }.joined()
    case .reversedBytes: Self.bytes.text(of: bytes.reversed())
    case .uuid:
      [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { Self.bytes.text(of: Array(bytes[$0])) }
        .joined(separator: "-")
    }
  }
}
