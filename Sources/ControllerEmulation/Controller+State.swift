// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Link, enable, disable, shutdown.
extension Controller {
  // MARK: The endpoint controller's events

  /// The link has come up; register polling starts.
  public mutating func linkUp(at time: VirtualTime) {
    advance(to: time)
    guard !isLinkUp else { return }
    isLinkUp = true
    trace(.link(isUp: true))
    switch model.behaviour {
    case .pciEPFNVMe:
      if model.hasLinkUpNotifier { log(.info, "Link UP") }
      initializeRegisters()
      registersDue = now + model.registerPeriod
    case .nvmetPCIEPF:
      log(.info, "PCI link up")
      registersDue = now + model.registerPeriod
    case .reference: break
    }
  }

  /// The link has gone down; commands end without completions.
  public mutating func linkDown(at time: VirtualTime) {
    advance(to: time)
    guard isLinkUp else { return }
    trace(.link(isUp: false))
    log(.info, model.behaviour == .pciEPFNVMe ? "Link DOWN" : "PCI link down")
    isLinkUp = false
    registersDue = .never
    disable(isShutdown: false)
    switch model.behaviour {
    case .pciEPFNVMe: break
    case .nvmetPCIEPF:
      configuration = 0
      status = 0
      writeConfiguration()
      writeStatus()
    case .reference: reset()
    }
  }

  /// The function is unbound from its endpoint controller, or the endpoint controller is removed: epc_deinit, unbind.
  public mutating func remove(at time: VirtualTime) {
    advance(to: time)
    switch model.behaviour {
    case .pciEPFNVMe: log(.info, "Deleting controller")
    case .nvmetPCIEPF:
      log(.info, "Destroying PCI ctrl \"\(model.nqn)\"")
      log(.info, "PCI link down")
    case .reference: break
    }
    isLinkUp = false
    registersDue = .never
    keepAlive = KeepAliveState()
    disable(isShutdown: false)
  }

  /// A conventional or function-level reset: everything as it was at first.
  public mutating func reset(at time: VirtualTime) {
    advance(to: time)
    disable(isShutdown: false)
    reset()
  }

  private mutating func reset() {
    for index in bar.indices { bar[index] = 0 }
    clearDoorbellPages()
    isEnabled = false
    isFatal = false
    coalescing.reset()
    events = EventState(model.behaviour)
    keepAlive = KeepAliveState()
    initializeRegisters()
  }

  // MARK: CC

  /// Compares CC with its previous value and acts on the change.
  mutating func lookAtConfiguration() {
    let old = configuration
    let new = bar[Register.configuration.offset / 4]
    guard old != new || hasLateShutdown else { return }
    configuration = new
    switch model.behaviour {
    case .pciEPFNVMe: seedTransition(old, new)
    case .nvmetPCIEPF: mainlineTransition(old, new)
    case .reference: referenceTransition(old, new)
    }
  }

  private static let enableBit: UInt32 = 1
  /// SHN, bits 15:14: 01 normal, 10 abrupt.
  private static func shutdown(_ configuration: UInt32) -> UInt32 { configuration >> 14 & 3 }
  private static let ready: UInt32 = 1
  private static let fatal: UInt32 = 2
  private static let shutdownComplete: UInt32 = 8

  /// Whether the host set EN and SHN at once: pci_epf_nvme has enabled the controller and checks SHN at the next tick.
  var hasLateShutdown: Bool {
    model.behaviour == .pciEPFNVMe && isEnabled && isSeedShutdown(configuration)
  }

  /// The driver tests one bit of SHN, so that an abrupt shutdown passes by.
  private func isSeedShutdown(_ configuration: UInt32) -> Bool {
    let notification = Self.shutdown(configuration)
    return has(.abruptShutdownIgnored) ? notification & 1 != 0 : notification != 0
  }

  private mutating func seedTransition(_ old: UInt32, _ new: UInt32) {
    let wasEnabled = old & Self.enableBit != 0
    let isEnabling = new & Self.enableBit != 0
    let isShutdown = isSeedShutdown(new)
    switch (wasEnabled, isEnabling) {
    case (false, true): enable()
    case (true, true) where isShutdown, (true, false): disable(isShutdown: isShutdown)
    default: break
    }
  }

