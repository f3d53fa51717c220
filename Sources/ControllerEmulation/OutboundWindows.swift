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
  /// The windows that transfers share; nil if they are not limited.
  private var windows: OutboundWindows? { model.behaviour == .reference ? nil : model.windows }

  /// Free windows: nvmet_pci_epf reserves one for each completion queue, from its creation on.
  private var freeWindows: Int {
    guard let windows else { return .max }
    guard model.behaviour == .nvmetPCIEPF else { return windows.count }
    return windows.count - completions.count { $0.isLive }
  }

  /// Whether the entries of a submission queue can be fetched.
  ///
  /// With DMA, nvmet_pci_epf fetches by DMA; pci_epf_nvme maps the queue all the same.
  mutating func canFetch() -> Bool {
    guard model.windows != nil, freeWindows < 1 else { return true }
    if model.behaviour == .nvmetPCIEPF, model.usesDMA { return true }
    diagnose(
      "\(model.behaviour.rawValue): outbound windows",
      "no window is free to fetch commands with: the driver retries forever and the host's commands time out"
    )
    return false
  }

  /// The status of a command whose data cannot be transferred.
  mutating func refuseTransfer() -> Status? {
    guard let windows, !model.usesDMA else { return nil }
    guard freeWindows > 0 else { return Status.dataTransferError }
    guard model.behaviour == .pciEPFNVMe, has(.partialMappingRepeats) else { return nil }
    for segment in segments where windows.reach(from: segment.address) < UInt64(segment.count) {
      diagnose(
        // pci_epf_nvme.md, 13, Q1
        "pci_epf_nvme: partial mapping",
        "a piece of \(segment.count) bytes needs more than one mapping: the driver would transfer its first part repeatedly"
      )
      return Status.dataTransferError
    }
    return nil
  }

  /// Whether a completion queue can be mapped completely and permanently; only nvmet_pci_epf requires it.
  mutating func canMap(completionQueue id: Int, at address: UInt64, depth: UInt32) -> Bool {
    guard let windows, model.behaviour == .nvmetPCIEPF else { return true }
    guard freeWindows > 0 else {
      log(.error, "Failed to map CQ \(id) (err=-12)")
      return false
    }
    guard windows.reach(from: address) >= UInt64(depth) * 16 else {
      log(.error, "Invalid partial mapping of queue \(id)")
      return false
    }
    return true
  }
}
