// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import PCI

/// The client's event counters for a function's interrupts.
struct InterruptEvents {
  /// The number of interrupts of each kind.
  let counts: [Int]
  private var events: [[OpenDescriptor?]]
  private var assigned: [Int]

  // The line, by the client's rule: once signalled, it is held until the client unmasks it.
  private var isLineAsserted = false
  private var isLineHeld = false
  private var isLineMasked = false
  /// The line has risen while it was held.
  private var hasRisen = false
  /// The client has yet to read the event of the last signal.
  private var isSignalUnread = false

  init(for configuration: ConfigurationSpace) {
    var counts = [0, 0, 0, 1, 1]
    if configuration.header.interruptPin != .none { counts[InterruptKind.line.rawValue] = 1 }
    for capability in configuration.capabilities {
      switch capability {
      case .msi(let msi): counts[InterruptKind.msi.rawValue] = msi.vectors
      case .msix(let msix): counts[InterruptKind.msix.rawValue] = msix.vectors
      case .powerManagement, .pciExpress: break
      }
    }
    self.counts = counts
    events = counts.map { [OpenDescriptor?](repeating: nil, count: $0) }
    assigned = counts.map { _ in 0 }
  }

  func count(of kind: InterruptKind) -> Int { counts[kind.rawValue] }

  func flags(of kind: InterruptKind) -> InterruptInfo.Flags {
    kind == .line ? [.events, .maskable, .automasked] : .events
  }

  // MARK: Signalling

  func signal(vector: Int) {
    let kind = assigned[InterruptKind.msix.rawValue] > 0 ? InterruptKind.msix : .msi
    signal(kind, vector)
  }

  private func signal(_ kind: InterruptKind, _ vector: Int) {
    guard events[kind.rawValue].indices.contains(vector) else { return }
    events[kind.rawValue][vector]?.signal()
  }

  mutating func setLine(asserted: Bool) {
    isLineAsserted = asserted
    guard asserted else { return }
    if isLineHeld || isLineMasked { hasRisen = true } else { signalLine() }
  }

  private mutating func signalLine() {
    isLineHeld = true
    hasRisen = false
    guard let event = lineEvent else { return }
    event.fill()
    isSignalUnread = true
  }

  private var lineEvent: OpenDescriptor? { events[InterruptKind.line.rawValue].first ?? nil }

  /// Whether the client listens to the line.
  var hasLineEvent: Bool { assigned[InterruptKind.line.rawValue] > 0 }

  /// Whether the client has yet to take a rise of the line: to read its event, or before that to unmask the line after an earlier one. Not
  /// if the client has masked the line itself.
  var isLinePending: Bool {
    mutating get { hasLineEvent && !isLineMasked && (hasRisen || unreadLineEvent != nil) }
  }

  /// The event of the line, if the client has not read it: it becomes writable then.
  var unreadLineEvent: OpenDescriptor? {
    mutating get {
      guard isSignalUnread else { return nil }
      guard let event = lineEvent, !event.isRead else {
        isSignalUnread = false
        return nil
      }
      return event
    }
  }

  private mutating func unmaskLine() {
    isLineHeld = false
    isLineMasked = false
    if isLineAsserted || hasRisen { signalLine() }
  }

  // MARK: Setting

  /// The request DEVICE_SET_IRQS.
  struct Request {
    var data: InterruptSetting.Data
    var action: InterruptSetting.Action
    var kind: InterruptKind
    var vectors: Range<Int>
    /// A byte a vector with ``InterruptSetting/Data/flags``.
    var flags: [UInt8]
    var descriptors: [OpenDescriptor]
  }

  /// - Throws: EINVAL.
  mutating func set(_ request: Request) throws(Refusal) {
    let count = counts[request.kind.rawValue]
    guard request.vectors.upperBound <= count,
      request.data == .events || request.descriptors.isEmpty
    else { throw Refusal(EINVAL) }
    switch (request.action, request.data) {
    case (.trigger, .none) where request.vectors.isEmpty:
      guard request.vectors.lowerBound == 0 else { throw Refusal(EINVAL) }
      removeAll(request.kind)
    case (.trigger, .none):
      for vector in request.vectors { signal(request.kind, vector) }
    case (.trigger, .flags):
      guard request.flags.count >= request.vectors.count else { throw Refusal(EINVAL) }
      for (flag, vector) in zip(request.flags, request.vectors) where flag != 0 {
        signal(request.kind, vector)
      }
    case (.trigger, .events):
      guard !request.vectors.isEmpty, request.descriptors.count <= request.vectors.count,
        request.descriptors.allSatisfy(\.isEvent)
      else { throw Refusal(EINVAL) }
      for (index, vector) in request.vectors.enumerated() {
        assign(
          index < request.descriptors.count ? request.descriptors[index] : nil, request.kind, vector
        )
      }
      // A line that is already asserted has not been signalled.
      if request.kind == .line, isLineAsserted, !isLineHeld, !isLineMasked { signalLine() }
    case (.mask, .none), (.unmask, .none):
      guard request.kind == .line, request.vectors == 0..<1 else { throw Refusal(EINVAL) }
      if request.action == .unmask { unmaskLine() } else { isLineMasked = true }
    case (.mask, _), (.unmask, _): throw Refusal(EINVAL)
    }
  }

  private mutating func assign(_ event: OpenDescriptor?, _ kind: InterruptKind, _ vector: Int) {
    if events[kind.rawValue][vector] != nil { assigned[kind.rawValue] -= 1 }
    if let event {
      event.preventWaiting()
      assigned[kind.rawValue] += 1
    }
    events[kind.rawValue][vector] = event
  }

  private mutating func removeAll(_ kind: InterruptKind) {
    for vector in events[kind.rawValue].indices { assign(nil, kind, vector) }
    guard kind == .line else { return }
    (isLineHeld, isLineMasked, hasRisen) = (false, false, false)
    isSignalUnread = false
  }
}
