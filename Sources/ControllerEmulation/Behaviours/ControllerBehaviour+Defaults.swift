// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import NVMe
internal import PCI

/// The steps that both drivers share.
extension ControllerBehaviour {
  static func doorbellPairs(of model: ControllerModel) -> Int { doorbellPairs }
  static var hasReadableDoorbells: Bool { true }

  /// The driver would fetch forever.
  static func invalidTail(_ controller: inout Controller<Self>, _ tail: UInt32, of queue: Int) {
    controller.diagnose(
      // pci_epf_nvme.md#lost-completions; nvmet_pci_epf.md#doorbell-beyond-queue-loops
      "\(behaviour.rawValue): tail doorbell",
      "tail doorbell \(tail) of submission queue \(queue) is beyond its \(controller.submissions[queue].depth) entries: the driver would fetch forever"
    )
  }

  static var ignoresInvalidHeads: Bool { false }
  /// The driver reads the head when it posts.
  static func completionDoorbell(_ controller: inout Controller<Self>, _ queue: Int) {}
  static func reportDoorbell(_ controller: inout Controller<Self>, _ error: DoorbellError) {}
  static var writesCompletionsAtOnce: Bool { false }
  /// The endpoint controller pulses the pin, and knows no mask.
  static func pinLevel(_ controller: borrowing Controller<Self>) -> Bool? { nil }
  static func isMasked(_ controller: borrowing Controller<Self>, _ vector: UInt16) -> Bool { false }

  static func willRefuse(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {}
  static func blanksFailures(_ controller: borrowing Controller<Self>) -> Bool { false }
  static func failedInterrupt(
    _ controller: borrowing Controller<Self>, _ queue: Int
  ) -> String { "CQ[\(queue)]: Failed to raise IRQ (err=-22)" }

  static var acceptsZeroPRPs: Bool { false }
  static var checksListAlignment: Bool { false }
  static var unreadableList: Status { .internalError }
  /// nvmet_pci_epf treats both segment types alike, and ignores half a descriptor at the end; pci_epf_nvme has no SGLs.
  static func refuseSegment(
    _ controller: inout Controller<Self>, length: Int, lists: Int
  ) -> Status? {
    length >= SGLDescriptor.byteCount && lists <= 64 ? nil : .internalError
  }
  static var endsAtLastSegment: Bool { false }

  /// nvmet begins with notices of namespaces and of their access state.
  static var eventConfiguration: UInt32 { 0x900 }
  /// The latest request is completed first.
  static func takeRequest(_ events: inout EventState) -> UInt16 { events.requests.removeLast() }

  /// For files nvmet checks it, for block devices the block layer.
  static func statusBeyondEnd(of namespace: Namespace) -> Status {
    namespace.isFile ? .capacityExceeded.withMore : .internalError.withMore
  }

  /// nvmet: `errno_to_nvme_status`.
  static func status(of errno: CInt) -> Status {
    switch errno {
    case ENOSPC: .capacityExceeded.withMore
    case EREMOTEIO: .lbaOutOfRange.withMore
    case EOPNOTSUPP: .invalidOpcode.withMore
    case ENODATA: .accessDenied.retriable.withMore
    default: .internalError.withMore
    }
  }
}

/// The steps that `nvmet_pci_epf` and the reference controller share.
extension ControllerBehaviour {
  static var initialConfiguration: UInt32 { 0 }
  static func hasLateShutdown(_ controller: borrowing Controller<Self>) -> Bool { false }
  static func spin(_ queue: Int) -> VirtualTime.Milliseconds { .init(0) }
  static func requestedBytes(_ needed: UInt64) -> UInt64 { needed }

  static func parseSGL(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, _ count: Int
  ) -> Status { controller.parseSGL(command, count) }
  static func directBytes(pageSize: UInt64) -> UInt64 { 2 * pageSize }
  static func refuseList(
    _ controller: inout Controller<Self>, _ first: PRP, count: Int, rest: UInt64
  ) -> Status? { nil }

  static func logRefusal(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {}

  static var transfersHostIdentifier: Bool { true }
  static func requestEvent(_ controller: inout Controller<Self>, _ command: SubmissionEntry) {
    controller.waitForEvent(command)
  }
  static var notifiesOfNamespaces: Bool { true }
}

/// The steps that `pci_epf_nvme` and the reference controller share.
extension ControllerBehaviour {
  static func memoryBytes(of model: ControllerModel) -> Int { model.registerBytes }

  static func canMap(
    _ controller: inout Controller<Self>, completionQueue id: Int, at address: UInt64,
    depth: UInt32
  ) -> Bool { true }
  static func resetFeatures(_ controller: inout Controller<Self>) {
    controller.coalescing.reset()
    resetEvents(&controller)
  }
  static func resetEvents(_ controller: inout Controller<Self>) {
    controller.events = EventState(configuration: eventConfiguration)
  }
  static func keepAliveExpired(_ controller: inout Controller<Self>) {}
  static func didFetch(_ controller: inout Controller<Self>) {}

  @inline(__always)
  static func completionQueue(_ controller: borrowing Controller<Self>, of queue: Int) -> Int {
    Int(controller.submissions[queue].completionQueue)
  }
  static func didPost(_ controller: inout Controller<Self>, to queue: Int) {}
  /// One slot for each vector.
  static func takeSlot(_ controller: inout Controller<Self>, for vector: UInt16) -> Int {
    min(Int(vector), controller.coalescing.vectors.count - 1)
  }
  static func giveSlot(_ controller: inout Controller<Self>, _ slot: Int) {}

  static func logList(_ controller: inout Controller<Self>, _ error: StaticString) {}
  static func refuseLength(
    _ controller: inout Controller<Self>, _ total: Int, for count: Int
  ) -> Status? { nil }

  @inline(__always)
  static func statusOfFailedTransfer(
    _ controller: borrowing Controller<Self>, _ status: Status
  ) -> Status { status }
  static func readFailed(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16
  ) {}
  static func logFailure(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {}
  static var keepsErrorLog: Bool { false }

  static var noSuchNamespace: Status { .invalidNamespace }
  static var namespaceNotEnabled: Status { .invalidNamespace }

  static func deleteUsedCompletionQueue(
    _ controller: inout Controller<Self>, _ id: Int
  ) -> Outcome { .failure(.invalidQueueDeletion) }

  static func manageDataset(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int
  ) { controller.deallocate(command, on: queue, index, ranges: command.rangeCount) }
}
