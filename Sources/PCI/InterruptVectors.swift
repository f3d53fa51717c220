// SPDX-License-Identifier: Apache-2.0

/// The interrupts of a function: MSI-X, MSI or INTx, as enabled by the host.
///
/// Stores the MSI-X table and pending interrupts. A vector is pending while it is masked, while the function may not send (no bus
/// mastering, D3hot), and, for INTx, as long as its cause exists.
/// - Source: PCIe Base 5.0, 6.1 and 7.7.2.
public struct InterruptVectors: Sendable {
  /// The action for the function.
  public enum Action: Hashable, Sendable {
    case none

    /// None: the vector is pending.
    case pending

    /// Write the data, 4 bytes little-endian, to the address in host memory.
    case message(vector: Int, address: UInt64, data: UInt32)

    case intx(asserted: Bool)
  }

  /// The owner of the MSI-X table that the host's software programs.
  public enum TableKeeper: Sendable {
    /// The function: its masks and messages are used.
    case function

    /// A machine monitor: it traps accesses to the table, as QEMU does for VFIO devices, and applies the masks. The function's table keeps
    /// its reset values; only the vectors of its messages are used.
    case monitor
  }

  private enum Mode: Equatable {
    case none
    case intx
    case msi(MSI.State)
    case msix(MSIX.State)

    func isSameMechanism(as other: Self) -> Bool {
      switch (self, other) {
      case (.none, .none), (.intx, .intx), (.msi, .msi), (.msix, .msix): true
      case (.none, _), (.intx, _), (.msi, _), (.msix, _): false
      }
    }
  }

  /// The number of vectors in the MSI-X table; 0 without the capability.
  public let tableCount: Int
  public let tableKeeper: TableKeeper

  /// Four words per vector: address, upper address, data, control.
  private var table: [UInt32]

  /// The pending vectors, 64 per word: the pending bits of MSI-X and MSI, the causes of INTx.
  private var waiting: [UInt64]
  private var mode = Mode.none

  /// Whether the function may send messages: it is a bus master in D0.
  private var sendsMessages = false

  /// Whether the function may assert INTx: that is not disabled, and it is in D0.
  private var assertsLine = false
  private var isLineAsserted = false

  /// Creates the vectors of a function in its state after reset.
  public init(
    for configuration: ConfigurationSpace, tableKeeper: TableKeeper = .function
  ) {
    var counts = (msi: 0, msix: 0)
    for capability in configuration.capabilities {
      switch capability {
      case .msi(let msi): counts.msi = msi.vectors
      case .msix(let msix): counts.msix = msix.vectors
      case .powerManagement, .pciExpress: break
      }
    }
    tableCount = counts.msix
    self.tableKeeper = tableKeeper
    table = []
    waiting = Array(repeating: 0, count: (max(counts.msi, counts.msix, 1) + 63) / 64)
    clearTable()
    update(from: configuration) { _ in }
  }

  // MARK: Raising

  /// Raises a vector's interrupt.
  ///
  /// A vector that the host did not grant raises no interrupt. Does not allocate.
  public mutating func raise(_ vector: Int) -> Action {
    guard vector >= 0, vector < grantedCount else { return .none }
    switch mode {
    case .none:
      return .none
    case .intx:
      insert(vector)
      let action = settleLine()
      return action == .none && !isLineAsserted ? .pending : action
    case .msi, .msix:
      guard !isHeld(vector) else {
        insert(vector)
        return .pending
      }
      return message(of: vector)
    }
  }

  /// Withdraws a vector's interrupt, because its cause no longer exists.
  ///
  /// A message that has been sent stays sent.
  /// - Source: PCIe Base 5.0, 6.1.4.5, for pending bits.
  public mutating func lower(_ vector: Int) -> Action {
    guard vector >= 0, vector < grantedCount else { return .none }
    remove(vector)
    return settleLine()
  }

  /// Whether the host has left the function to its pin: neither MSI nor MSI-X is enabled.
  public var usesLine: Bool { mode == .intx }

  /// The number of vectors that can be raised in the host's configuration.
  public var grantedCount: Int {
    switch mode {
    case .none: 0
    case .intx: 64 * waiting.count
    case .msi(let state): state.vectors
    case .msix: tableCount
    }
  }

  // MARK: Configuration

  /// Updates from the configuration space after a change in `Change.interrupts`, and delivers interrupts that are no longer blocked.
  ///
  /// Pending interrupts of one mechanism are dropped when the host switches to another.
  public mutating func update(
    from configuration: ConfigurationSpace, deliver: (Action) -> Void
  ) {
    let isAwake = configuration.powerState == .d0
    sendsMessages = isAwake && configuration.command.contains(.busMaster)
    assertsLine = isAwake && !configuration.command.contains(.interruptDisable)
    let newMode = Self.mode(in: configuration)
    if !newMode.isSameMechanism(as: mode) { forgetWaiting() }
    mode = newMode
    deliverLine(deliver)
    deliverMessages(deliver)
  }

  /// - Source: PCIe Base 5.0, 6.1.4: MSI and MSI-X exclude INTx, and enabling both is undefined; here, MSI-X wins.
  private static func mode(in configuration: ConfigurationSpace) -> Mode {
    if let msix = configuration.msix, msix.isEnabled { return .msix(msix) }
    if let msi = configuration.msi, msi.isEnabled { return .msi(msi) }
    return configuration.header.interruptPin == .none ? .none : .intx
  }

