// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI

/// The completion of a command.
enum Outcome {
  case done(status: Status, result: UInt64 = 0)
  /// The target refused it: pci_epf_nvme logs such a refusal, but not its own refusals.
  case refused(Status)
  /// The first bytes of the buffer go to the host.
  case data(count: Int)
  /// No completion, now or ever.
  case none

  static let success = Outcome.done(status: Status.success)
  static func failure(_ status: Status) -> Outcome { .done(status: status) }

  /// The same status as that of the target.
  var ofTarget: Outcome {
    if case .done(let status, _) = self, !status.isSuccess { .refused(status) } else { self }
  }
}

/// The admin queue.
extension Controller {
  mutating func executeAdmin(_ command: SubmissionEntry) {
    if let refusal = refuseAdmin(command) {
      if refusal == .sequenceError {
        log(.error, "nvmet: got cmd \(command.opcode) while CSTS.RDY == 0 on qid = 0")
      }
      return finish(command, on: 0, .failure(refusal))
    }
    switch command.adminOpcode {
    case .deleteIOSubmissionQueue:
      finish(command, on: 0, deleteSubmissionQueue(command))
    case .createIOSubmissionQueue:
      finish(command, on: 0, createSubmissionQueue(command))
    case .deleteIOCompletionQueue:
      finish(command, on: 0, deleteCompletionQueue(command))
    case .createIOCompletionQueue:
      finish(command, on: 0, createCompletionQueue(command))
    case .getLogPage:
      let count = (Int(command.cdw10 >> 16) | Int(command.cdw11 & 0xffff) << 16) + 1
      answer(command, count: count * 4) { $0.logPage(command, count: count * 4) }
    case .identify: answer(command, count: 4096) { $0.identify(command) }
    // Both targets report that the command was not aborted, which the specification allows.
    case .abort: finish(command, on: 0, .done(status: Status.success, result: 1))
    case .setFeatures:
      finish(command, on: 0, setFeature(command).ofTarget)
      completeHeldEvents()
    case .getFeatures:
      // The host identifier is data; everything else is in the completion.
      if command.feature == .hostIdentifier, model.behaviour != .pciEPFNVMe {
        answer(command, count: command.cdw11 & 1 != 0 ? 16 : 8) { $0.hostIdentifier(command) }
      } else {
        finish(command, on: 0, getFeature(command).ofTarget)
      }
    case .asyncEventRequest: requestEvent(command)
    case .doorbellBufferConfig
    where model.behaviour == .reference && model.offersDoorbellBuffers:
      finish(command, on: 0, configureDoorbellBuffers(command))
    case .keepAlive where model.behaviour == .nvmetPCIEPF:
      guard keepAlive.seconds > 0 else {
        return finish(command, on: 0, .failure(.invalidKeepAliveTimeout.retriable))
      }
      keepAlive.restart(at: now)
      finish(command, on: 0, .success)
    case .fabrics where model.behaviour == .nvmetPCIEPF:
      finish(command, on: 0, fabricsCommand(command))
    default: finish(command, on: 0, unknownAdminOpcode(command))
    }
  }

  /// Checks before the opcode.
  private mutating func refuseAdmin(_ command: SubmissionEntry) -> Status? {
    switch model.behaviour {
    case .pciEPFNVMe: return nil
    case .nvmetPCIEPF:
      if command.isFused { return Status.invalidField.withMore }
      // nvmet has another parser for them, which does not check whether it is enabled.
      if command.adminOpcode == .fabrics { return nil }
      if isFatal {
        log(.error, "nvmet: got cmd \(command.opcode) while CSTS.RDY == 0 on qid = 0")
        return Status.sequenceError
      }
      return command.usesSGL ? Status.invalidField : nil
    case .reference:
      return command.isFused || command.usesSGL ? Status.invalidField : nil
    }
  }

  private mutating func unknownAdminOpcode(_ command: SubmissionEntry) -> Outcome {
    switch model.behaviour {
    case .pciEPFNVMe:
      let opcode = hexadecimal(command.opcode)
      log(.error, "Unhandled admin command Admin Cmd (0x\(opcode))")
      return .failure(.invalidOpcode)
    case .nvmetPCIEPF: return .failure(.invalidOpcode.withMore)
    case .reference: return .failure(.invalidOpcode)
    }
  }

