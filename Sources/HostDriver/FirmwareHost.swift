// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI

/// A host like firmware: no interrupts, one I/O queue pair that it polls, every namespace found by its number, one block read. It leaves
/// the controller enabled for the next host.
/// - Source: SeaBIOS 1.17, `src/hw/nvme.c`, as observed on the wire.
public final class FirmwareHost: NVMeHost {
  /// Its result: the ids of namespaces that have blocks.
  public private(set) var namespaces: [UInt32] = []

  /// From reset to the first block of the first namespace.
  public func boot() throws(HostError) {
    try enableFunction()
    // Firmware uses MSI, if anything; the operating system sets another address.
    if function.configuration.offset(of: .msix) == nil { enableInterrupts(at: 0xfee0_1000) }
    let limit =
      UInt64(ControllerCapabilities(rawValue: read64(.capabilities))[.timeout]) * 500 + 500
    write(.configuration, 0)
    try wait(for: 0, limit, "reset")
    let pair = QueuePair(submissions: page(), completions: page(), depth: 64)
    queues = [pair]
    write(.adminQueueAttributes, 0x00ff_003f)
    queues[0].completionDepth = 256
    write64(.adminSubmissionQueue, pair.submissions)
    write64(.adminCompletionQueue, pair.completions)
    write(.configuration, 0x0046_0001)
    try wait(for: 1, limit, "initialisation")
    let controller = try identify(.controller, as: IdentifyController.self)
    try makeQueue()
    let count = controller[.namespaces]
    guard count > 0 else { return }
    for id in 1...UInt32(clamping: min(count, 1024)) {
      guard let data = try? identify(.namespace, id, as: IdentifyNamespace.self) else { continue }
      if data[.size] > 0 { namespaces.append(id) }
    }
    guard let first = namespaces.first else { return }
    // One block, with LR.
    let buffer = page()
    try check(
      execute(.read, namespace: first, prp1: buffer, words: [0, 0, 1 << 31], on: 1),
      "read at block 0"
    )
  }

  /// Without interrupts: IEN is clear.
  private func makeQueue() throws(HostError) {
    let pair = QueuePair(submissions: page(), completions: page(), depth: 64)
    let completions = CompletionQueueRequest(id: 1, size: 63, address: pair.completions)
    try check(execute(completions.command, on: 0), "Create CQ 1")
    let submissions = SubmissionQueueRequest(
      id: 1, size: 63, address: pair.submissions, completionQueue: 1)
    try check(execute(submissions.command, on: 0), "Create SQ 1")
    queues.append(pair)
  }
}
