// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// An IP address as the kernel's NVMe transports read it: numbers, no names.
///
/// - Source: `net/core/utils.c`, `inet_pton_with_scope`.
public struct IPAddress: Hashable, Sendable {
  public enum Family: String, Sendable, CaseIterable { case ipv4, ipv6 }

  public let family: Family
  /// 4 or 16 bytes in network order.
  public let bytes: [UInt8]
  /// The scope after `%`: an interface, by name or number.
  public let scope: String?

  /// - Parameter family: nil for either.
  /// - Returns: nil if the text is not an address of the family.
  public init?(_ text: String, family: Family? = nil) {
    // A NUL would end the text for `inet_pton`.
    guard !text.utf8.contains(0) else { return nil }
    if family != .ipv6, let bytes = Self.bytes(of: text, AF_INET, count: 4) {
      self.init(family: .ipv4, bytes: bytes, scope: nil)
      return
    }
    guard family != .ipv4 else { return nil }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = parts.first,
      let bytes = Self.bytes(of: String(address), AF_INET6, count: 16)
    else { return nil }
    guard parts.count == 2 else {
      self.init(family: .ipv6, bytes: bytes, scope: nil)
      return
    }
    // Only link-local addresses have a scope.
    guard bytes[0] == 0xfe, bytes[1] & 0xc0 == 0x80, !parts[1].isEmpty else { return nil }
    self.init(family: .ipv6, bytes: bytes, scope: String(parts[1]))
  }

  private init(family: Family, bytes: [UInt8], scope: String?) {
    self.family = family
    self.bytes = bytes
    self.scope = scope
  }

  /// Whether it is a link-local IPv6 address without a scope.
  public var lacksScope: Bool {
    family == .ipv6 && scope == nil && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
  }

  /// Whether it is `0.0.0.0` or `::`, every address of the machine.
  public var isWildcard: Bool { bytes.allSatisfy { $0 == 0 } }

  /// Whether one socket cannot listen on an address while another listens on the other one, with the same port number.
  ///
  /// `::` includes the IPv4 addresses, unless the machine's `bindv6only` is set.
  /// - Source: `net/ipv6/inet_connection_sock.c`, `ipv6_rcv_saddr_equal`.
  public func overlaps(_ other: IPAddress) -> Bool {
    if let own = ipv4Bytes, let others = other.ipv4Bytes {
      return own == others || !own.contains { $0 != 0 } || !others.contains { $0 != 0 }
    }
    return self == other || isDualWildcard || other.isDualWildcard
  }

  private var isDualWildcard: Bool { family == .ipv6 && isWildcard }

  /// Of an IPv4 address, also in its IPv6 form (`::ffff:192.0.2.1`).
  private var ipv4Bytes: [UInt8]? {
    if family == .ipv4 { return bytes }
    let prefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
    return bytes.starts(with: prefix) ? Array(bytes.dropFirst(12)) : nil
  }

  private static func bytes(of text: String, _ family: Int32, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    // The buffer has the size of the family's address, which is all that is written.
    let status = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe inet_pton(family, text, buffer.baseAddress)
    }
    return status == 1 ? bytes : nil
  }
}
