// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The windows through which an endpoint controller reaches the host's memory without DMA.
/// - Source: `drivers/pci/endpoint/pci-epc-mem.c`; nvmet_pci_epf.md, 10, 12; pci_epf_nvme.md, 12.5.
public struct OutboundWindows: Sendable, Hashable {
  public var count: Int
  /// Bytes that one maps at most.
  public var size: UInt64
  /// The alignment of a mapping, bytes.
  public var alignment: UInt64

  public init(count: Int, size: UInt64, alignment: UInt64 = 4096) {
    self.count = count
    self.size = size
    self.alignment = alignment
  }

  /// The number of bytes that one mapping covers from an address on.
  func reach(from address: UInt64) -> UInt64 { size - min(size, address % max(alignment, 1)) }
}

extension Controller {
  /// Without a window the drivers cannot fetch.
  mutating func diagnoseNoWindow() {
    diagnose(
      "\(B.behaviour.rawValue): outbound windows",
      "no window is free to fetch commands with: the driver retries forever and the host's commands time out"
    )
  }
}
