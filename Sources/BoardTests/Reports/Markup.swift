// SPDX-License-Identifier: Apache-2.0

/// Text in XML and HTML.
enum Markup {
  /// Text for an element or an attribute. Characters that XML 1.0 does not allow become U+FFFD.
  static func escaped(_ text: String) -> String {
    var xml = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": xml += "&amp;"
      case "<": xml += "&lt;"
      case ">": xml += "&gt;"
      case "\"": xml += "&quot;"
      case "'": xml += "&#39;"
      case "\n", "\t": xml.unicodeScalars.append(scalar)
      default:
        let isLegal =
          scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)
          && !(0xfffe...0xffff).contains(scalar.value)
        xml.unicodeScalars.append(isLegal ? scalar : "\u{fffd}")
      }
    }
    return xml
  }
}
