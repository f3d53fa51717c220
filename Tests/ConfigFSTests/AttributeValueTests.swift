// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Testing

@Suite("Values of attributes")
struct AttributeValueTests {
  @Test(
    "an integer is read as kstrtou16 with base 0 reads it",
    arguments: [
      ("0\n", 0), ("10", 10), ("0x1F", 31), ("0X1f\n", 31), ("010", 8), ("+5", 5), ("65535", 65535),
    ] as [(String, UInt16)])
  func integer(text: String, value: UInt16) {
    #expect(UInt16(attributeText: text) == value)
  }

  @Test(
    "texts that kstrtou16 refuses are not integers",
    arguments: [
      "", "\n", "0x", "08", "-1", " 5", "5 ", "5\n\n", "1_000", "4k", "65536", "+-5", "0x-5", "--5",
    ])
  func noInteger(text: String) {
    #expect(UInt16(attributeText: text) == nil)
  }

  @Test(
    "a signed integer may be negative",
    arguments: [("-1\n", -1), ("+1", 1), ("-0x10", -16)] as [(String, Int32)])
  func signed(text: String, value: Int32) {
    #expect(Int32(attributeText: text) == value)
  }

  @Test("integers are written in decimal, with one line feed")
  func integerText() {
    #expect(UInt16(4).attributeText == "4\n")
    #expect(Int32(-1).attributeText == "-1\n")
    #expect(UInt64.max.shownText == "18446744073709551615\n")
  }

  @Test(
    "a boolean is shown as a digit, or as a letter by module parameters",
    arguments: [("1\n", true), ("0\n", false), ("Y\n", true), ("N", false)])
  func boolean(text: String, value: Bool) {
    #expect(Bool(attributeText: text) == value)
    #expect(value.attributeText == (value ? "1\n" : "0\n"))
  }

  @Test(
    "texts that a kernel never shows are not booleans", arguments: ["", "\n", "2", "10", "enable"])
  func noBoolean(text: String) {
    #expect(Bool(attributeText: text) == nil)
  }

  @Test(
    "header fields are shown with four digits, including those of eight bits",
    arguments: [
      ("0x15b7\n", 0x15b7, "0x15b7\n"), ("077\n", 63, "0x003f\n"), ("2", 2, "0x0002\n"),
    ] as [(String, UInt16, String)])
  func header(text: String, value: UInt16, shown: String) {
    #expect(Hex16(attributeText: text) == Hex16(rawValue: value))
    #expect(Hex16(rawValue: value).shownText == shown)
    if let byte = UInt8(exactly: value) {
      #expect(Hex8(attributeText: text) == Hex8(rawValue: byte))
      #expect(Hex8(rawValue: byte).shownText == shown)
    }
  }

  @Test(
    "a header field of eight bits accepts no more", arguments: ["256", "0x100", "-1", "zz", ""])
  func wideByte(text: String) {
    #expect(Hex8(attributeText: text) == nil)
  }
}
