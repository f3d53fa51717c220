// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The name of a subsystem or a host: an NVMe Qualified Name that nvmet can use as a directory name.
///
/// The kernel accepts any 1 to 255 bytes and silently truncates them to 223, so two directories could have the same name; such names are
/// refused here, as are names that a directory cannot have. Names outside the specification (`pci_epf_nvme.0.nqn`) work and cause only a
/// ``warning``.
/// - Source: `drivers/nvme/target/core.c`, `nvmet_subsys_alloc`; NVMe Base 2.1, 4.7.
public struct NQN: ValidatedText, Comparable {
  public let text: String

  public init(validated text: String) { self.text = text }

  /// The maximum length of a name in nvmet (`NVMF_NQN_FIELD_LEN` without its NUL), in bytes.
  public static let maximumLength = 223

  /// The longest name that `nvmet_pci_epf`'s `subsysnqn` and the fabrics option `nqn` hold, in bytes.
  public static let maximumLengthForEndpointFunction = 222

  /// The name of the discovery subsystem, which `mkdir` cannot create.
  public static let discovery = NQN(validated: "nqn.2014-08.org.nvmexpress.discovery")

  public static var kind: String { "an NQN" }

  public static func problem(with text: String) -> String? {
    if text.isEmpty { return "is empty" }
    let length = text.utf8.count
    if length > maximumLength {
      return "has \(length) bytes, more than the \(maximumLength) that NVMe allows"
    }
    if text == "." || text == ".." { return "cannot name a directory" }
    if text.utf8.contains(UInt8(ascii: "/")) {
      return "contains \"/\", which ends a directory name"
    }
    if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
      return "contains a control character"
    }
    return nil
  }

  /// Whether the PCI endpoint drivers can be pointed at a subsystem of this name: they hold a byte less than NVMe.
  public var isUsableByEndpointFunction: Bool {
    text.utf8.count <= Self.maximumLengthForEndpointFunction
  }

  /// Whether the name has one of the specification's forms, `nqn.2026-01.org.example:disk` or `nqn.2014-08.org.nvmexpress:uuid:…`. The
  /// kernel does not check it.
  /// - Source: NVMe Base 2.1, 4.7.
  public var isWellFormed: Bool {
    let bytes = Array(text.utf8)
    guard text.hasPrefix("nqn."), bytes.count > 12, bytes[8] == UInt8(ascii: "-"),
      bytes[11] == UInt8(ascii: ".")
    else { return false }
    let digits = bytes[4..<8] + bytes[9..<11]
    guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
    let month = (bytes[9] - 0x30) * 10 + bytes[10] - 0x30
    guard (1...12).contains(month) else { return false }
    let uuidPrefix = "nqn.2014-08.org.nvmexpress:uuid:"
    if text.hasPrefix(uuidPrefix) {
      return (try? UUIDText(String(text.dropFirst(uuidPrefix.count)))) != nil
    }
    let rest = text.dropFirst(12)
    let authority = rest.prefix { $0 != ":" }
    let labels = authority.split(separator: ".", omittingEmptySubsequences: false)
    return labels.count >= 2 && (authority.endIndex == rest.endIndex || rest.last != ":")
      && labels.allSatisfy { label in
        !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
          && label.utf8.allSatisfy { $0 == 0x2d || isAlphanumeric($0) }
      }
  }

  /// A warning about a name that works.
  public var warning: String? {
    guard !isWellFormed else { return nil }
    return "\"\(text)\" is not of the form nqn.YYYY-MM.reverse-domain:name; "
      + "Linux accepts it, other hosts may not"
  }

  public static func < (a: NQN, b: NQN) -> Bool { a.text < b.text }

  private func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: false
    }
  }
}

/// The common name of all discovery subsystems (`discovery_nqn`).
///
/// Written **without** a line feed: the kernel returns the length of the first line, and a caller that sends the rest
/// gets EINVAL although the name is set.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_root_discovery_nqn_store`.
public struct DiscoveryNQN: AttributeValue {
  public let nqn: NQN

  public init(_ nqn: NQN) { self.nqn = nqn }

  public init?(attributeText: String) {
    guard let nqn = NQN(attributeText: attributeText) else { return nil }
    self.nqn = nqn
  }

  public var attributeText: String { nqn.text }
  public var shownText: String { nqn.text + "\n" }
  public static var expectedForm: String { NQN.kind }
}
