// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Asynchronous events: pending requests, and the events that complete them.
struct EventState {
  /// Requests that wait, by CID, in the order of their coming.
  var requests: [UInt16] = []
  /// Events that wait for a request.
  var held: [AsyncEvent] = []
  /// Event types that were reported and are masked until the host reads their log page.
  var masked: Set<LogPageID> = []
  /// The Changed Namespace List.
  var changedNamespaces: [UInt32] = []
  /// Asynchronous Event Configuration, as the host has set it.
  var configuration = AsyncEventConfiguration()

  /// The state after an enable and a disable: nvmet keeps reported events and the host's settings.
  mutating func reset(for behaviour: Behaviour) {
    requests = []
    guard behaviour != .nvmetPCIEPF else { return }
    self = EventState(behaviour)
  }

  /// nvmet begins with notices of namespaces and of their access state.
  init(_ behaviour: Behaviour) {
    configuration.rawValue = behaviour == .reference ? 0 : 0x900
  }
}

extension Controller {
  mutating func requestEvent(_ command: SubmissionEntry) {
    switch model.behaviour {
    // Freed and forgotten.
    case .pciEPFNVMe where has(.asyncEventsNeverComplete): return
    default:
      guard events.requests.count < 4 else {
        return finish(command, on: 0, .failure(.tooManyEventRequests))
      }
      events.requests.append(command.id)
      completeHeldEvents()
    }
  }

  enum DoorbellError: UInt8 {
    case register = 0
    case value = 1
  }

  /// A doorbell without a queue, or an invalid value. The drivers do not report it; the reference controller does, once until the host
  /// reads the Error Information log.
  /// - Source: NVM Express Base 2.1, 5.1.2: error status, log page 01h.
  mutating func reportDoorbell(_ error: DoorbellError) {
    guard model.behaviour == .reference, isEnabled else { return }
    var event = AsyncEvent()
    event[.information] = error.rawValue
    event[.logPage] = LogPageID.errorInformation
    hold(event)
    completeHeldEvents()
    post(to: 0)
  }

  /// Replaces the namespaces, and notifies the host of those that were added, removed or changed.
  ///
  /// The notice is masked until the host reads the Changed Namespace List. pci_epf_nvme does not notify its host.
  /// - Source: NVM Express Base 2.1, 5.1.2: notice, log page 04h.
  public mutating func update(namespaces: [Namespace], at time: VirtualTime) {
    advance(to: time)
    let before = Dictionary(model.namespaces.map { ($0.id, $0) }) { first, _ in first }
    let after = Dictionary(namespaces.map { ($0.id, $0) }) { first, _ in first }
    let used = Dictionary(zip(model.namespaces.map(\.id), usage)) { first, _ in first }
    usage = namespaces.map { space in
      guard let old = used[space.id], before[space.id]?.isReadOnly == space.isReadOnly else {
        return NamespaceUsage(isWriteProtected: space.isReadOnly)
      }
      return old
    }
    model.namespaces = namespaces
    let changed = Set(before.keys).union(after.keys).filter { id in
      guard let old = before[id], let new = after[id] else { return true }
      return old.isEnabled != new.isEnabled || old.blocks != new.blocks
        || old.blockShift != new.blockShift || old.isReadOnly != new.isReadOnly
    }
    guard !changed.isEmpty, isEnabled, model.behaviour != .pciEPFNVMe else { return }
    for id in changed.sorted() { tellOfChange(of: id) }
    completeHeldEvents()
    post(to: 0)
  }

  /// A changed namespace: a notice, unless an earlier one is still masked.
  mutating func tellOfChange(of id: UInt32) {
    if !events.changedNamespaces.contains(id) { events.changedNamespaces.append(id) }
    guard events.configuration[.namespaceAttributes] else { return }
    var event = AsyncEvent()
    event[.type] = 2
    event[.logPage] = LogPageID.changedNamespaces
    hold(event)
  }

  /// An event, unless one of its type was reported and its log page has not been read.
  private mutating func hold(_ event: AsyncEvent) {
    if events.masked.insert(event[.logPage]).inserted { events.held.append(event) }
  }

  /// The host has read a log page and allows the next event of its kind, unless it asked to keep it masked (RAE, CDW10 bit 15).
  mutating func acknowledgeEvents(of page: LogPageID, by command: SubmissionEntry) {
    if command.cdw10 >> 15 & 1 == 0 { events.masked.remove(page) }
  }

  /// Events wait for requests. nvmet completes the latest request first.
  mutating func completeHeldEvents() {
    while !events.held.isEmpty, !events.requests.isEmpty {
      let request =
        model.behaviour == .reference ? events.requests.removeFirst() : events.requests.removeLast()
      complete(
        Completion(
          result: UInt64(events.held.removeFirst().rawValue), queue: 0, commandID: request,
          status: .success))
    }
  }
}
