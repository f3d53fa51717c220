// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import NVMe

/// The NVM command set.
extension Controller {
  mutating func executeIO(_ command: SubmissionEntry, on queue: UInt16) {
    counters.commands &+= 1
    let index = index(of: command.namespaceID)
    if let refusal = B.refuseIO(self, command, index) {
      B.willRefuse(&self, command, on: queue, refusal)
      return finish(command, on: queue, .failure(refusal))
    }
    switch command.nvmOpcode {
    case .flush: finish(command, on: queue, outcome(model.namespaces[index].backend.flush()))
    case .read, .write: B.transferBlocks(&self, command, on: queue, index)
    case .writeZeroes: writeZeroes(command, queue, index)
    case .datasetManagement: B.manageDataset(&self, command, on: queue, index)
    default:
      let refusal = B.refuseIOOpcode(&self, command)
      B.willRefuse(&self, command, on: queue, refusal)
      finish(command, on: queue, .failure(refusal))
    }
  }

  /// The index of a namespace in the model; -1 if there is none.
  @inline(__always)
  func index(of id: UInt32) -> Int {
    // Usually the first one; it is not copied.
    var index = 0
    let count = model.namespaces.count
    while index < count {
      if model.namespaces[index].id == id { return index }
      index += 1
    }
    return -1
  }

  /// The status for a namespace that does not exist or is not enabled.
  @inline(__always)
  func refuseNamespace(_ index: Int) -> Status? {
    guard index >= 0 else { return B.noSuchNamespace }
    return model.namespaces[index].isEnabled ? nil : B.namespaceNotEnabled
  }

  /// The status of nvmet while a namespace's ANA group is inaccessible.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`.
  @inline(__always)
  func refuseAccess(_ index: Int) -> Status? {
    switch model.namespaces[index].accessState {
    case .inaccessible: .accessInaccessible.retriable.withMore
    case .persistentLoss: .accessPersistentLoss.retriable.withMore
    case .change: .accessTransition.retriable.withMore
    default: nil
    }
  }

  /// The status of ``refuseNamespace(_:)``, or that for a write to a namespace that is write-protected.
  @inline(__always)
  func refuseBlocks(_ command: SubmissionEntry, _ index: Int) -> Status? {
    if let refusal = refuseNamespace(index) { return refusal }
    let opcode = command.nvmOpcode
    guard opcode == .write || opcode == .writeZeroes || opcode == .datasetManagement else {
      return nil
    }
    return usage[index].isWriteProtected ? Status.writeProtected : nil
  }

  /// The status for a backend's failure.
  private func outcome(_ failure: Backend.Failure?) -> Outcome {
    guard let failure else { return .success }
    return .refused(B.status(of: failure.errno))
  }

  /// The status for blocks beyond a namespace.
  func check(_ first: UInt64, _ count: UInt64, _ index: Int) -> Status? {
    let (end, overflow) = first.addingReportingOverflow(count)
    if !overflow, end <= model.namespaces[index].blocks { return nil }
    return B.statusBeyondEnd(of: model.namespaces[index])
  }

  // MARK: Read, Write

  /// The data pointer of a command, for a length that the host has chosen.
  @inline(__always)
  mutating func parseDataPointer(_ command: SubmissionEntry, bytes: UInt64) -> Status {
    bytes > UInt64(model.maximumTransfer)
      ? .invalidField : parseDataPointer(command, count: Int(bytes))
  }

  /// Executes Read and Write; the data pointer has been parsed.
  mutating func transferThroughBuffer(
    _ command: SubmissionEntry, _ bytes: UInt64, on queue: UInt16, _ index: Int
  ) {
    let isWrite = command.nvmOpcode == .write
    if isWrite {
      let status = copyFromHost()
      guard status == .success else {
        return fail(command, on: queue, status)
      }
    }
    if let status = check(command.firstBlock, command.blockCount, index) {
      if !isWrite { B.readFailed(&self, command, on: queue) }
      return finish(command, on: queue, .refused(status))
    }
    let offset = command.firstBlock << UInt64(model.namespaces[index].blockShift)
    let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: transfer[..<Int(bytes)])
    let backend = model.namespaces[index].backend
    if isWrite {
      let failure = unsafe backend.write(
        at: offset, from: UnsafeRawBufferPointer(buffer), isDurable: command.isDurable)
      if failure == nil { count(bytes, isWrite: true) }
      usage[index].writes += 1
      usage[index].writtenSectors += bytes >> 9
      return finish(command, on: queue, outcome(failure))
    }
    if let failure = unsafe backend.read(at: offset, into: buffer) {
      B.readFailed(&self, command, on: queue)
      return finish(command, on: queue, outcome(failure))
    }
    count(bytes, isWrite: false)
    usage[index].reads += 1
    usage[index].readSectors += bytes >> 9
    finish(command, on: queue, .data(count: Int(bytes)))
  }

  // MARK: Write Zeroes, Dataset Management

  private mutating func writeZeroes(_ command: SubmissionEntry, _ queue: UInt16, _ index: Int) {
    if let status = check(command.firstBlock, command.blockCount, index) {
      return finish(command, on: queue, .refused(status))
    }
    let shift = UInt64(model.namespaces[index].blockShift)
    let failure = model.namespaces[index].backend.zero(
      at: command.firstBlock << shift, count: command.blockCount << shift)
    finish(command, on: queue, outcome(failure))
  }

  /// Dataset Management; nothing but Deallocate has an effect.
  mutating func deallocate(
    _ command: SubmissionEntry, on queue: UInt16, _ index: Int, ranges: UInt64
  ) {
    var status = parseDataPointer(command, bytes: ranges * 16)
    if status == .success { status = copyFromHost() }
    guard status == .success else { return fail(command, on: queue, status) }
    guard command.deallocates else { return finish(command, on: queue, .success) }
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
      // A store that does not support deallocation keeps the data, which is allowed.
      if let failure, failure.errno != EOPNOTSUPP {
        return finish(command, on: queue, outcome(failure))
      }
    }
    finish(command, on: queue, .success)
  }
}
