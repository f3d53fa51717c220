// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI

/// A host in process, of one function.
final class Host: HostInterface {
  static let memoryCount = 1 << 20

  let function: LinkedFunction
  var memory: HostMemory { function.memory }
  /// Messages by vector, and levels of the line as 1000 and 1001.
  var interrupts: [Int] = []

  /// Connects, and adds 1 MiB of memory from 0 on and from 4 GiB on.
  init(_ board: Board, function number: Int = 0) throws {
    function = board.link.functions[number]
    if (try? memory.load(at: 0, as: UInt8.self)) == nil {
      try memory.add(at: 0, count: Self.memoryCount)
      try memory.add(at: 1 << 32, count: Self.memoryCount)
    }
    function.host = self
  }

  /// Resets the function, as firmware does, and enables it.
  func boot() {
    function.reset(.conventional)
    enable()
  }

  func enable() { writeCommand(0x0006) }
  func writeCommand(_ value: UInt32) {
    function.writeConfiguration(offset: 4, width: .word, value: value)
  }

  func disconnect() { function.host = nil }

  func interrupt(vector: Int) { interrupts.append(vector) }
  func intx(asserted: Bool) {
    interrupts.append(asserted ? 1001 : 1000)
    if asserted { isLinePending = takesLineLater }
  }

  /// Whether the tests take assertions of the line.
  var takesLineLater = false
  var isLinePending = false

  func takeInterrupts() -> [Int] {
    defer { interrupts = [] }
    return interrupts
  }

  func read(_ offset: Int, _ width: ConfigurationSpace.Width = .doubleword) -> UInt32 {
    function.configuration.read(offset: offset, width: width)
  }

  /// Writes the control word of MSI or MSI-X.
  func control(_ id: Capability.ID, _ value: UInt32) {
    guard let base = function.configuration.find(id) else { return }
    function.writeConfiguration(offset: base + 2, width: .word, value: value)
  }

  /// Sets the bit that initiates a function-level reset.
  func resetFunction() {
    guard let base = function.configuration.find(.pciExpress) else { return }
    function.writeConfiguration(offset: base + 8, width: .word, value: 1 << 15)
  }

  func word(_ bar: Int, _ offset: UInt64) -> UInt32 { function.word(bar, offset) }
  func write(_ bar: Int, _ offset: UInt64, _ value: UInt32) { function.write(bar, offset, value) }
}

extension Function {
  func bytes(_ bar: Int, _ offset: UInt64, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0x5A, count: count)
    bytes.withUnsafeMutableBytes { readBAR(bar, offset: offset, into: $0) }
    return bytes
  }

  func word(_ bar: Int, _ offset: UInt64) -> UInt32 {
    var value: UInt32 = 0x5A5A_5A5A
    withUnsafeMutableBytes(of: &value) { readBAR(bar, offset: offset, into: $0) }
    return UInt32(littleEndian: value)
  }

  func write(_ bar: Int, _ offset: UInt64, _ value: UInt32) {
    withUnsafeBytes(of: value.littleEndian) { writeBAR(bar, offset: offset, from: $0) }
  }

  func writeBytes(_ bar: Int, _ offset: UInt64, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { writeBAR(bar, offset: offset, from: $0) }
  }
}

extension HostMemory {
  func bytes(at address: UInt64, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try read(at: address, into: $0) }
    return bytes
  }

  func write(_ bytes: [UInt8], at address: UInt64) throws {
    try bytes.withUnsafeBytes { try write(at: address, from: $0) }
  }
}

extension ConfigurationSpace {
  /// Where a capability is, found as a host finds it: by walking the chain.
  func find(_ id: Capability.ID) -> Int? {
    var offset = Int(read(offset: HeaderOffset.capabilitiesPointer, width: .byte))
    for _ in 0..<48 where offset != 0 && offset != 0xFF {
      if read(offset: offset, width: .byte) == UInt32(id.rawValue) { return offset }
      offset = Int(read(offset: offset + 1, width: .byte))
    }
    return nil
  }
}
