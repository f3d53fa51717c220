// SPDX-License-Identifier: Apache-2.0
public import Provisioning
internal import Numbers
public import SimulatedKernel

/// Documents of profiles in which some values are extremes of their keys, reproducible by the number of a seed.
///
/// About half of them are profiles; the rest is refused by what the schema or the rules say.
public struct ExtremeProfile {
  private var random: SplitMix64

  private init(seed: UInt64) { random = SplitMix64(seed: seed &* 31 &+ 7) }

  /// A generated profile with one to four values replaced.
  public static func document(
    seed: UInt64, for kernelRelease: SimulatedKernel.Release
  ) -> JSONValue {
    var generator = ExtremeProfile(seed: seed)
    var document = ProfileGenerator.profile(seed: seed, for: kernelRelease).json
    for _ in 0..<generator.number(upTo: 4) + 1 {
      document = generator.spoiled(document, as: ProfileSchema.document)
    }
    return document
  }

  /// Integers around the limits of every width, as JSON and as strings.
  public static let integers: [JSONValue] =
    whole.map { .integer($0) } + numbers.map { .number($0) } + strings.map { .string($0) }
    + [.null, .bool(true), .array([]), .object([])]

  private static let whole: [Int64] = [
    0, 1, -1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 127, 128, 129, 255, 256, 511, 512, 513, 1023, 1024,
    1025, 2047, 2048, 4095, 4096, 4097, 32767, 32768, 65535, 65536, 2_147_483_647, 2_147_483_648,
    4_294_967_294, 4_294_967_295, 4_294_967_296, 8_589_934_592, 8_796_093_022_208,
    9_007_199_254_740_991, 9_007_199_254_740_992, .max, .min, -2_147_483_648,
  ]

  private static let numbers: [String] = [
    "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400", "-1e400", "1.5",
    "0.0", "-0", "1e2", "1.0", "340282366920938463463374607431768211456",
  ]

  private static let strings: [String] = [
    "0x0", "0x1", "0x7f", "0xffff", "0x10000", "0xffffffff", "0x100000000", "0xffffffffffffffff",
    "0x10000000000000000", "0x", "0X20", "020", "08", "", "+5", "-1", "- 1", " 1", "1 ", "1\n",
    "1_000", "\u{0661}", "99999999999999999999", "true",
  ]

  /// Texts on both sides of every form.
  public static let texts: [String] = [
    "", " ", "a", "a b", "a,b", "a/b", ".", "..", "/", "//srv//x.img", "/srv/../srv/x.img",
    "/srv/x.img/",
    "/srv/a\nb", "/a\u{0}b", "é", "日本", "\u{1F4BE}", "nqn.2026-01.org.example:a",
    "nqn.2014-08.org.nvmexpress.discovery", "\u{7f}", "a\u{1}", "a\n", "2.1", "65535.255.255",
    "65536.0",
    "1.256", "00000000-0000-0000-0000-000000000000", "6ad37b33-6a6b-4cd1-9c3f-5a3a86a4c8a1",
    "00000000000000000000000000000000", "6ad37b336a6b4cd19c3f5a3a86a4c8a1", "0.0.0.0", "::",
    "192.0.2.1",
    "192.0.2.256", "fe80::1", "fe80::1%eth0", "fe80::1%", "2001:db8::1%eth0", "::ffff:192.0.2.1",
    "localhost", "ipv6", "tcp", "loop", "4420", "0", "65535", "65536", "0x1144", "auto",
    String(repeating: "n", count: 21), String(repeating: "n", count: 32),
    String(repeating: "n", count: 65), String(repeating: "n", count: 222),
    String(repeating: "n", count: 223), String(repeating: "n", count: 224),
    String(repeating: "n", count: 256), String(repeating: "é", count: 112),
  ]

