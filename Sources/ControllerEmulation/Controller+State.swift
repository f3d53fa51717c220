// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Link, enable, disable, shutdown.
extension Controller {
  // MARK: The endpoint controller's events

  mutating func linkUp(at time: VirtualTime) {
    advance(to: time)
    guard !isLinkUp else { return }
    isLinkUp = true
    trace(.link(isUp: true))
    if !hasCrashed { B.linkUp(&self) }
  }

  mutating func linkDown(at time: VirtualTime) {
    advance(to: time)
    guard isLinkUp else { return }
    trace(.link(isUp: false))
    isLinkUp = false
    registersDue = .never
    if !hasCrashed { B.linkDown(&self) }
  }

  mutating func remove(at time: VirtualTime) {
    advance(to: time)
    guard !hasCrashed else { return }
    B.willRemove(&self)
    isLinkUp = false
    registersDue = .never
    keepAlive = KeepAliveState()
    disable(isShutdown: false)
  }

  mutating func reset(at time: VirtualTime) {
    advance(to: time)
    guard !hasCrashed else { return }
    disable(isShutdown: false)
    reset()
  }

  mutating func reset() {
    for index in bar.indices { bar[index] = 0 }
    clearDoorbellPages()
    isEnabled = false
    coreFailure = nil
    coalescing.reset()
    events = EventState(configuration: B.eventConfiguration)
    keepAlive = KeepAliveState()
    initializeRegisters()
  }

  // MARK: CC

  /// Compares CC with its previous value and acts on the change.
  mutating func pollConfiguration() {
    let old = configuration
    let new = ControllerConfiguration(rawValue: bar[Register.configuration.offset / 4])
    guard old != new || B.hasLateShutdown(self) else { return }
    configuration = new
    B.transition(&self, from: old, to: new)
  }

  // MARK: Enable

  /// Creates the admin queue.
  @discardableResult
  mutating func enable() -> Bool {
    guard B.mayEnable(&self) else { return false }
    pageSize = configuration.pageSize
    var completion = CompletionQueue()
    completion.isLive = true
    completion.depth = UInt32(adminQueueAttributes[.completionQueueSize]) + 1
    completion.address = register64(Register.adminCompletionQueue.offset) & ~0xfff
    completion.references = 2
    guard
      B.canMap(&self, completionQueue: 0, at: completion.address, depth: completion.depth)
    else {
      log(.error, "Failed to create admin completion queue")
      return false
    }
    B.resetFeatures(&self)
    completion.slot = B.takeSlot(&self, for: 0)
    completions[0] = completion
    var submission = SubmissionQueue()
    submission.isLive = true
    submission.depth = UInt32(adminQueueAttributes[.submissionQueueSize]) + 1
    submission.address = register64(Register.adminSubmissionQueue.offset) & ~0xfff
    // The first poll of nvmet_pci_epf is immediate; it finds nothing, since the host waits for RDY.
    submission.due = now + B.queuePeriod(0)
    submissions[0] = submission
    clearDoorbell(submission: 0)
    clearDoorbell(completion: 0)
    clearDoorbellPages()
    polling = DoorbellPolling(from: now)
    settings = [FeatureID.volatileWriteCache.rawValue: 1]
    hasCreatedQueues = false
    isEnabled = true
    B.becomeReady(&self)
    writeStatus()
    return true
  }

  var adminQueueAttributes: AdminQueueAttributes {
    AdminQueueAttributes(rawValue: bar[Register.adminQueueAttributes.offset / 4])
  }

  // MARK: Disable

  /// Takes the queues down. Does nothing when the controller is not enabled.
  mutating func disable(isShutdown: Bool) {
    guard isEnabled else { return }
    B.willDisable(&self, isShutdown: isShutdown)
    B.resetEvents(&self)
    coalescing.releaseAll()
    doorbellBuffers = nil
    heldInterruptDue = .never
    for queue in submissions.indices { submissions[queue] = SubmissionQueue() }
    for queue in completions.indices { completions[queue] = CompletionQueue() }
    isEnabled = false
    coreFailure = nil
    status[.ready] = false
    B.didDisable(&self, isShutdown: isShutdown)
  }

  func flushBackings() {
    for namespace in model.namespaces { _ = namespace.backend.flush() }
  }
}

extension ControllerConfiguration {
  /// Pages of 4 KiB, round robin, the NVM command set or all that there are.
  var isServed: Bool {
    self[.memoryPageSize] == 0 && self[.arbitration] == .roundRobin
      && [.nvm, .all].contains(self[.commandSet])
  }
}

/// Why nvmet executes no commands of a controller that its driver has enabled.
enum CoreFailure {
  /// It does not support the settings in CC.
  case fatal
  /// It has seen a shutdown in CC that the driver has not.
  case stopped

  /// CSTS of nvmet's core.
  var status: UInt32 { self == .fatal ? 2 : 8 }
}
