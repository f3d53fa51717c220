// SPDX-License-Identifier: Apache-2.0
internal import PCI

/// A write of the board into a window, of up to eight bytes, that its host does not see yet.
///
/// On INTx an interrupt is a pulse, which the host's machine turns into a level until the host's next access to a BAR. A host that finds a
/// completion before the pulse has arrived makes its last access before it, and would be interrupted without end. Therefore the last write
/// before an interrupt becomes visible when the machine has taken the pulse, as both would arrive on a bus.
/// - Source: endpoint-link.md, 6.
struct HeldWrite {
  var function: Int
  /// The host's PCI address.
  var address: UInt64
  /// In the order of memory.
  var bytes: UInt64
  var count: Int
  /// Whether the interrupt has been raised, and the host's machine has yet to take it.
  var isRaised = false
}

extension EndpointControllerFunction {
  /// While the host's machine takes an interrupt, what the board does later waits.
  public var isPaused: Bool {
    guard let heldWrite, heldWrite.isRaised else { return false }
    return functions[heldWrite.function].isLinePending
  }

  /// Holds a write, if its host is interrupted by the line.
  /// - Returns: whether it is held.
  func holdWrite(_ start: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
    guard buffer.count <= 8, let window = windows.window(at: start),
      window.offsets.upperBound - start >= UInt64(buffer.count)
    else { return false }
    let function = functions[window.function]
    guard function.takesLineLater, function.canReachHost else { return false }
    if function.isLineSlow {
      guard !function.isLinePending else { return false }
      function.isLineSlow = false
    }
    var bytes: UInt64 = 0
    unsafe withUnsafeMutableBytes(of: &bytes) { unsafe $0.copyMemory(from: buffer) }
    heldWrite = HeldWrite(
      function: window.function, address: window.address + (start - window.offsets.lowerBound),
      bytes: bytes, count: buffer.count)
    holdCount += 1
    return true
  }

  /// The board has raised an interrupt.
  func lineRaised() {
    guard let held = heldWrite else { return }
    guard functions[held.function].isLinePending else { return releaseWrite() }
    heldWrite?.isRaised = true
    holdCount += 1
  }

  /// Lets the host see a held write.
  func releaseWrite() {
    guard let held = heldWrite else { return }
    heldWrite = nil
    let function = functions[held.function]
    guard function.canReachHost else { return }
    unsafe withUnsafeBytes(of: held.bytes) { bytes in
      unsafe function.memory.writeAccess(
        at: held.address, from: UnsafeRawBufferPointer(rebasing: bytes[..<held.count]))
    }
  }

  /// Lets the host see a held write whose interrupt has been taken.
  func settleWrite() {
    guard let held = heldWrite, held.isRaised, !isPaused else { return }
    releaseWrite()
  }

  /// Ends a hold that has lasted too long: no interrupt follows, or the host's machine does not take it.
  func abandonWrite() {
    guard let held = heldWrite else { return }
    if held.isRaised { functions[held.function].isLineSlow = true }
    releaseWrite()
  }
}
