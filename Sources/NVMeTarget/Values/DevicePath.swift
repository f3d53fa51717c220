// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
public import SystemPackage

/// The block device or file behind a namespace (`device_path`).
///
/// The kernel shows `(null)` until one is written; it looks at the path only when the namespace is enabled, and then resolves it in the
/// working directory of that process. Therefore only absolute paths are accepted.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_device_path_store`.
public struct DevicePath: AttributeValue, CustomStringConvertible {
  /// Nil if nothing has been written. It cannot be unset again.
  public let path: FilePath?

  /// The text of a new namespace.
  public static let unset = DevicePath(path: nil)

  private init(path: FilePath?) { self.path = path }

  /// - Throws: ``InvalidValue`` unless it is absolute and of one line.
  public init(_ text: String) throws(InvalidValue) {
    let reason: String? =
      if !text.hasPrefix("/") {
        "is not absolute"
      } else if text.utf8.contains(where: { $0 == 0x0a || $0 == 0 }) {
        "contains a line feed or a NUL"
      } else if text.utf8.count > 4094 {
        "is longer than one write"
      } else {
        nil
      }
    if let reason { throw InvalidValue(text, isNot: "a device path", because: reason) }
    path = FilePath(text)
  }

  public init?(attributeText: String) {
    let text = attributeText.withoutTrailingNewline
    guard !text.isEmpty else { return nil }
    path = text == "(null)" ? nil : FilePath(text)
  }

  /// The kernel accepts no text for unset: an empty line gives EINVAL.
  public var attributeText: String { (path?.string ?? "") + "\n" }
  public var shownText: String { description + "\n" }
  public var description: String { path?.string ?? "(null)" }
  public static var expectedForm: String { "the path of a block device or a file" }
}

/// Which peer-to-peer memory a namespace may use (`p2pmem`, with `CONFIG_PCI_P2PDMA`).
/// - Source: `drivers/pci/p2pdma.c`, `pci_p2pdma_enable_store`, `pci_p2pdma_enable_show`.
public enum PeerMemory: AttributeValue {
  case off
  /// Any device that offers some.
  case automatic
  /// The device of a PCI address, `0000:01:00.0`.
  case device(String)

  public init?(attributeText: String) {
    switch attributeText.withoutTrailingNewline {
    case "0": self = .off
    case "1": self = .automatic
    case let address where address.contains(":"): self = .device(address)
    default: return nil
    }
  }

  public var attributeText: String {
    switch self {
    case .off: "0\n"
    case .automatic: "1\n"
    case .device(let address): address + "\n"
    }
  }

  public static var expectedForm: String { "0, 1 or the address of a PCI device" }
}
