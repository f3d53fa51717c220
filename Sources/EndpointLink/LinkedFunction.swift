// SPDX-License-Identifier: Apache-2.0
public import PCI

/// A function that the board has programmed, as the host sees it.
///
/// Its BARs are memory of the board. The MSI-X table is in a BAR; the masks in it are the host's monitor's to apply
/// (``InterruptVectors/TableKeeper/monitor``). Without a link, reads give all ones.
public final class LinkedFunction: PausingFunction {
  /// The function's number on the controller.
  public let number: Int
  /// The host's memory as this function reaches it.
  public let memory: HostMemory
  private let boardMemory: HostMemory
  weak var link: EndpointLink?

  public private(set) var configuration: ConfigurationSpace
  private var vectors: InterruptVectors
  /// The current program.
  private(set) var program = FunctionProgram()
  /// The program that the configuration space shows; nil while the host sees no function.
  private(set) var shown: FunctionProgram?
  /// The state that the board reads about this function.
  public private(set) var state: HostState = []
  public private(set) var counters = FunctionCounters()

  public weak var host: (any HostInterface)? {
    // A held write is for this host.
    willSet { if newValue == nil { link?.controller.releaseWrite() } }
    didSet {
      isLineSlow = false
      if host == nil { link?.hostLeft(self) }
    }
  }

  init(number: Int, boardMemory: HostMemory) {
    self.number = number
    self.boardMemory = boardMemory
    memory = HostMemory()
    configuration = Self.absent
    vectors = InterruptVectors(for: configuration, tableKeeper: .monitor)
  }

  /// The space of a function that has never been there.
  private static let absent = {
    var space = ConfigurationSpace(
      header: Header(vendorID: 0, deviceID: 0, classCode: 0, interruptPin: .none))
    space.isResponding = false
    return space
  }()

  /// Whether the board has programmed a header.
  public var isProgrammed: Bool { program.header != nil }

  public var isPaused: Bool { link?.isPaused(self) ?? false }

  // MARK: The board's side

  /// Changes the program.
  /// - Parameter isFree: whether the host may notice the change.
  /// - Throws: `.busy` for a change that the host would notice.
  func change(
    isFree: Bool, _ body: (inout FunctionProgram) throws(MailboxError) -> Void
  ) throws(MailboxError) {
    var changed = program
    try body(&changed)
    if let shown, !isFree, !changed.fits(shown) { throw .busy }
    program = changed
  }

  /// Takes the function off the controller.
  func remove() {
    program = FunctionProgram()
    hide()
  }

  /// Shows the host the current program, in its state after a conventional reset.
  /// - Throws: `.invalid` if the program is inconsistent; the function is then hidden.
  func show() throws(MailboxError) {
    hide()
    guard let space = try program.configuration() else { return }
    configuration = space
    vectors = InterruptVectors(for: space, tableKeeper: .monitor)
    shown = program
    updateState()
  }

  /// Checks that the current program can be shown.
  func check() throws(MailboxError) { _ = try program.configuration() }

  func hide() {
    shown = nil
    configuration.reset(.conventional)
    configuration.isResponding = false
    resetVectors()
    updateState()
  }

  /// Whether the function can reach the host's memory, and send messages.
  var canReachHost: Bool { state.isSuperset(of: [.linkUp, .busMaster]) }

  /// Raises an interrupt, if the host has enabled its mechanism.
  /// - Parameter number: from 1 on.
  func raise(_ kind: InterruptType, number: Int) {
    let action: InterruptVectors.Action
    switch kind {
    case .intx where state.contains(.linkUp) && vectors.usesLine:
      // One pulse: the board has no way to withdraw it.
      deliver(vectors.raise(0))
      action = vectors.lower(0)
    case .msi where canReachHost && state.isDisjoint(with: .msixEnabled):
      action = state.contains(.msiEnabled) ? vectors.raise(number - 1) : .none
    case .msix where canReachHost && state.contains(.msixEnabled):
      action = vectors.raise(number - 1)
    case .intx, .msi, .msix:
      action = .none
    }
    if action == .none { counters.droppedInterrupts += 1 } else { counters.interrupts += 1 }
    deliver(action)
  }