  private mutating func number(upTo limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
  private mutating func pick<T>(_ values: [T]) -> T { values[number(upTo: values.count)] }

  // MARK: Places

  /// The document with one value replaced, somewhere in it.
  private mutating func spoiled(_ value: JSONValue, as object: SchemaObject) -> JSONValue {
    guard case .object(var members) = value else { return value }
    // Down into a part, most of the time: the leaves are where the values are.
    let parts = members.indices.filter { isPart(object.row(members[$0].key)) }
    if !parts.isEmpty, number(upTo: 100) < 85 {
      let index = pick(parts)
      if let row = object.row(members[index].key) {
        members[index].value = spoiledPart(members[index].value, row)
      }
      return .object(members)
    }
    let row = pick(object.keyed)
    guard let key = row.key else { return value }
    let index = members.firstIndex { $0.key == key }
    switch number(upTo: 100) {
    case 0..<3:
      if let index { members.remove(at: index) }
    case 3..<4: members.append(.init("unheard", true))
    default:
      guard let drawn = extreme(row, members) else { return value }
      if let index {
        members[index].value = drawn
      } else {
        members.append(.init(key, drawn))
      }
    }
    return .object(members)
  }

  private func isPart(_ row: SchemaRow?) -> Bool {
    switch row?.kind {
    case .object, .objects, .named: true
    default: false
    }
  }

  private mutating func spoiledPart(_ value: JSONValue, _ row: SchemaRow) -> JSONValue {
    switch (row.kind, value) {
    case (.object(let name), _):
      guard let object = ProfileSchema.object(name) else { return value }
      return spoiled(value, as: object)
    case (.objects(let name), .array(var elements)):
      guard let object = ProfileSchema.object(name), !elements.isEmpty else { return value }
      let index = number(upTo: elements.count)
      // The same object twice is an extreme, too.
      if number(upTo: 100) < 4 {
        elements.append(elements[index])
      } else {
        elements[index] = spoiled(elements[index], as: object)
      }
      return .array(elements)
    case (.named(_, let name), .object(var members)):
      guard let object = ProfileSchema.object(name), !members.isEmpty else { return value }
      let index = number(upTo: members.count)
      members[index].value = spoiled(members[index].value, as: object)
      return .object(members)
    default: return value
    }
  }

  // MARK: Values

  /// An extreme of a key; nil where there is nothing to draw.
  private mutating func extreme(_ row: SchemaRow, _ siblings: [JSONValue.Member]) -> JSONValue? {
    switch row.kind {
    case .integer(let range), .powerOfTwo(let range): return integer(range)
    case .constant(let value): return pick([JSONValue(value), JSONValue(value + 1), "1", .null])
    case .boolean: return pick([true, false, true, false, 0, "true", .null])
    case .words(let words):
      return .string(number(upTo: 100) < 70 ? pick(words) : pick(Self.texts))
    case .text: return number(upTo: 100) < 95 ? .string(pick(Self.texts)) : pick(Self.integers)
    case .textOrInteger(_, let range):
      return number(upTo: 100) < 50 ? integer(range) : .string(pick(Self.texts))
    case .texts:
      let one = JSONValue.string(pick(Self.texts))
      let old = siblings.first { $0.key == row.key }?.value.arrayValue ?? []
      return .array(number(upTo: 100) < 50 ? old + old.prefix(1) + [one] : old + [one, one])
    case .attributes:
      return .object([.init(pick(["vendorid", "addr_treq", "fua", "new_one", "..", ""]), "1")])
    case .object, .objects, .named: return number(upTo: 100) < 50 ? pick(Self.integers) : nil
    case .unkeyed, .command: return nil
    }
  }

  /// Mostly the ends of the range, so that most profiles stay profiles.
  private mutating func integer(_ range: ClosedRange<Int>) -> JSONValue {
    switch number(upTo: 100) {
    case 0..<25: return JSONValue(range.lowerBound)
    case 25..<50: return JSONValue(range.upperBound)
    case 50..<58:
      return range.lowerBound > .min ? JSONValue(range.lowerBound - 1) : pick(Self.integers)
    case 58..<66:
      return range.upperBound < .max ? JSONValue(range.upperBound + 1) : pick(Self.integers)
    default: return pick(Self.integers)
    }
  }
}
