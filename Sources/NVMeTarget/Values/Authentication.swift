// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// A secret for in-band authentication, `DHHC-1:00:…:` (`dhchap_key`, `dhchap_ctrl_key`).
///
/// It is shown only on demand: ``description`` hides it.
/// - Source: `drivers/nvme/target/auth.c`, `nvmet_auth_set_key`.
public struct AuthenticationKey: AttributeValue, CustomStringConvertible {
  /// Nil if there is none.
  public let secret: String?

  /// No key. Written as a single NUL, which clears one; a bare line feed is refused.
  public static let none = AuthenticationKey(secret: nil)

  private init(secret: String?) { self.secret = secret }

  /// - Throws: ``InvalidValue`` unless it is `DHHC-1:`, a hash from 00 to 03, `:`, Base64 and `:`.
  public init(_ secret: String) throws(InvalidValue) {
    let parts = secret.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "DHHC-1", ["00", "01", "02", "03"].contains(parts[1]),
      !parts[2].isEmpty, parts[3].isEmpty,
      parts[2].utf8.allSatisfy({
        switch $0 {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2f, 0x3d: true
        default: false
        }
      })
    else {
      throw InvalidValue(
        "(hidden)", isNot: "an authentication key", because: "is not of the form DHHC-1:00:BASE64:")
    }
    self.secret = secret
  }

  public init?(attributeText: String) {
    let text = attributeText.withoutTrailingNewline
    guard !text.isEmpty else {
      self = .none
      return
    }
    guard text.hasPrefix("DHHC-1:") else { return nil }
    secret = text
  }

  public var attributeText: String { secret.map { $0 + "\n" } ?? "\0" }
  public var shownText: String { (secret ?? "") + "\n" }
  public var description: String { secret == nil ? "none" : "(hidden)" }
  public var reportedText: String { description }
  public static var expectedForm: String { "a key of the form DHHC-1:00:BASE64:" }
}

/// The hash of in-band authentication (`dhchap_hash`).
/// - Source: `drivers/nvme/common/auth.c`, `hash_map`.
public enum AuthenticationHash: String, AttributeValue, CaseIterable, Codable {
  case sha256 = "hmac(sha256)"
  case sha384 = "hmac(sha384)"
  case sha512 = "hmac(sha512)"
}

/// The Diffie-Hellman group of in-band authentication (`dhchap_dhgroup`).
/// - Source: `drivers/nvme/common/auth.c`, `dhgroup_map`.
public enum AuthenticationGroup: String, AttributeValue, CaseIterable, Codable {
  case null, ffdhe2048, ffdhe3072, ffdhe4096, ffdhe6144, ffdhe8192
}
