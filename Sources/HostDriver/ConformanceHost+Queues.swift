// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// I/O queues: refusals, grants, interrupts.
extension ConformanceHost {
  private func createCompletions(
    _ id: Int, entries: UInt32 = 16, isContiguous: Bool = true, vector: UInt16? = nil,
    raisesInterrupts: Bool? = nil, at address: UInt64
  ) -> SubmissionEntry {
    CompletionQueueRequest(
      id: id, size: entries - 1, address: address, isContiguous: isContiguous,
      raisesInterrupts: raisesInterrupts ?? (vector != nil), vector: vector ?? 0
    ).command
  }

  private func createSubmissions(
    _ id: Int, on completionQueue: Int, entries: UInt32 = 16, at address: UInt64
  ) -> SubmissionEntry {
    SubmissionQueueRequest(
      id: id, size: entries - 1, address: address, completionQueue: completionQueue
    ).command
  }

  /// A queue whose creation must fail; if it succeeds, the queue is deleted for the next rule.
  private func refuses(
    _ id: String, _ source: String, _ requirement: String, _ command: SubmissionEntry,
    with wanted: Status
  ) {
    let end = require(id, source, requirement, command, ends: wanted)
    guard end?.status.isSuccess == true else { return }
    let undo: AdminOpcode =
      command.adminOpcode == .createIOCompletionQueue
      ? .deleteIOCompletionQueue : .deleteIOSubmissionQueue
    _ = run(admin(undo, words: [UInt32(command.queueID)]))
  }

  func examineQueues() throws(HostError) {
    let limit = UInt32(capabilities[.maximumQueueEntries]) + 1
    let granted = run(admin(.setFeatures, words: [7, 0x0003_0003]))?.dw0 ?? 0
    let pairs = NumberOfQueues(rawValue: granted).pairs
    let base = "Base 5.2.1"
    let place = page()
    refuses(
      "create-cq-0", base, "the host cannot create completion queue 0",
      createCompletions(0, at: place), with: .invalidQueueID)
    refuses(
      "create-cq-beyond", base, "an id beyond those that were granted is refused",
      createCompletions(pairs + 1, at: place), with: .invalidQueueID)
    refuses(
      "create-cq-size-0", base, "a queue of one entry is refused",
      createCompletions(1, entries: 1, at: place), with: .invalidQueueSize)
    if limit < 0x1_0000 {
      refuses(
        "create-cq-size-mqes", base, "more entries than CAP.MQES are refused",
        createCompletions(1, entries: limit + 1, at: place), with: .invalidQueueSize)
    }
    if capabilities[.requiresContiguousQueues] {
      refuses(
        "create-cq-pc", base, "with CAP.CQR a queue that is not contiguous is an invalid field",
        createCompletions(1, isContiguous: false, at: place), with: .invalidField)
    }
    refuses(
      "create-cq-vector", base, "a vector beyond those that the function has is refused",
      createCompletions(1, vector: 0xffff, at: place), with: .invalidVector)
    refuses(
      "create-cq-offset", base, "a queue must begin at a page boundary",
      createCompletions(1, at: place + 0x10), with: .invalidPRPOffset)
    let sq = "Base 5.2.2"
    refuses(
      "create-sq-without-cq", sq, "a submission queue needs its completion queue",
      createSubmissions(1, on: 1, at: place), with: .invalidCompletionQueue)
    try makePair(1, vector: vectors > 1 ? 1 : 0)
    refuses(
      "create-cq-again", base, "an id that is in use is refused",
      createCompletions(1, at: place), with: .invalidQueueID)
    refuses(
      "create-sq-0", sq, "the host cannot create submission queue 0",
      createSubmissions(0, on: 1, at: place), with: .invalidQueueID)
    refuses(
      "create-sq-again", sq, "an id that is in use is refused",
      createSubmissions(1, on: 1, at: place), with: .invalidQueueID)
    require(
      "delete-cq-in-use", "Base 5.2.3", "a completion queue outlives its submission queues",
      admin(.deleteIOCompletionQueue, words: [1]), ends: .invalidQueueDeletion)
    require(
      "delete-sq-0", "Base 5.2.4", "the host cannot delete submission queue 0",
      admin(.deleteIOSubmissionQueue, words: [0]), ends: .invalidQueueID)
    require(
      "set-queues-late", "Base 5.1.25.2.1",
      "the number of queues cannot change once queues exist",
      admin(.setFeatures, words: [7, 0x0003_0003]), ends: .sequenceError)
    guard pairs > 1 else { return }
    // Rules that need a second queue.
    refuses(
      "create-sq-on-admin", sq, "an I/O submission queue cannot use the admin completion queue",
      createSubmissions(2, on: 0, at: place), with: .invalidCompletionQueue)
    refuses(
      "create-sq-size-0", sq, "a queue of one entry is refused",
      createSubmissions(2, on: 1, entries: 1, at: place), with: .invalidQueueSize)
    require(
      "delete-sq-missing", "Base 5.2.4", "a queue that does not exist cannot be deleted",
      admin(.deleteIOSubmissionQueue, words: [UInt32(pairs)]), ends: .invalidQueueID)
    examineSharing()
    examineInterruptEnable()
    examineFailedCreation(pairs)
  }