  private mutating func mainlineTransition(_ old: UInt32, _ new: UInt32) {
    let wasEnabled = old & Self.enableBit != 0
    let isEnabling = new & Self.enableBit != 0
    if !wasEnabled, isEnabling, !enable() {
      configuration = 0
      status = 0
      writeConfiguration()
      return writeStatus()
    }
    if wasEnabled, !isEnabling { disable(isShutdown: false) }
    if Self.shutdown(old) == 0, Self.shutdown(new) != 0 {
      if isEnabled {
        disable(isShutdown: true)
      } else if !has(.shutdownWhileDisabledIgnored) {
        status |= Self.shutdownComplete
      }
    }
    if Self.shutdown(old) != 0, Self.shutdown(new) == 0 { status &= ~Self.shutdownComplete }
    writeStatus()
  }

  private mutating func referenceTransition(_ old: UInt32, _ new: UInt32) {
    let wasEnabled = old & Self.enableBit != 0
    let isEnabling = new & Self.enableBit != 0
    if !wasEnabled, isEnabling {
      status &= ~Self.shutdownComplete
      if !enable() { status |= Self.fatal }
    } else if wasEnabled, !isEnabling {
      // A controller reset clears everything but the admin queue's registers.
      disable(isShutdown: false)
      status = 0
    }
    if Self.shutdown(old) == 0, Self.shutdown(new) != 0 {
      for namespace in model.namespaces { _ = namespace.backend.flush() }
      status = status & ~0xc | Self.shutdownComplete
    }
    writeStatus()
  }

  // MARK: Enable

  @discardableResult
  private mutating func enable() -> Bool {
    switch model.behaviour {
    case .pciEPFNVMe, .nvmetPCIEPF:
      log(.info, "Enabling controller")
      guard checkEntrySizes() else { return seedFailedEnable() }
    case .reference:
      guard checkReferenceEnable() else { return false }
    }
    pageSize = ControllerConfiguration(rawValue: configuration).pageSize
    let attributes = AdminQueueAttributes(
      rawValue: bar[Register.adminQueueAttributes.offset / 4])
    var completion = CompletionQueue()
    completion.isLive = true
    completion.depth = UInt32(attributes[.completionQueueSize]) + 1
    completion.address = register64(Register.adminCompletionQueue.offset) & ~0xfff
    completion.references = 2
    guard canMap(completionQueue: 0, at: completion.address, depth: completion.depth) else {
      log(.error, "Failed to create admin completion queue")
      return false
    }
    // `nvmet_pci_epf` clears the counters but not the disabled state.
    if model.behaviour == .nvmetPCIEPF, has(.vectorNotChecked) {
      coalescing.resetAtEnable()
    } else {
      coalescing.reset()
    }
    completion.slot = takeSlot(for: 0)
    completions[0] = completion
    var submission = SubmissionQueue()
    submission.isLive = true
    submission.depth = UInt32(attributes[.submissionQueueSize]) + 1
    submission.address = register64(Register.adminSubmissionQueue.offset) & ~0xfff
    // The first poll of nvmet_pci_epf is immediate; it finds nothing, since the host waits for RDY.
    submission.due = model.behaviour == .reference ? .never : now + model.queuePeriod(0)
    submissions[0] = submission
    clearDoorbell(submission: 0)
    clearDoorbell(completion: 0)
    clearDoorbellPages()
    polling = DoorbellPolling(from: now)
    settings = [FeatureID.volatileWriteCache.rawValue: 1]
    if model.behaviour == .nvmetPCIEPF { keepAlive.restart(at: now) }
    events.reset(for: model.behaviour)
    hasCreatedQueues = false
    isEnabled = true
    isFatal = model.behaviour == .nvmetPCIEPF && !isServable
    // `nvmet_pci_epf` implements no other bit than RDY.
    if model.behaviour == .nvmetPCIEPF { status = 0 }
    if isFatal, !has(.readyDespiteFatal) {
      status |= Self.fatal
    } else {
      status |= Self.ready
    }
    // pci_epf_nvme leaves "shutdown complete" standing; others have cleared it.
    if model.behaviour == .pciEPFNVMe, !has(.shutdownStatusSticks) {
      status &= ~Self.shutdownComplete
    }
    writeStatus()
    return true
  }

