// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import NVMe

/// The NVM command set.
extension Controller {
  mutating func executeIO(_ command: SubmissionEntry, on queue: UInt16) {
    let index = index(of: command.namespaceID)
    if let refusal = refuseIO(command, index) {
      return finish(command, on: queue, .failure(refusal))
    }
    switch command.nvmOpcode {
    case .flush: finish(command, on: queue, outcome(model.namespaces[index].backend.flush(), index))
    case .read, .write: transferBlocks(command, queue, index)
    case .writeZeroes: writeZeroes(command, queue, index)
    case .datasetManagement: deallocate(command, queue, index)
    default:
      if model.personality == .pciEPFNVMe {
        log(.error, "Unhandled IO command I/O Cmd (0x\(hexadecimal(command.opcode)))")
      }
      finish(command, on: queue, .failure(withMore(Status.invalidOpcode)))
    }
  }

  /// nvmet's core adds MORE to what it refuses.
  private func withMore(_ status: Status) -> Status {
    model.personality == .nvmetPCIEPF ? status.withMore : status
  }

  /// The place of a namespace among the model's; -1 when there is none.
  private func index(of id: UInt32) -> Int {
    // Usually the first one; and no copy of it is made.
    var index = 0
    let count = model.namespaces.count
    while index < count {
      if model.namespaces[index].id == id { return index }
      index += 1
    }
    return -1
  }

  private func refuseIO(_ command: SubmissionEntry, _ index: Int) -> Status? {
    if model.personality != .pciEPFNVMe, command.isFused { return withMore(Status.invalidField) }
    if isFatal { return Status.sequenceError }
    guard index >= 0 else { return withMore(Status.invalidNamespace) }
    guard model.namespaces[index].isEnabled else {
      return model.personality == .nvmetPCIEPF
        ? Status.internalPathError.retriable.withMore : Status.invalidNamespace
    }
    let opcode = command.nvmOpcode
    let changes = opcode == .write || opcode == .writeZeroes || opcode == .datasetManagement
    if changes, model.namespaces[index].isReadOnly {
      return model.personality == .nvmetPCIEPF
        ? Status.writeProtected.retriable.withMore : Status.writeProtected
    }
    return nil
  }

  /// What a backend's failure looks like to the host.
  private func outcome(_ failure: Backend.Failure?, _ index: Int) -> Outcome {
    guard let failure else { return .success }
    switch (model.personality, failure.errno) {
    case (.strict, ENOSPC): return .refused(.capacityExceeded)
    case (.strict, EOPNOTSUPP): return .refused(.invalidOpcode)
    case (_, ENOSPC): return .refused(.capacityExceeded.withMore)
    case (_, EREMOTEIO): return .refused(.lbaOutOfRange.withMore)
    case (_, EOPNOTSUPP): return .refused(.invalidOpcode.withMore)
    case (_, ENODATA): return .refused(.accessDenied.retriable.withMore)
    case (.strict, _): return .refused(.internalError)
    default: return .refused(.internalError.withMore)
    }
  }

  /// Whether blocks lie inside a namespace, and what is answered when they do not.
  private func check(_ first: UInt64, _ count: UInt64, _ index: Int) -> Status? {
    let (end, overflow) = first.addingReportingOverflow(count)
    if !overflow, end <= model.namespaces[index].blocks { return nil }
    guard model.personality != .strict else { return Status.lbaOutOfRange }
    // Files find out themselves, block devices let the block layer say it.
    return model.namespaces[index].isFile
      ? Status.capacityExceeded.withMore : Status.internalError.withMore
  }

  // MARK: Read, Write

