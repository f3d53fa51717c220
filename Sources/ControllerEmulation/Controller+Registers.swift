// SPDX-License-Identifier: Apache-2.0
internal import NVMe

extension ControllerModel {
  /// Queue pairs that have doorbells.
  var doorbellPairs: Int { behaviour.implementation.doorbellPairs(of: self) }

  /// Registers and doorbells, bytes; the MSI-X table follows.
  var registerBytes: Int { Register.doorbells + 8 * doorbellPairs }

  /// The offset of the MSI-X table in BAR 0; never in a page that hosts can map.
  public var msixTableOffset: Int {
    mapsDoorbells
      ? Register.doorbells + DoorbellPages.byteCount(pairs: doorbellPairs)
      : (registerBytes + 7) / 8 * 8
  }

  /// BAR 0, bytes: the size that the endpoint controller provides, or the minimum.
  public var bar0Size: Int {
    guard let givenBAR0Size else { return leastBAR0Size }
    return mapsDoorbells ? max(givenBAR0Size, leastBAR0Size) : givenBAR0Size
  }

  private var leastBAR0Size: Int {
    var bytes = msixTableOffset
    if case .msix(let vectors) = interrupts { bytes += 16 * vectors + (vectors + 63) / 64 * 8 }
    var size = 8192
    while size < bytes { size *= 2 }
    return size
  }

  /// CAP as the host reads it.
  ///
  /// Both drivers use the value of nvmet and force contiguous queues, the smallest doorbell stride and no optional resets.
  public var capabilities: UInt64 {
    let entries = UInt64(maximumQueueEntries - 1)
    // TO 7.5 s; the NVM command set, and the possibility of several.
    return entries | 1 << 16 | 15 << 24 | 1 << 37 | 1 << 43
  }
}

extension Controller {
  // MARK: Access by the host

  /// The value at an offset of BAR 0, 4 bytes; zero outside registers and doorbells.
  func readRegister(_ offset: Int) -> UInt32 {
    guard offset >= 0, offset & 3 == 0, offset < readableBytes else { return 0 }
    return bar[offset / 4]
  }

  /// The same for any bytes of BAR 0; bytes that read zero are not written to the buffer.
  func readRegisters(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    let end = min(readableBytes, offset + buffer.count)
    guard offset < end else { return }
    unsafe bar.withUnsafeBytes { bytes in
      unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
    }
  }

  private var readableBytes: Int {
    B.hasReadableDoorbells ? 4 * bar.count : Register.doorbells
  }

  /// The host writes 4 bytes of BAR 0.
  mutating func writeRegister(_ offset: Int, _ value: UInt32, at time: VirtualTime) {
    advance(to: time)
    guard offset >= 0, offset & 3 == 0, offset / 4 < bar.count else { return }
    trace(.register(offset: UInt32(offset), value: value))
    guard !hasCrashed else {
      bar[offset / 4] = value
      return
    }
    if offset >= Register.doorbells { return writeDoorbell(offset, value) }
    B.writeRegister(&self, offset, value)
  }

  // MARK: The controller's side

  mutating func initializeRegisters() {
    let capabilities = model.capabilities
    bar[0] = UInt32(truncatingIfNeeded: capabilities)
    bar[1] = UInt32(truncatingIfNeeded: capabilities >> 32)
    bar[2] = model.version
    configuration = ControllerConfiguration(rawValue: B.initialConfiguration)
    status = ControllerStatus()
    writeConfiguration()
    writeStatus()
  }

  mutating func writeStatus() {
    if bar[Register.status.offset / 4] != status.rawValue { trace(.status(status.rawValue)) }
    bar[Register.status.offset / 4] = status.rawValue
  }

  mutating func writeConfiguration() {
    bar[Register.configuration.offset / 4] = configuration.rawValue
  }

  func register64(_ offset: Int) -> UInt64 {
    UInt64(bar[offset / 4]) | UInt64(bar[offset / 4 + 1]) << 32
  }

  // MARK: What others see

  @inline(__always)
  mutating func trace(_ kind: TraceEvent.Kind) {
    if effects.isTracing { effects.trace.append(TraceEvent(time: now, kind: kind)) }
  }

  mutating func log(_ level: LogLine.Level, _ text: String) {
    effects.log.append(LogLine(time: now, level: level, text: text))
  }

  /// Ends the board's kernel, with the reason.
  mutating func crash(_ fault: String, _ text: String) {
    hasCrashed = true
    diagnose(fault, text)
  }

  mutating func diagnose(_ fault: String, _ text: String) {
    effects.diagnoses.append(Diagnosis(fault: fault, text: text))
  }

  /// Switches ``Effects/trace`` on or off.
  mutating func trace(_ isOn: Bool) { effects.isTracing = isOn }

  /// Returns the collected effects and clears them.
  mutating func takeEffects(_ body: (borrowing Effects) -> Void) {
    body(effects)
    effects.removeAll()
  }
}

extension Register {
  /// Whether a dword of BAR 0 is read-only by the specification: CAP, VS and CSTS.
  static func isReadOnly(_ offset: Int) -> Bool { [0x00, 0x04, 0x08, 0x1c].contains(offset) }
}