  /// The driver of 6.12 just stops: EN stays, RDY and CFS stay clear.
  private mutating func seedFailedEnable() -> Bool {
    if model.behaviour == .pciEPFNVMe, !has(.failedEnableIsSilent) {
      status |= Self.fatal
      writeStatus()
    }
    return false
  }

  /// IOSQES of 64 and IOCQES of 16 bytes at least, already at enable.
  private mutating func checkEntrySizes() -> Bool {
    let configuration = ControllerConfiguration(rawValue: configuration)
    let submission = 1 << Int(configuration[.submissionEntrySize])
    let completion = 1 << Int(configuration[.completionEntrySize])
    let isSeed = model.behaviour == .pciEPFNVMe
    if submission < 64 {
      log(
        .error,
        isSeed
          ? "Unsupported IO sqes \(submission) (need 64)"
          : "Unsupported I/O SQES \(submission) (need 64)")
      return false
    }
    if completion < 16 {
      // pci_epf_nvme prints the other size by mistake.
      log(
        .error,
        isSeed
          ? "Unsupported IO cqes \(submission) (need 16)"
          : "Unsupported I/O CQES \(completion) (need 16)")
      return false
    }
    return true
  }

  /// The settings that nvmet's core supports: entries of 64 and 16 bytes, pages of 4 KiB, round robin, a supported command set.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_start_ctrl`.
  private var isServable: Bool {
    let configuration = ControllerConfiguration(rawValue: configuration)
    return configuration[.submissionEntrySize] == 6 && configuration[.completionEntrySize] == 4
      && isServed(configuration)
  }

  /// - Source: NVM Express Base 2.1, 3.1.4.5, 3.1.4.7 and 3.5.1.
  private func checkReferenceEnable() -> Bool {
    let attributes = AdminQueueAttributes(
      rawValue: bar[Register.adminQueueAttributes.offset / 4])
    return isServed(ControllerConfiguration(rawValue: configuration))
      && attributes[.submissionQueueSize] >= 1 && attributes[.completionQueueSize] >= 1
  }

  /// Pages of 4 KiB, round robin, the NVM command set or all that there are.
  private func isServed(_ configuration: ControllerConfiguration) -> Bool {
    configuration[.memoryPageSize] == 0 && configuration[.arbitration] == .roundRobin
      && [.nvm, .all].contains(configuration[.commandSet])
  }

  // MARK: Disable

  /// Takes the queues down. Does nothing when the controller is not enabled.
  private mutating func disable(isShutdown: Bool) {
    guard isEnabled else { return }
    switch model.behaviour {
    case .pciEPFNVMe: log(.info, "Disabling controller")
    case .nvmetPCIEPF:
      log(.info, isShutdown ? "Shutting down controller" : "Disabling controller")
      // Outstanding event requests complete before their queue is removed, the last one first. Without a link nothing is posted.
      if isLinkUp {
        for event in events.requests.reversed() {
          complete(Completion(queue: 0, commandID: event, status: Status.internalError))
        }
        post(to: 0)
      }
    case .reference: break
    }
    events.reset(for: model.behaviour)
    coalescing.releaseAll()
    doorbellBuffers = nil
    heldInterruptDue = .never
    for queue in submissions.indices { submissions[queue] = SubmissionQueue() }
    for queue in completions.indices { completions[queue] = CompletionQueue() }
    isEnabled = false
    isFatal = false
    status &= ~Self.ready
    guard model.behaviour != .reference else { return }
    if isShutdown, model.behaviour == .nvmetPCIEPF, !has(.shutdownDoesNotFlush) {
      for namespace in model.namespaces { _ = namespace.backend.flush() }
    }
    if isShutdown {
      status |= Self.shutdownComplete
      if model.behaviour == .pciEPFNVMe { configuration &= ~(1 << 14) }
    }
    if isShutdown || model.behaviour == .pciEPFNVMe {
      configuration &= ~Self.enableBit
      writeStatus()
      writeConfiguration()
    }
  }
}
