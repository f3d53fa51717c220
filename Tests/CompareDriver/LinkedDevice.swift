// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import HostDriver
import PCI
import ServedHost
import VFIOUser

/// The real driver's controller, behind the socket of `epfnvme link`, in real time.
final class LinkedDevice: Device, HostInterface {
  let memory: HostMemory
  let function: RemoteFunction
  private var events = DeviceEvents()
  /// Whether what has happened includes the interrupts of all earlier accesses, for which the link is asked.
  var awaitsInterrupts = true

  /// The factor by which actions may take longer than on the emulation, which takes exact times: the board is an emulated machine.
  static let slowness: UInt64 = 15

  init(_ socket: String) throws {
    guard let shared = SharedMemory(count: 16 << 20) else { throw ServedGuest.NoMemory() }
    memory = HostMemory()
    try unsafe memory.add(at: 0, backing: shared.bytes)
    let client = try Client(connectingTo: socket, memory: memory)
    try client.map(shared, at: 0)
    function = try RemoteFunction(client, keeping: shared)
    function.host = self
  }

  func interrupt(vector: Int) { events.interrupts.append(UInt16(clamping: vector)) }
  func intx(asserted: Bool) { if asserted { events.interrupts.append(0) } }

  // MARK: Device

  var patience: (pauses: Int, nanoseconds: UInt64) { (5000, 100_000) }

  func read(_ offset: Int) -> UInt32 {
    var value: UInt32 = 0
    withUnsafeMutableBytes(of: &value) { function.readBAR(0, offset: UInt64(offset), into: $0) }
    return UInt32(littleEndian: value)
  }

  func write(_ offset: Int, _ value: UInt32) {
    withUnsafeBytes(of: value.littleEndian) {
      function.writeBAR(0, offset: UInt64(offset), from: $0)
    }
  }

  func pass(nanoseconds: UInt64) {
    function.wait(milliseconds: max(1, nanoseconds * Self.slowness / 1_000_000))
  }

  func pass(nanoseconds: UInt64, until isDone: () -> Bool) {
    for _ in 0..<max(1, nanoseconds * Self.slowness / 1_000_000) {
      if isDone() { return }
      function.wait(milliseconds: 1)
    }
  }

  func linkUp() { enable() }

  /// A hot reset: the link goes down, and comes up again at once.
  func linkDown() {
    function.reset(.conventional)
    enable()
  }

  func reset() {
    _ = function.requestReset()
    // The link replies to the next access when the board has dealt with the reset.
    enable()
  }

  func takeEvents() -> DeviceEvents {
    if awaitsInterrupts { function.takeInterrupts() } else { function.deliverInterrupts() }
    defer { events = DeviceEvents() }
    return events
  }

  /// Memory, bus mastering, and all vectors, as firmware and a driver do it.
  private func enable() {
    function.writeConfiguration(offset: 0x10, width: .doubleword, value: 0xfe00_0000)
    function.writeConfiguration(offset: 0x14, width: .doubleword, value: 0)
    function.writeConfiguration(offset: HeaderOffset.command, width: .word, value: 6)
    guard let msix = function.configuration.offset(of: .msix) else { return }
    let control = function.configuration.read(offset: msix + 2, width: .word)
    function.writeConfiguration(offset: msix + 2, width: .word, value: control | 0x8000)
  }
}