  /// Updates the status register and the pending bits of MSI, for the host's next read.
  public func show(in configuration: inout ConfigurationSpace) {
    switch mode {
    case .none, .msix:
      configuration.isInterruptPending = false
      configuration.showPendingMSI(0)
    case .intx:
      configuration.isInterruptPending = isAnyWaiting
      configuration.showPendingMSI(0)
    case .msi:
      configuration.isInterruptPending = false
      configuration.showPendingMSI(UInt32(truncatingIfNeeded: waiting[0]))
    }
  }

  /// Masks every vector and drops pending interrupts, as for both kinds of reset, then updates from the configuration space, which has been
  /// reset before.
  public mutating func reset(to configuration: ConfigurationSpace, deliver: (Action) -> Void) {
    clearTable()
    forgetWaiting()
    update(from: configuration, deliver: deliver)
  }

  // MARK: The function's memory

  /// Reads bytes of the MSI-X table; those outside of it are zero.
  /// - Parameter offset: where to start, in bytes from the table's start.
  public func readTable(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    for index in buffer.indices {
      let position = offset &+ index
      unsafe buffer[index] = table.indices.contains(position >> 2) ? byte(position) : 0
    }
  }

  /// Writes bytes of the MSI-X table, and delivers the messages that this unmasks; bytes outside of it are dropped.
  /// - Parameter offset: where to start, in bytes from the table's start.
  public mutating func writeTable(
    at offset: Int, from buffer: UnsafeRawBufferPointer, deliver: (Action) -> Void
  ) {
    for index in buffer.indices {
      let position = offset &+ index
      guard table.indices.contains(position >> 2) else { continue }
      let shift = UInt32(8 * (position & 3))
      let changed = unsafe UInt32(buffer[index]) << shift
      let kept = ~(0xFF << shift) & table[position >> 2]
      table[position >> 2] = (kept | changed) & Self.writable(word: position >> 2)
    }
    deliverMessages(deliver)
  }

  /// Reads bytes of the MSI-X pending bits; bytes after the last word are zero. Writes to them have no effect.
  /// - Parameter offset: where to start, in bytes from the start of the pending bits.
  public func readPendingBits(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    for index in buffer.indices {
      let position = offset &+ index
      guard case .msix = mode, waiting.indices.contains(position >> 3) else {
        unsafe buffer[index] = 0
        continue
      }
      unsafe buffer[index] = UInt8(
        truncatingIfNeeded: waiting[position >> 3] >> UInt64(8 * (position & 7)))
    }
  }

  private func byte(_ position: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: table[position >> 2] >> UInt32(8 * (position & 3)))
  }

  /// The bits of a table word that a host can set: no odd addresses, and only the mask bit of control.
  /// - Source: PCIe Base 5.0, 7.7.2.5 to 7.7.2.8.
  private static func writable(word index: Int) -> UInt32 {
    switch index & 3 {
    case 0: ~0b11
    case 3: 1
    default: ~0
    }
  }

  private mutating func clearTable() {
    table = (0..<4 * tableCount).map { $0 & 3 == 3 ? 1 : 0 }
  }

  // MARK: Waiting and delivery

  /// Whether a message is blocked.
  private func isHeld(_ vector: Int) -> Bool {
    switch mode {
    case .none, .intx:
      false
    case .msi(let state):
      !sendsMessages || state.mask & 1 << UInt32(vector) != 0
    case .msix(let state):
      !sendsMessages || state.isFunctionMasked
        || tableKeeper == .function && table[4 * vector + 3] & 1 != 0
    }
  }

  private func message(of vector: Int) -> Action {
    switch mode {
    case .none, .intx:
      return .none
    case .msi(let state):
      return .message(vector: vector, address: state.address, data: state.data(of: vector))
    case .msix:
      let entry = 4 * vector
      return .message(
        vector: vector, address: UInt64(table[entry + 1]) << 32 | UInt64(table[entry]),
        data: table[entry + 2])
    }
  }

  private mutating func deliverMessages(_ deliver: (Action) -> Void) {
    guard mode != .none, mode != .intx else { return }
    for word in waiting.indices {
      var rest = waiting[word]
      while rest != 0 {
        let vector = 64 * word + rest.trailingZeroBitCount
        rest &= rest - 1
        guard vector < grantedCount, !isHeld(vector) else { continue }
        remove(vector)
        deliver(message(of: vector))
      }
    }
  }

  private mutating func deliverLine(_ deliver: (Action) -> Void) {
    let action = settleLine()
    if action != .none { deliver(action) }
  }

  /// Sets the line to the level that the causes require.
  private mutating func settleLine() -> Action {
    let isWanted = mode == .intx && assertsLine && isAnyWaiting
    guard isWanted != isLineAsserted else { return .none }
    isLineAsserted = isWanted
    return .intx(asserted: isWanted)
  }

  private var isAnyWaiting: Bool { waiting.contains { $0 != 0 } }

  private mutating func insert(_ vector: Int) { waiting[vector / 64] |= 1 << UInt64(vector % 64) }

  private mutating func remove(_ vector: Int) {
    waiting[vector / 64] &= ~(1 << UInt64(vector % 64))
  }

  private mutating func forgetWaiting() {
    for word in waiting.indices { waiting[word] = 0 }
  }
}
