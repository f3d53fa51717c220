// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

/// The fields of Identify data in nvme-cli's layout: `vid       : 0x15b7`.
/// - Source: NVM Express Base 2.1, figure 312; NVM Command Set 1.0, figure 97.
struct IdentifyText {
  private enum Form { case number, hexadecimal, text, bytes }

  private struct Field {
    var name: String
    var offset: Int
    var width: Int
    var form = Form.number
  }

  private static let controller: [Field] = [
    Field(name: "vid", offset: 0, width: 2, form: .hexadecimal),
    Field(name: "ssvid", offset: 2, width: 2, form: .hexadecimal),
    Field(name: "sn", offset: 4, width: 20, form: .text),
    Field(name: "mn", offset: 24, width: 40, form: .text),
    Field(name: "fr", offset: 64, width: 8, form: .text), Field(name: "rab", offset: 72, width: 1),
    Field(name: "ieee", offset: 73, width: 3, form: .bytes),
    Field(name: "cmic", offset: 76, width: 1, form: .hexadecimal),
    Field(name: "mdts", offset: 77, width: 1),
    Field(name: "cntlid", offset: 78, width: 2, form: .hexadecimal),
    Field(name: "ver", offset: 80, width: 4, form: .hexadecimal),
    Field(name: "rtd3r", offset: 84, width: 4, form: .hexadecimal),
    Field(name: "rtd3e", offset: 88, width: 4, form: .hexadecimal),
    Field(name: "oaes", offset: 92, width: 4, form: .hexadecimal),
    Field(name: "ctratt", offset: 96, width: 4, form: .hexadecimal),
    Field(name: "cntrltype", offset: 111, width: 1),
    Field(name: "oacs", offset: 256, width: 2, form: .hexadecimal),
    Field(name: "acl", offset: 258, width: 1), Field(name: "aerl", offset: 259, width: 1),
    Field(name: "frmw", offset: 260, width: 1, form: .hexadecimal),
    Field(name: "lpa", offset: 261, width: 1, form: .hexadecimal),
    Field(name: "elpe", offset: 262, width: 1), Field(name: "npss", offset: 263, width: 1),
    Field(name: "kas", offset: 320, width: 2), Field(name: "endgidmax", offset: 340, width: 2),
    Field(name: "anatt", offset: 342, width: 1), Field(name: "anacap", offset: 343, width: 1),
    Field(name: "anagrpmax", offset: 344, width: 4),
    Field(name: "nanagrpid", offset: 348, width: 4),
    Field(name: "sqes", offset: 512, width: 1, form: .hexadecimal),
    Field(name: "cqes", offset: 513, width: 1, form: .hexadecimal),
    Field(name: "maxcmd", offset: 514, width: 2), Field(name: "nn", offset: 516, width: 4),
    Field(name: "oncs", offset: 520, width: 2, form: .hexadecimal),
    Field(name: "vwc", offset: 525, width: 1, form: .hexadecimal),
    Field(name: "nwpc", offset: 531, width: 1),
    Field(name: "sgls", offset: 536, width: 4, form: .hexadecimal),
    Field(name: "mnan", offset: 540, width: 4),
    Field(name: "subnqn", offset: 768, width: 256, form: .text),
    Field(name: "ioccsz", offset: 1792, width: 4), Field(name: "iorcsz", offset: 1796, width: 4),
  ]

  private static let namespace: [Field] = [
    Field(name: "nsze", offset: 0, width: 8, form: .hexadecimal),
    Field(name: "ncap", offset: 8, width: 8, form: .hexadecimal),
    Field(name: "nuse", offset: 16, width: 8, form: .hexadecimal),
    Field(name: "nsfeat", offset: 24, width: 1, form: .hexadecimal),
    Field(name: "nlbaf", offset: 25, width: 1),
    Field(name: "flbas", offset: 26, width: 1, form: .hexadecimal),
    Field(name: "nmic", offset: 30, width: 1, form: .hexadecimal),
    Field(name: "anagrpid", offset: 92, width: 4), Field(name: "nsattr", offset: 99, width: 1),
    Field(name: "endgid", offset: 102, width: 2),
    Field(name: "nguid", offset: 104, width: 16, form: .bytes),
  ]

  static func controller(_ bytes: [UInt8]) -> [(String, String)] { fields(controller, bytes) }

  static func namespace(_ bytes: [UInt8]) -> [(String, String)] {
    fields(namespace, bytes) + [
      ("lbaf  0", "ms:\(number(bytes, 128, 2)) lbads:\(bytes[130]) rp:\(bytes[131] & 3) (in use)")
    ]
  }

  /// Names in a column of ten.
  static func lines(_ fields: [(String, String)]) -> [String] {
    fields.map { name, value in
      name + String(repeating: " ", count: max(1, 10 - name.count)) + ": " + value
    }
  }

  private static func fields(_ table: [Field], _ bytes: [UInt8]) -> [(String, String)] {
    table.map { field in
      let range = field.offset..<field.offset + field.width
      let value: String =
        switch field.form {
        case .number: "\(number(bytes, field.offset, field.width))"
        case .hexadecimal:
          number(bytes, field.offset, field.width) == 0
            ? "0" : "0x" + String(number(bytes, field.offset, field.width), radix: 16)
        case .text:
          Terminal.printable(
            String(decoding: bytes[range].prefix { $0 != 0 }, as: UTF8.self))
        // The first byte is the lowest one of an OUI, the highest one of an NGUID.
        case .bytes:
          (field.width == 3 ? bytes[range].reversed() : Array(bytes[range]))
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
      return (field.name, value)
    }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
    (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
  }
}
