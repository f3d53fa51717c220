// SPDX-License-Identifier: Apache-2.0
internal import PCI

/// An access of the guest that the function may execute after the reply.
enum DeferredAccess {
  case bar(Int, offset: UInt64, ArraySlice<UInt8>)
  case configuration(offset: Int, ConfigurationSpace.Width, UInt32)
  case reset
  case all([DeferredAccess])

  /// Whether the function may reach into the guest's memory for it.
  var mayReachMemory: Bool {
    switch self {
    case .bar, .all: true
    case .configuration, .reset: false
    }
  }

  /// The same without the rest of the message in whose memory its data is.
  var compact: Self {
    switch self {
    case .bar(let bar, let offset, let data): .bar(bar, offset: offset, Array(data)[...])
    case .configuration, .reset: self
    case .all(let accesses): .all(accesses.map(\.compact))
    }
  }

  /// Its approximate memory usage while it is queued and ``compact``, bytes.
  var weight: Int {
    switch self {
    case .bar(_, offset: _, let data): 64 + data.count
    case .configuration, .reset: 64
    case .all(let accesses): accesses.reduce(64) { $0 + $1.weight }
    }
  }
}

/// A snapshot of a function's registers, which the guest reads while the function works.
///
/// Most work needs none, so its memory is reused.
struct RegisterSnapshot {
  var configuration: ConfigurationSpace
  private var bars: [(index: Int, bytes: [UInt8])]

  /// More of a BAR is not kept; it reads zero.
  private static let limit: UInt64 = 1 << 16

  init(of function: any Function) {
    configuration = function.configuration
    bars = configuration.bars.map { index, bar in
      (index, [UInt8](repeating: 0, count: Int(min(bar.size, Self.limit))))
    }
    take(of: function)
  }

  mutating func take(of function: any Function) {
    configuration = function.configuration
    for place in bars.indices {
      unsafe bars[place].bytes.withUnsafeMutableBytes { [bar = bars[place].index] in
        unsafe function.readBAR(bar, offset: 0, into: $0)
      }
    }
  }

  func read(bar: Int, offset: UInt64, count: Int) -> [UInt8] {
    let bytes = bars.first { $0.index == bar }?.bytes ?? []
    return (0..<count).map { index in
      let place = offset + UInt64(index)
      return place < UInt64(bytes.count) ? bytes[Int(place)] : 0
    }
  }
}
