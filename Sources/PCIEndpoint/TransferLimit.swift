// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The rule of both drivers: a power of two, and at least 8 KiB.
///
/// The kernels also accept 1, 2 and 4: MDTS, counted in pages, wraps to 254 and 255 for the first two and means "no limit" for the third,
/// although the driver refuses more than 4 KiB. Therefore these are refused here.
private func check(_ kibibytes: UInt32, upTo limit: UInt32) throws(InvalidValue) {
  let reason: String? =
    if kibibytes.nonzeroBitCount != 1 {
      "is not a power of two"
    } else if kibibytes < 8 {
      "is below 8 KiB, which Identify cannot report correctly"
    } else if kibibytes > limit {
      "is above the driver's \(limit) KiB"
    } else {
      nil
    }
  if let reason {
    throw InvalidValue("\(kibibytes)", isNot: "a largest transfer in KiB", because: reason)
  }
}

extension FabricsGroup {
  /// The largest transfer of a `pci_epf_nvme` function: a power of two from 8 to 1024 KiB.
  /// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c`, `pci_epf_nvme_mdts_kb_store`.
  public struct TransferLimit: AttributeValue, CustomStringConvertible {
    public let kibibytes: UInt32

    /// The value of a new function.
    public static let `default` = TransferLimit(unchecked: 128)
    public static let maximum: UInt32 = 1024

    private init(unchecked kibibytes: UInt32) { self.kibibytes = kibibytes }

    /// - Throws: ``InvalidValue`` unless it is a power of two from 8 to 1024.
    public init(kibibytes: UInt32) throws(InvalidValue) {
      try check(kibibytes, upTo: Self.maximum)
      self.kibibytes = kibibytes
    }

    /// Accepts any value of the kernel, including 1, 2 and 4.
    public init?(attributeText: String) {
      guard let value = attributeText.kernelInteger(UInt32.self) else { return nil }
      kibibytes = value
    }

    public var attributeText: String { "\(kibibytes)\n" }
    public var description: String { "\(kibibytes)" }
    public static var expectedForm: String { "a number of KiB, a power of two from 8 to 1024" }
  }
}

extension TargetGroup {
  /// The largest transfer of an `nvmet_pci_epf` function: a power of two from 8 KiB to 512 pages, 2048 KiB with pages of
  /// 4 KiB.
  /// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_mdts_kb_store`.
  public struct TransferLimit: AttributeValue, CustomStringConvertible {
    public let kibibytes: UInt32

    /// - Throws: ``InvalidValue`` unless it is a power of two from 8 up to ``maximum(pageSize:)``.
    public init(kibibytes: UInt32, pageSize: Int = 4096) throws(InvalidValue) {
      try check(kibibytes, upTo: Self.maximum(pageSize: pageSize))
      self.kibibytes = kibibytes
    }

    /// Accepts any value of the kernel, including 1, 2 and 4.
    public init?(attributeText: String) {
      guard let value = attributeText.kernelInteger(UInt32.self) else { return nil }
      kibibytes = value
    }

    /// The value of a new function, 512 KiB with pages of 4 KiB (`NVMET_PCI_EPF_MDTS_KB`).
    public static func `default`(pageSize: Int) -> UInt32 { UInt32(pageSize / 1024) * 128 }

    /// The most that the driver allows (`NVMET_PCI_EPF_MAX_MDTS_KB`).
    public static func maximum(pageSize: Int) -> UInt32 { 4 * `default`(pageSize: pageSize) }

    public var attributeText: String { "\(kibibytes)\n" }
    public var description: String { "\(kibibytes)" }
    public static var expectedForm: String { "a number of KiB, a power of two from 8" }
  }
}