  private mutating func transferBlocks(_ command: SubmissionEntry, _ queue: UInt16, _ index: Int) {
    let shift = UInt64(model.namespaces[index].blockShift)
    let isWrite = command.nvmOpcode == .write
    let bytes = command.blockCount << shift
    if model.personality == .strict,
      let status = check(command.firstBlock, command.blockCount, index)
    {
      return finish(command, on: queue, .failure(status))
    }
    let pointer =
      bytes > UInt64(model.maximumTransfer)
      ? Status.invalidField : parseDataPointer(command, count: Int(bytes))
    if pointer != Status.success {
      return finish(command, on: queue, .failure(hidden(pointer)))
    }
    // What is in memory needs no buffer between: one copy.
    if model.personality == .strict, case .memory(let store) = model.namespaces[index].backend {
      let status = move(store, at: command.firstBlock << shift, isWrite: isWrite)
      return finish(command, on: queue, .done(status: status))
    }
    if isWrite {
      let status = copyFromHost()
      if status != Status.success { return finish(command, on: queue, .failure(hidden(status))) }
    }
    if let status = check(command.firstBlock, command.blockCount, index) {
      if !isWrite { diagnoseHang(command) }
      return finish(command, on: queue, .refused(status))
    }
    let offset = command.firstBlock << shift
    let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: transfer[..<Int(bytes)])
    let backend = model.namespaces[index].backend
    if isWrite {
      let isDurable = command.cdw12 >> 30 & 1 != 0
      let failure = unsafe backend.write(
        at: offset, from: UnsafeRawBufferPointer(buffer), isDurable: isDurable)
      return finish(command, on: queue, outcome(failure, index))
    }
    if let failure = unsafe backend.read(at: offset, into: buffer) {
      diagnoseHang(command)
      return finish(command, on: queue, outcome(failure, index))
    }
    finish(command, on: queue, .data(count: Int(bytes)))
  }

  /// The mainline driver posts the core's status, which is still zero when the data could not be moved.
  private func hidden(_ status: Status) -> Status {
    model.personality == .nvmetPCIEPF && has(.transferFailureSucceeds) ? Status.success : status
  }

  private mutating func diagnoseHang(_ command: SubmissionEntry) {
    guard model.personality == .nvmetPCIEPF, has(.failedReadHangs) else { return }
    diagnose(
      "nvmet_pci_epf Q2",
      "a read failed in execution: the driver's worker waits for ever, and disable, link-down or unlink would hang"
    )
  }

  // MARK: Write Zeroes, Dataset Management

  private mutating func writeZeroes(_ command: SubmissionEntry, _ queue: UInt16, _ index: Int) {
    if let status = check(command.firstBlock, command.blockCount, index) {
      return finish(command, on: queue, .refused(status))
    }
    let shift = UInt64(model.namespaces[index].blockShift)
    let failure = model.namespaces[index].backend.zero(
      at: command.firstBlock << shift, count: command.blockCount << shift)
    finish(command, on: queue, outcome(failure, index))
  }

  private mutating func deallocate(_ command: SubmissionEntry, _ queue: UInt16, _ index: Int) {
    // Announced by the older driver, and not done.
    if model.personality == .pciEPFNVMe, has(.deallocateIgnored) {
      return finish(command, on: queue, .success)
    }
    // nvmet takes all 32 bits for the number of ranges.
    let ranges =
      model.personality == .nvmetPCIEPF
      ? UInt64(command.cdw10) + 1 : UInt64(command.cdw10 & 0xff) + 1
    let bytes = ranges * 16
    let pointer =
      bytes > UInt64(model.maximumTransfer)
      ? Status.invalidField : parseDataPointer(command, count: Int(bytes))
    if pointer != Status.success { return finish(command, on: queue, .failure(hidden(pointer))) }
    let copied = copyFromHost()
    if copied != Status.success { return finish(command, on: queue, .failure(hidden(copied))) }
    guard command.cdw11 & 4 != 0 else { return finish(command, on: queue, .success) }
    let shift = UInt64(model.namespaces[index].blockShift)
    for range in 0..<Int(ranges) {
      let count = UInt64(
        unsafe transfer.loadUnaligned(fromByteOffset: 16 * range + 4, as: UInt32.self))
      let first = unsafe transfer.loadUnaligned(fromByteOffset: 16 * range + 8, as: UInt64.self)
      guard count > 0 else { continue }
      if let status = check(first, count, index) {
        return finish(command, on: queue, .refused(status))
      }
      let failure = model.namespaces[index].backend.deallocate(
        at: first << shift, count: count << shift)
      // A store that cannot give anything back keeps it; that is allowed.
      if let failure, failure.errno != EOPNOTSUPP {
        return finish(command, on: queue, outcome(failure, index))
      }
    }
    finish(command, on: queue, .success)
  }
}