  /// Whether the board's interrupts are pulses of the line, which the host's side takes later.
  var takesLineLater: Bool {
    state.contains(.linkUp) && vectors.usesLine && host?.takesLineLater == true
      && !configuration.command.contains(.interruptDisable)
  }

  /// Whether the host's side did not take a pulse in time. Nothing is held for it until it has.
  var isLineSlow = false

  /// Whether the host's side has yet to take the last pulse.
  var isLinePending: Bool { host?.isLinePending ?? false }

  private func deliver(_ action: InterruptVectors.Action) {
    Self.deliver(action, to: host)
  }

  private static func deliver(_ action: InterruptVectors.Action, to host: (any HostInterface)?) {
    switch action {
    case .none, .pending: break
    case .message(let vector, _, _): host?.interrupt(vector: vector)
    case .intx(let asserted): host?.intx(asserted: asserted)
    }
  }

  // MARK: The host's side

  public func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
    let change = configuration.write(offset: offset, width: width, value: value)
    guard !change.isEmpty else { return }
    if change.contains(.functionLevelReset) { return reset(.functionLevel) }
    if !change.isDisjoint(with: .interrupts) { updateVectors() }
    updateState()
    // A host without a first reset.
    if !configuration.command.isDisjoint(with: [.memorySpace, .busMaster]) {
      link?.hostArrived(self)
    }
  }

  public func reset(_ kind: ResetKind) {
    configuration.reset(kind)
    resetVectors()
    updateState()
    // The reset that ends a session is none of the link.
    if host != nil { link?.hostReset(self, kind) }
  }

  public func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    counters.reads += 1
    // A read's completion follows what the board has written before.
    link?.controller.releaseWrite()
    guard let address = address(in: bar, offset: offset, count: buffer.count) else {
      return unsafe buffer.fillWithOnes()
    }
    unsafe boardMemory.readAccess(at: address, into: buffer)
  }

  public func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
    counters.writes += 1
    guard let address = address(in: bar, offset: offset, count: buffer.count) else { return }
    unsafe boardMemory.writeAccess(at: address, from: buffer)
  }

  /// The board's bus address of an access to a BAR; nil without a response.
  private func address(in bar: Int, offset: UInt64, count: Int) -> UInt64? {
    guard state.isSuperset(of: [.linkUp, .memorySpace]),
      program.regions.indices.contains(bar), let region = program.regions[bar],
      offset <= region.bar.size, UInt64(count) <= region.bar.size - offset
    else { return nil }
    return region.address + offset
  }

  // MARK: State

  private func updateVectors() {
    vectors.update(from: configuration) { [host] in Self.deliver($0, to: host) }
  }

  private func resetVectors() {
    vectors.reset(to: configuration) { [host] in Self.deliver($0, to: host) }
  }

  /// Updates what the board reads.
  func updateState() {
    var new: HostState = []
    if configuration.isResponding {
      // In D3hot a function responds to configuration accesses only.
      let command = configuration.powerState == .d0 ? configuration.command : []
      if link?.isUp == true { new.insert(.linkUp) }
      if command.contains(.busMaster) { new.insert(.busMaster) }
      if command.contains(.memorySpace) { new.insert(.memorySpace) }
      if !configuration.command.contains(.interruptDisable),
        configuration.header.interruptPin != .none
      {
        new.insert(.intxNotDisabled)
      }
      if let msi = configuration.msi {
        if msi.isEnabled { new.insert(.msiEnabled) }
        new.formUnion(.grantedMSI(msi.vectors))
      }
      if let msix = configuration.msix {
        if msix.isEnabled { new.insert(.msixEnabled) }
        if msix.isFunctionMasked { new.insert(.msixMasked) }
      }
    }
    guard new != state else { return }
    link?.controller.releaseWrite()
    state = new
    link?.publish(self)
  }
}

/// The kind of an interrupt that the board raises.
/// - Source: `include/linux/pci.h`, `PCI_IRQ_MSI`; endpoint-link.md, 2.
enum InterruptType: UInt32 {
  case intx
  case msi
  case msix
}

/// Counts since the link was created.
public struct FunctionCounters: Hashable, Sendable {
  /// Accesses of the host to BARs.
  public var reads = 0
  public var writes = 0
  public var interrupts = 0
  /// Interrupts that the host had not enabled.
  public var droppedInterrupts = 0
}
