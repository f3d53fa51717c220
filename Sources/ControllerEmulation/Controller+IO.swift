// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import NVMe

/// The NVM command set.
extension Controller {
  mutating func executeIO(_ command: SubmissionEntry, on queue: UInt16) {
    counters.commands &+= 1
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
      if model.behaviour == .pciEPFNVMe {
        log(.error, "Unhandled IO command I/O Cmd (0x\(hexadecimal(command.opcode)))")
      }
      finish(command, on: queue, .failure(withMore(Status.invalidOpcode)))
    }
  }

  /// nvmet's core sets MORE for its refusals.
  private func withMore(_ status: Status) -> Status {
    model.behaviour == .nvmetPCIEPF ? status.withMore : status
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

  private func refuseIO(_ command: SubmissionEntry, _ index: Int) -> Status? {
    if model.behaviour == .nvmetPCIEPF { return refuseMainlineIO(command, index) }
    if model.behaviour == .reference, command.isFused { return .invalidField }
    guard index >= 0, model.namespaces[index].isEnabled else { return .invalidNamespace }
    let opcode = command.nvmOpcode
    guard opcode == .write || opcode == .writeZeroes || opcode == .datasetManagement else {
      return nil
    }
    return usage[index].isWriteProtected ? Status.writeProtected : nil
  }

  private func refuseMainlineIO(_ command: SubmissionEntry, _ index: Int) -> Status? {
    if command.isFused { return .invalidField.withMore }
    let opcode = command.nvmOpcode
    if opcode == .fabrics { return .invalidOpcode.withMore }
    if isFatal { return .sequenceError }
    if let refusal = refuseNamespace(index) ?? refuseAccess(index) { return refusal }
    let changes = opcode != .read && opcode != .flush
    return changes && usage[index].isWriteProtected ? .writeProtected.retriable.withMore : nil
  }

  /// The status for a namespace that does not exist or is not enabled.
  func refuseNamespace(_ index: Int) -> Status? {
    guard index >= 0 else { return withMore(Status.invalidNamespace) }
    if model.namespaces[index].isEnabled { return nil }
    return model.behaviour == .nvmetPCIEPF
      ? Status.internalPathError.retriable.withMore : Status.invalidNamespace
  }

  /// The status of nvmet while a namespace's ANA group is inaccessible.
  private func refuseAccess(_ index: Int) -> Status? {
    switch model.namespaces[index].accessState {
    case .inaccessible: 0x2302
    case .persistentLoss: 0x2301
    case .change: 0x2303
    default: nil
    }
  }

  /// The status for a backend's failure.
  private func outcome(_ failure: Backend.Failure?, _ index: Int) -> Outcome {
    guard let failure else { return .success }
    return .refused(status(of: failure.errno))
  }

  func status(of errno: CInt) -> Status {
    switch (model.behaviour, errno) {
    case (.reference, ENOSPC): .capacityExceeded
    case (.reference, EOPNOTSUPP): .invalidOpcode
    case (_, ENOSPC): .capacityExceeded.withMore
    case (_, EREMOTEIO): .lbaOutOfRange.withMore
    case (_, EOPNOTSUPP): .invalidOpcode.withMore
    case (_, ENODATA): .accessDenied.retriable.withMore
    case (.reference, _): .internalError
    default: .internalError.withMore
    }
  }

  /// The status for blocks beyond a namespace.
  private func check(_ first: UInt64, _ count: UInt64, _ index: Int) -> Status? {
    let (end, overflow) = first.addingReportingOverflow(count)
    if !overflow, end <= model.namespaces[index].blocks { return nil }
    guard model.behaviour != .reference else { return Status.lbaOutOfRange }
    // For files nvmet checks it, for block devices the block layer.
    return model.namespaces[index].isFile
      ? Status.capacityExceeded.withMore : Status.internalError.withMore
  }

  // MARK: Read, Write

  private mutating func transferBlocks(_ command: SubmissionEntry, _ queue: UInt16, _ index: Int) {
    let shift = UInt64(model.namespaces[index].blockShift)
    let isWrite = command.nvmOpcode == .write
    let bytes = command.blockCount << shift
    if model.behaviour == .reference,
      let status = check(command.firstBlock, command.blockCount, index)
    {
      return finish(command, on: queue, .failure(status))
    }
    let pointer =
      bytes > UInt64(model.maximumTransfer)
      ? Status.invalidField : parseDataPointer(command, count: Int(bytes))
    if pointer != Status.success {
      // For a file, nvmet checks that the data length matches the command; for a block device it does not.
      if pointer == Status.invalidSGLLength, model.namespaces[index].isFile,
        hidden(pointer) == Status.success
      {
        if !isWrite { diagnoseHang(command) }
        return finish(command, on: queue, .failure(.internalError.withMore))
      }
      return finish(command, on: queue, .failure(hidden(pointer)))
    }
    // Data in memory needs no intermediate buffer: one copy.
    if model.behaviour == .reference, case .memory(let store) = model.namespaces[index].backend,
      store.hasPlace(at: command.firstBlock << shift, count: Int(bytes))
    {
      let status = move(store, at: command.firstBlock << shift, isWrite: isWrite)
      if status == Status.success { count(bytes, isWrite: isWrite) }
      return finish(command, on: queue, .done(status: status))
    }
    if model.usesLoop, bytes == 1 << 20, has(.loopCarriesLessThanMebibyte) {
      return finish(command, on: queue, .failure(.internalError))
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
      if failure == nil { count(bytes, isWrite: true) }
      usage[index].writes += 1
      usage[index].writtenSectors += bytes >> 9
      return finish(command, on: queue, outcome(failure, index))
    }
    if let failure = unsafe backend.read(at: offset, into: buffer) {
      diagnoseHang(command)
      return finish(command, on: queue, outcome(failure, index))
    }
    count(bytes, isWrite: false)
    usage[index].reads += 1
    usage[index].readSectors += bytes >> 9
    finish(command, on: queue, .data(count: Int(bytes)))
  }

  /// `nvmet_pci_epf` posts the core's status, which is still zero if the data could not be transferred.
  private func hidden(_ status: Status) -> Status {
    model.behaviour == .nvmetPCIEPF && has(.transferFailureSucceeds) ? Status.success : status
  }

  private mutating func diagnoseHang(_ command: SubmissionEntry) {
    guard model.behaviour == .nvmetPCIEPF, has(.failedReadHangs) else { return }
    diagnose(
      // nvmet_pci_epf.md, 20, Q2
      "nvmet_pci_epf: failed read",
      "a read failed in execution: the driver's worker waits forever, and disable, link-down or unlink would hang"
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
    // Announced by pci_epf_nvme, but not implemented.
    if model.behaviour == .pciEPFNVMe, has(.deallocateIgnored) {
      return finish(command, on: queue, .success)
    }
    // nvmet uses all 32 bits as the number of ranges.
    let ranges =
      model.behaviour == .nvmetPCIEPF
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
      // A store that does not support deallocation keeps the data, which is allowed.
      if let failure, failure.errno != EOPNOTSUPP {
        return finish(command, on: queue, outcome(failure, index))
      }
    }
    finish(command, on: queue, .success)
  }
}
