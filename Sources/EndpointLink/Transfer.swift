// SPDX-License-Identifier: Apache-2.0
internal import PCI
internal import Synchronization

/// A DMA channel of the board's device.
/// - Source: endpoint-link.md, 6.
enum TransferChannel {
  case toHost
  case fromHost
  case memoryToMemory

  /// - Parameter number: 0 to the host, 1 from it, 2 from memory to memory; then pairs to the host and from it.
  /// - Returns: nil without a descriptor in the shared page.
  init?(number: UInt32) {
    guard number < SharedPage.transferCount else { return nil }
    switch number {
    case 0: self = .toHost
    case 1: self = .fromHost
    case 2: self = .memoryToMemory
    default: self = number % 2 == 1 ? .toHost : .fromHost
    }
  }
}

/// A DMA descriptor.
/// - Source: endpoint-link.md, 6.
struct Transfer {
  /// The board's bus address: the source of a transfer to the host, the destination of others.
  var local: UInt64
  /// The host's PCI address; for a transfer from memory to memory the board's bus address of the source.
  var remote: UInt64
  var length: UInt32
  var function: UInt32
  /// Whether the board wants an interrupt at the end.
  var interrupts: Bool

  /// - Returns: nil if the descriptor is not in the board's memory.
  init?(in memory: HostMemory, at base: UInt64) {
    do throws(HostMemoryError) {
      local = try memory.load(at: base, as: UInt64.self)
      remote = try memory.load(at: base + 8, as: UInt64.self)
      length = try memory.load(at: base + 16, as: UInt32.self)
      function = try memory.load(at: base + 20, as: UInt32.self)
      interrupts = try memory.load(at: base + 24, as: UInt32.self) == 1
    } catch { return nil }
  }

  /// Writes the status of a descriptor, after the data.
  static func publish(isDone: Bool, in memory: HostMemory, at base: UInt64) {
    let status: UInt32 = isDone ? 2 : 3
    atomicMemoryFence(ordering: .releasing)
    try? memory.store(status, at: base + SharedPage.transferStatus)
  }
}

extension EndpointControllerFunction {
  /// Memory of either side, from an address on.
  private struct Place {
    var memory: HostMemory
    var address: UInt64
    /// The number of bytes, from here on, that can be in this memory.
    var limit: UInt64
  }

  /// Copies the bytes of a transfer.
  /// - Returns: false if it is too long, or some of the memory cannot be reached. Bytes before those may have been copied.
  func run(_ transfer: Transfer, _ channel: TransferChannel) -> Bool {
    let count = UInt64(transfer.length)
    guard transfer.length <= BoardDevice.maximumTransfer,
      !transfer.local.addingReportingOverflow(count).overflow,
      !transfer.remote.addingReportingOverflow(count).overflow
    else { return false }
    var done: UInt64 = 0
    while done < count {
      let local = boardPlace(transfer.local + done)
      let remote =
        channel == .memoryToMemory
        ? boardPlace(transfer.remote + done) : hostPlace(transfer.remote + done, transfer.function)
      guard let local, let remote else { return false }
      let part = min(count - done, local.limit, remote.limit)
      let (source, target) = channel == .toHost ? (local, remote) : (remote, local)
      do throws(HostMemoryError) {
        try source.memory.copy(
          from: source.address, count: Int(part), to: target.memory, at: target.address)
      } catch { return false }
      done += part
    }
    return true
  }

  private func hostPlace(_ address: UInt64, _ number: UInt32) -> Place? {
    guard number < functions.count, functions[Int(number)].canReachHost else { return nil }
    return Place(memory: functions[Int(number)].memory, address: address, limit: .max)
  }

  /// The place of a bus address of the board: in its memory, or through a window in the host's.
  private func boardPlace(_ address: UInt64) -> Place? {
    guard windowAddresses.contains(address) else {
      return Place(memory: memory, address: address, limit: .max)
    }
    let offset = address - windowAddresses.lowerBound
    guard let window = windows.window(at: offset), functions[window.function].canReachHost else {
      return nil
    }
    return Place(
      memory: functions[window.function].memory,
      address: window.address + (offset - window.offsets.lowerBound),
      limit: window.offsets.upperBound - offset)
  }
}