  /// The interrupts of a queue belong to it, and not to its id.
  private func examineInterruptEnable() {
    // With one vector, the admin queue's interrupts cannot be distinguished.
    guard vectors > 1 else { return }
    let (first, second) = (page(), page())
    guard run(createCompletions(2, vector: 1, at: first))?.status.isSuccess == true
    else { return }
    _ = run(admin(.deleteIOCompletionQueue, words: [2]))
    let pair = QueuePair(submissions: page(), completions: second, depth: 16)
    guard
      run(createCompletions(2, vector: 1, raisesInterrupts: false, at: second))?.status.isSuccess
        == true,
      run(createSubmissions(2, on: 2, at: pair.submissions))?.status.isSuccess == true
    else { return }
    while queues.count < 3 { queues.append(pair) }
    queues[2] = pair
    let before = interrupts[1] ?? 0
    _ = run(SubmissionEntry(opcode: NVMOpcode.flush.rawValue, id: 0, namespaceID: 1), on: 2)
    let count = (interrupts[1] ?? 0) - before
    require(
      "create-cq-without-interrupts", "Base 5.2.1",
      "a completion queue without IEN raises no interrupts, whatever queue had its id before",
      count == 0, "\(count) interrupts")
    _ = run(admin(.deleteIOSubmissionQueue, words: [2]))
    _ = run(admin(.deleteIOCompletionQueue, words: [2]))
    queues.removeSubrange(2...)
  }

  private static let creationRule =
    "an id whose creation failed can be used as soon as there is room"

  /// Completion queues until one cannot be made, for lack of address windows for example.
  private func examineFailedCreation(_ pairs: Int) {
    var created: [Int] = []
    defer {
      for id in created { _ = run(admin(.deleteIOCompletionQueue, words: [UInt32(id)])) }
    }
    var failed: Int?
    var silent: Int?
    for id in 2...pairs {
      guard let end = run(createCompletions(id, at: page())) else {
        silent = id
        break
      }
      guard end.status.isSuccess else {
        failed = id
        break
      }
      created.append(id)
    }
    require(
      "create-cq-completes", "Base 5.2.1",
      "a Create I/O Completion Queue command is completed", silent == nil,
      silent.map { "no completion of Create CQ \($0)" } ?? "")
    guard silent == nil else { return }
    var found: String?
    if let failed, let last = created.popLast() {
      _ = run(admin(.deleteIOCompletionQueue, words: [UInt32(last)]))
      let end = run(createCompletions(failed, at: page()))
      if let end, end.status.isSuccess {
        created.append(failed)
      } else {
        found = end.map { "\($0.status)" } ?? "no completion of Create CQ \(failed)"
      }
    }
    require(
      "create-cq-after-failure", "Base 5.2.1", Self.creationRule, found == nil, found ?? "")
  }

  /// A pair with equal ids.
  private func makePair(_ id: Int, vector: UInt16) throws(HostError) {
    let pair = QueuePair(submissions: page(), completions: page(), depth: 16)
    try make(
      run(createCompletions(id, vector: vector, at: pair.completions)), "Create CQ \(id)")
    try make(run(createSubmissions(id, on: id, at: pair.submissions)), "Create SQ \(id)")
    while queues.count <= id { queues.append(pair) }
    queues[id] = pair
  }

  private func make(_ entry: CompletionEntry?, _ step: String) throws(HostError) {
    guard let entry else { throw HostError(step: step, message: "no completion") }
    try check(entry, step)
  }

  /// A second submission queue on the first completion queue.
  private func examineSharing() {
    let address = page()
    guard run(createSubmissions(2, on: 1, at: address))?.status.isSuccess == true else {
      return require(
        "shared-cq", "Base 3.3", "submission queues may share a completion queue", false,
        "the second was refused")
    }
    while queues.count < 3 { queues.append(queues[1]) }
    queues[2].submissions = address
    queues[2].tail = 0
    let namespace: UInt32 = 1
    let flush = SubmissionEntry(opcode: NVMOpcode.flush.rawValue, id: 0, namespaceID: namespace)
    _ = try? start(flush, on: 2)
    let end = next(1, submittedTo: [1, 2])
    require(
      "shared-cq", "Base 3.3", "submission queues may share a completion queue",
      end?.submissionQueueID == 2, end.map { "SQID \($0.submissionQueueID)" } ?? "no completion")
    _ = run(admin(.deleteIOSubmissionQueue, words: [2]))
    queues.removeSubrange(2...)
  }
}
