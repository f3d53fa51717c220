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

  init(configuration: UInt32) { self.configuration.rawValue = configuration }
}

extension Controller {
  /// The request waits for an event.
  mutating func waitForEvent(_ command: SubmissionEntry) {
    guard events.requests.count < 4 else {
      return finish(command, on: 0, .failure(.tooManyEventRequests))
    }
    events.requests.append(command.id)
    completeHeldEvents()
  }

  /// Replaces the namespaces, and notifies the host of those that were added, removed or changed.
  ///
  /// The notice is masked until the host reads the Changed Namespace List.
  /// - Source: NVM Express Base 2.1, 5.1.2: notice, log page 04h.
  mutating func update(namespaces: [Namespace], at time: VirtualTime) {
    advance(to: time)
    guard !hasCrashed else { return }
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
    guard !changed.isEmpty, isEnabled, B.notifiesOfNamespaces else { return }
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
  mutating func hold(_ event: AsyncEvent) {
    if events.masked.insert(event[.logPage]).inserted { events.held.append(event) }
  }

  /// The host has read a log page and allows the next event of its kind, unless it asked to keep it masked (RAE).
  mutating func acknowledgeEvents(of page: LogPageID, by command: SubmissionEntry) {
    if !LogPageRequest(command).retainsEvent { events.masked.remove(page) }
  }

  /// The host has read the Changed Namespace List, unless it keeps its event masked.
  mutating func forgetAcknowledgedChanges() {
    if !events.masked.contains(.changedNamespaces) { events.changedNamespaces = [] }
  }

  /// Events wait for requests.
  mutating func completeHeldEvents() {
    while !events.held.isEmpty, !events.requests.isEmpty {
      let request = B.takeRequest(&events)
      complete(
        Completion(
          result: UInt64(events.held.removeFirst().rawValue), queue: 0, commandID: request,
          status: .success))
    }
  }
}
