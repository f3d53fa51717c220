// SPDX-License-Identifier: Apache-2.0
import PCI
import ServedHost

/// A board and a host of one of its functions, which do and check all that a link is for.
struct HonestPair {
  let board: ServedBoard
  let host: LinkedHost
  var function: UInt32 = 0
  /// By what the host is interrupted: 2 MSI-X, 1 MSI, 0 the line.
  var kind = 2

  private static let data = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
  private var bar: UInt64 { ServedBoard.bar + ServedBoard.barCount * UInt64(function) }

  /// Boots the host, and uses the function.
  func check() throws {
    try host.boot()
    try use()
  }

  /// Uses the function of a host that has booted.
  func use() throws {
    try checkBAR()
    try checkWindow()
    try checkTransfers()
    try checkInterrupts()
    if function == 0 { try checkReset() }
  }

  private func require(_ condition: Bool, _ what: String) throws {
    guard condition else { throw Finding(description: "function \(function): \(what)") }
  }

  private func checkBAR() throws {
    // The link comes up with the host's first reset; the board need not have noticed.
    _ = try board.serveEvents(milliseconds: 0)
    try host.write(0, 8, 0x1234_5678)
    try require(
      try board.memory.load(at: bar + 8, as: UInt32.self) == 0x1234_5678,
      "a write to the BAR does not arrive")
    try board.memory.store(UInt32(0x9abc_def0), at: bar + 0x40)
    try require(try host.read(0, 0x40) == 0x9abc_def0, "a read of the BAR has another value")
  }

  private func checkWindow() throws {
    try board.map(page: 2, pages: 2, to: 0x8000, function: function)
    try board.client.write(region: 2, offset: 0x3004, [1, 2, 3, 4], isPosted: true)
    try require(
      try board.client.read(region: 2, offset: 0x3004, count: 4) == [1, 2, 3, 4],
      "a window reads something else than was written")
    try require(
      try host.memory.load(at: 0x9004, as: UInt32.self) == 0x0403_0201,
      "a write to a window does not arrive")
    try board.unmap(page: 2)
  }

  private func checkTransfers() throws {
    func bytes(_ memory: HostMemory, at address: UInt64) throws -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: Self.data.count)
      try bytes.withUnsafeMutableBytes { try memory.read(at: address, into: $0) }
      return bytes
    }
    let (local, back) = (ServedBoard.memory + 0x4_0000, ServedBoard.memory + 0x5_0003)
    let length = UInt32(Self.data.count)
    try Self.data.withUnsafeBytes { try board.memory.write(at: local, from: $0) }
    for (channel, local, remote) in [
      (0, local, 0x1_0001), (1, back, 0x1_0001), (2, back + 0x8000, back),
    ] as [(UInt32, UInt64, UInt64)] {
      let status = try board.transfer(
        channel, local: local, remote: remote, length: length, function: function)
      try require(status == 2, "DMA channel \(channel) has status \(status)")
    }
    try require(
      try bytes(host.memory, at: 0x1_0001) == Self.data, "DMA to the host has other bytes")
    try require(
      try bytes(board.memory, at: back + 0x8000) == Self.data, "DMA from the host has other bytes")
  }

  private func checkInterrupts() throws {
    let vectors = [1, 8, 16][kind]
    try host.enableInterrupts(kind, vectors: vectors)
    for vector in Set([0, vectors - 1]).sorted() {
      try board.raise(UInt32(kind), UInt32(vector + 1), function: function)
      try require(
        host.takeInterrupt(vector: vector), "no interrupt of vector \(vector), kind \(kind)")
    }
    if kind == 0 { try host.client.unmaskLine() }
  }

  /// A reset, and FLR: both wait for the board.
  private func checkReset() throws {
    let host = host
    guard let express = try host.client.capability(0x10) else {
      throw Finding(description: "no PCI Express capability")
    }
    for isFunctionLevel in [false, true] {
      let later = Companion { _ in
        if isFunctionLevel {
          try host.client.write(region: 7, offset: express + 8, [0, 0x80])
        } else {
          try host.client.reset()
        }
      }
      while !later.hasEnded { _ = try board.serveEvents(milliseconds: 5) }
      try later.join()
      try require(try host.read(7, 4) & 6 == 0, "the command register is not reset")
      try host.write(7, 4, 6)
      _ = try board.serveEvents(milliseconds: 5)
      try checkBAR()
    }
  }
}

extension HonestPair {
  /// A board with two functions, and a host at each.
  /// - Parameter sockets: of the board and of each function.
  static func checkAll(_ sockets: [String]) throws {
    let board = try ServedBoard(sockets[0])
    try board.start(functions: UInt32(sockets.count - 1))
    let hosts = try sockets.dropFirst().map { try LinkedHost($0) }
    for (function, host) in hosts.enumerated() {
      try HonestPair(board: board, host: host, function: UInt32(function)).check()
    }
  }
}
