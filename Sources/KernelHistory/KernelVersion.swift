// SPDX-License-Identifier: Apache-2.0

/// The version of a kernel: `6.14.2`, `7.3-rc1`.
///
/// A release candidate precedes its release.
public struct KernelVersion: Sendable, Hashable {
  public var major: Int
  public var minor: Int
  /// The number of the stable release; 0 for a mainline release and its candidates.
  public var patch: Int
  /// The number of the release candidate; nil for a release.
  public var candidate: Int?

  public init(_ major: Int, _ minor: Int, _ patch: Int = 0, candidate: Int? = nil) {
    self.major = major
    self.minor = minor
    self.patch = patch
    self.candidate = candidate
  }

  /// The text at the beginning of `uname -r`: `6.14`, `6.14.2`, `6.14-rc3`, `6.14.0-rc3`.
  /// - Returns: nil when the text does not begin with two numbers.
  public init?(_ text: String) {
    var rest = Substring(text)
    guard let version = Self.parse(&rest) else { return nil }
    self = version
  }

  /// Takes a version from the beginning of a text.
  static func parse(_ rest: inout Substring) -> KernelVersion? {
    func number() -> Int? {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard !digits.isEmpty, digits.utf8.count <= 6 else { return nil }
      rest = rest[digits.endIndex...]
      return Int(digits)
    }
    func skip(_ prefix: String) -> Bool {
      guard rest.hasPrefix(prefix) else { return false }
      rest = rest.dropFirst(prefix.count)
      return true
    }
    guard let major = number(), skip("."), let minor = number() else { return nil }
    var patch = 0
    if rest.hasPrefix("."), let first = rest.dropFirst().first, first.isASCII, first.isNumber {
      guard skip("."), let value = number() else { return nil }
      patch = value
    }
    var version = KernelVersion(major, minor, patch)
    if skip("-rc") { version.candidate = number() }
    return version
  }

  private var key: [Int] { [major, minor, patch, candidate ?? .max] }

  /// Whether both have the same mainline release.
  public func isSameSeries(as other: Self) -> Bool {
    major == other.major && minor == other.minor
  }

  /// As an upstream kernel's `uname -r`: `6.14.0`, `6.14.2`, `6.14.0-rc3`.
  public var uname: String {
    "\(major).\(minor).\(patch)" + (candidate.map { "-rc\($0)" } ?? "")
  }

  /// `6.14.y`.
  var seriesText: String { "\(major).\(minor).y" }
}

extension KernelVersion: Comparable {
  public static func < (one: Self, other: Self) -> Bool {
    one.key.lexicographicallyPrecedes(other.key)
  }
}

extension KernelVersion: CustomStringConvertible {
  /// As kernel.org writes it: `6.14`, `6.14.2`, `6.14-rc3`.
  public var description: String {
    "\(major).\(minor)" + (patch > 0 ? ".\(patch)" : "") + (candidate.map { "-rc\($0)" } ?? "")
  }
}