  /// The replies of nvmet to fabrics commands, by the type in the first byte of the NSID: only Property Get is supported.
  private func fabricsCommand(_ command: SubmissionEntry) -> Outcome {
    switch UInt8(truncatingIfNeeded: command.namespaceID) {
    case 0x04:
      // ATTRIB, bit 0: eight bytes.
      switch (command.cdw10 & 1 != 0, Int(command.cdw11)) {
      case (true, 0): return .done(status: .success, result: model.capabilities)
      case (false, Register.version.offset):
        return .done(status: .success, result: UInt64(model.version))
      case (false, Register.configuration.offset):
        return .done(status: .success, result: UInt64(configuration))
      // The status of nvmet's core, which the register does not show to the host.
      case (false, Register.status.offset): return .done(status: .success, result: isFatal ? 2 : 1)
      default: return .failure(.invalidField.withMore)
      }
    // Property Set and authentication.
    case 0x00, 0x05, 0x06: return .failure(.invalidField.withMore)
    default: return .failure(.invalidOpcode.withMore)
    }
  }

  /// Two digits.
  func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }

  // MARK: Data to the host

  /// Executes a command that fills the buffer, with the order of checks of each driver.
  mutating func answer(
    _ command: SubmissionEntry, count: Int, _ body: (inout Controller) -> Outcome
  ) {
    let pointer = parseDataPointer(command, count: count)
    if pointer != Status.success {
      // `nvmet_pci_epf` overwrites the failure with the core's status, which is still zero.
      let hides = model.behaviour == .nvmetPCIEPF && has(.transferFailureSucceeds)
      return finish(command, on: 0, .failure(hides ? Status.success : pointer))
    }
    unsafe UnsafeMutableRawBufferPointer(rebasing: transfer[..<count]).zero()
    let outcome = body(&self)
    if case .done(let status, _) = outcome, status != Status.success,
      model.behaviour == .nvmetPCIEPF, has(.failedReadHangs)
    {
      diagnose(
        // nvmet_pci_epf.md, 20, Q2
        "nvmet_pci_epf: failed read",
        "command 0x\(hexadecimal(command.opcode)) failed in execution: the driver's worker waits forever, and disable, link-down or unlink would hang"
      )
    }
    finish(command, on: 0, outcome.ofTarget)
  }

  // MARK: The end of a command

  mutating func finish(_ command: SubmissionEntry, on queue: UInt16, _ outcome: Outcome) {
    var completion = Completion(queue: queue, commandID: command.id, status: Status.success)
    switch outcome {
    case .none: return
    case .done(let status, let result):
      completion.status = status
      completion.result = result
    case .refused(let status):
      completion.status = status
      if model.behaviour == .pciEPFNVMe { logRefusal(command, queue, status) }
    case .data:
      completion.status = copyToHost()
      if completion.status != Status.success, model.behaviour == .nvmetPCIEPF,
        has(.transferFailureSucceeds)
      {
        completion.status = Status.success
      }
    }
    if completion.status != Status.success {
      logFailure(command, queue, completion.status)
      if completion.status.hasMore { errorLog.add(command, queue, completion.status) }
    }
    complete(completion)
  }

  private mutating func logRefusal(_ command: SubmissionEntry, _ queue: UInt16, _ status: Status) {
    let name = queue == 0 ? "Admin Cmd" : "I/O Cmd"
    let opcode = String(command.opcode, radix: 16)
    log(
      .error,
      "QID \(queue): submit command \(name) (0x\(opcode)) failed, status 0x\(String(status.rawValue, radix: 16))"
    )
  }

  private mutating func logFailure(_ command: SubmissionEntry, _ queue: UInt16, _ status: Status) {
    guard model.behaviour == .nvmetPCIEPF, command.adminOpcode != .asyncEventRequest || queue > 0
    else { return }
    let name = queue == 0 ? "Admin Cmd" : "I/O Cmd"
    log(
      .error,
      "CQ[\(queue)]: Command \(name) (0x\(String(command.opcode, radix: 16))) status 0x\(String(status.rawValue, radix: 16))"
    )
  }

  // MARK: Asynchronous events

  // MARK: Queues

  private mutating func createCompletionQueue(_ command: SubmissionEntry) -> Outcome {
    let id = Int(command.cdw10 & 0xffff)
    let size = command.cdw10 >> 16
    let vector = UInt16(command.cdw11 >> 16)
    let isContiguous = command.cdw11 & 1 != 0
    let exists = id < completions.count && completions[id].isLive
    switch model.behaviour {
    case .pciEPFNVMe:
      guard id < completions.count, !exists else { return .failure(.invalidQueueID) }
      guard isContiguous else { return .failure(notContiguous) }
      guard isValid(size, "CQ", id) else { return .failure(.invalidQueueSize) }
      guard Int(vector) < model.interrupts.vectors else { return .failure(.invalidVector) }
    case .nvmetPCIEPF:
      guard id > 0, id <= model.targetIOQueues, !exists else {
        return .failure(.invalidQueueID)
      }
      guard isValid(size, "CQ", id) else { return .failure(.invalidQueueSize) }
      guard id < completions.count else { return beyondArrays(id) }
      guard isContiguous else { return .failure(notContiguous) }
      guard has(.vectorNotChecked) || Int(vector) < model.interrupts.vectors else {
        return .failure(.invalidVector)
      }
      guard canMap(completionQueue: id, at: command.prp1, depth: size + 1) else {
        return .failure(.internalError)
      }
    case .reference:
      guard id > 0, id < completions.count, !exists else { return .failure(.invalidQueueID) }
      guard isValid(size, "CQ", id) else { return .failure(.invalidQueueSize) }
      guard isContiguous else { return .failure(.invalidField) }
      guard command.prp1 % pageSize == 0 else { return .failure(.invalidPRPOffset) }
      guard Int(vector) < model.interrupts.vectors else { return .failure(.invalidVector) }
      guard ControllerConfiguration(rawValue: configuration)[.completionEntrySize] == 4 else {
        return .failure(.invalidQueueSize)
      }
    }
    var queue = CompletionQueue()
    queue.isLive = true
    queue.address = command.prp1
    queue.depth = size + 1
    queue.entryShift = UInt64(
      ControllerConfiguration(rawValue: configuration)[.completionEntrySize])
    queue.vector = vector
    queue.raisesInterrupts = command.cdw11 & 2 != 0
    queue.references = 1
    queue.slot = takeSlot(for: vector)
    completions[id] = queue
    clearDoorbell(completion: id)
    hasCreatedQueues = true
    return .success
  }

  private mutating func createSubmissionQueue(_ command: SubmissionEntry) -> Outcome {
    let id = Int(command.cdw10 & 0xffff)
    let size = command.cdw10 >> 16
    let target = Int(command.cdw11 >> 16)
    let isContiguous = command.cdw11 & 1 != 0
    let exists = id < submissions.count && submissions[id].isLive
    let hasTarget = target > 0 && target < completions.count && completions[target].isLive
    switch model.behaviour {
    case .pciEPFNVMe:
      // The driver's check accepts one id too many.
      guard id != 0, id <= submissions.count, !exists else {
        return .failure(.invalidQueueID)
      }
      if id == submissions.count || target >= completions.count {
        if has(.submissionQueueBeyondArrays) {
          diagnose(
            // pci_epf_nvme.md, 13, Q8
            "pci_epf_nvme: queue id",
            "Create I/O SQ \(id) on CQ \(target): the driver uses entries beyond its arrays")
        }
        return .failure(
          id == submissions.count ? Status.invalidQueueID : Status.invalidCompletionQueue)
      }
      guard hasTarget else { return .failure(.invalidCompletionQueue) }
      guard isContiguous else { return .failure(notContiguous) }
      guard isValid(size, "SQ", id) else { return .failure(.invalidQueueSize) }
    case .nvmetPCIEPF:
      guard id > 0, id <= model.targetIOQueues, !exists else {
        return .failure(.invalidQueueID)
      }
      guard hasTarget else {
        log(.error, "nvmet: SQ \(id): Invalid CQID \(target)")
        return .failure(.invalidQueueID)
      }
      guard isValid(size, "SQ", id) else { return .failure(.invalidQueueSize) }
      guard id < submissions.count else { return beyondArrays(id) }
      guard isContiguous else { return .failure(notContiguous) }
    case .reference:
      guard id > 0, id < submissions.count, !exists else { return .failure(.invalidQueueID) }
      guard hasTarget else { return .failure(.invalidCompletionQueue) }
      guard isValid(size, "SQ", id) else { return .failure(.invalidQueueSize) }
      guard isContiguous else { return .failure(.invalidField) }
      guard command.prp1 % pageSize == 0 else { return .failure(.invalidPRPOffset) }
      guard ControllerConfiguration(rawValue: configuration)[.submissionEntrySize] == 6 else {
        return .failure(.invalidQueueSize)
      }
    }
    var queue = SubmissionQueue()
    queue.isLive = true
    queue.address = command.prp1
    queue.depth = size + 1
    queue.entryShift = UInt64(
      ControllerConfiguration(rawValue: configuration)[.submissionEntrySize])
    queue.completionQueue = UInt16(target)
    queue.due =
      switch model.behaviour {
      case .pciEPFNVMe: now + VirtualTime.Milliseconds(4)
      case .nvmetPCIEPF: submissions[0].due
      case .reference: .never
      }
    submissions[id] = queue
    completions[target].references += 1
    clearDoorbell(submission: id)
    hasCreatedQueues = true
    return .success
  }

  private mutating func deleteSubmissionQueue(_ command: SubmissionEntry) -> Outcome {
    let id = Int(command.cdw10 & 0xffff)
    guard id > 0, id < submissions.count, submissions[id].isLive else {
      return .failure(.invalidQueueID)
    }
    let target = Int(submissions[id].completionQueue)
    // Completions of fetched commands are posted before the queue is removed.
    post(to: completionQueue(of: id))
    submissions[id] = SubmissionQueue()
    if target < completions.count, completions[target].isLive {
      completions[target].references -= 1
    }
    return .success
  }

  private mutating func deleteCompletionQueue(_ command: SubmissionEntry) -> Outcome {
    let id = Int(command.cdw10 & 0xffff)
    guard id > 0, id < completions.count, completions[id].isLive, completions[id].references > 0
    else {
      return .failure(.invalidQueueID)
    }
    if completions[id].references > 1 {
      switch model.behaviour {
      case .pciEPFNVMe where has(.completionQueueDeletedInUse):
        completions[id].references -= 1
        return .success
      case .nvmetPCIEPF: return .failure(.invalidQueueID)
      default: return .failure(.invalidQueueDeletion)
      }
    }
    giveSlot(of: id)
    completions[id] = CompletionQueue()
    return .success
  }

  /// PC = 0: both drivers return a status that the specification defines for deletion.
  private var notContiguous: Status {
    switch model.behaviour {
    case .pciEPFNVMe:
      has(.noncontiguousQueueIsInvalidQueue) ? Status.invalidQueueDeletion : Status.invalidField
    case .nvmetPCIEPF: Status.invalidQueueDeletion
    case .reference: Status.invalidField
    }
  }

  private mutating func isValid(_ size: UInt32, _ kind: String, _ id: Int) -> Bool {
    let maximum = UInt32(model.maximumQueueEntries - 1)
    if size > maximum, model.behaviour == .pciEPFNVMe {
      log(.warning, "Create \(kind) \(id), qsize \(size) > mqes \(maximum): buggy driver?")
    }
    return size > 0 && size <= maximum
  }

  private mutating func beyondArrays(_ id: Int) -> Outcome {
    diagnose(
      // nvmet_pci_epf.md, 20, Q4
      "nvmet_pci_epf: queue id",
      "queue \(id) is beyond the \(submissions.count) that the driver has room for: it would write past its arrays"
    )
    return .failure(.invalidQueueID)
  }
}
