// SPDX-License-Identifier: Apache-2.0

/// Some of the quirks: one bit each, so that a command tests for a quirk with one instruction.
public struct QuirkSet: SetAlgebra, Sendable, Hashable {
  private var bits: UInt64 = 0

  public init() {}
  public init(_ quirks: some Sequence<Quirk>) { for quirk in quirks { insert(quirk) } }
  public init(arrayLiteral elements: Quirk...) { self.init(elements) }
  private init(bits: UInt64) { self.bits = bits }

  @inline(__always)
  public func contains(_ quirk: Quirk) -> Bool { bits & quirk.bit != 0 }

  @discardableResult
  public mutating func insert(_ quirk: Quirk) -> (inserted: Bool, memberAfterInsert: Quirk) {
    defer { bits |= quirk.bit }
    return (!contains(quirk), quirk)
  }

  @discardableResult
  public mutating func remove(_ quirk: Quirk) -> Quirk? {
    defer { bits &= ~quirk.bit }
    return contains(quirk) ? quirk : nil
  }

  @discardableResult
  public mutating func update(with quirk: Quirk) -> Quirk? {
    insert(quirk).inserted ? nil : quirk
  }

  public func union(_ other: Self) -> Self { Self(bits: bits | other.bits) }
  public func intersection(_ other: Self) -> Self { Self(bits: bits & other.bits) }
  public func symmetricDifference(_ other: Self) -> Self { Self(bits: bits ^ other.bits) }
  public mutating func formUnion(_ other: Self) { bits |= other.bits }
  public mutating func formIntersection(_ other: Self) { bits &= other.bits }
  public mutating func formSymmetricDifference(_ other: Self) { bits ^= other.bits }

  public var isEmpty: Bool { bits == 0 }

  /// The quirks, in the order of their declaration.
  public var quirks: [Quirk] { Quirk.allCases.filter(contains) }
}

extension QuirkSet: Codable {
  /// The names of the quirks.
  public init(from decoder: any Decoder) throws {
    self.init(try [Quirk](from: decoder))
  }

  public func encode(to encoder: any Encoder) throws { try quirks.encode(to: encoder) }
}

extension Quirk {
  /// Its bit in a ``QuirkSet``, by the order of declaration.
  @inline(__always)
  var bit: UInt64 {
    // An enumeration without payloads, of at most 256 cases, is a byte with the number of the case.
    1 &<< UInt64(unsafe unsafeBitCast(self, to: UInt8.self))
  }
}
