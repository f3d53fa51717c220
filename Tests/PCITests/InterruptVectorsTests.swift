// SPDX-License-Identifier: Apache-2.0
import PCI
import Testing

@Suite("PCIe Base 6.1 and 7.7.2: interrupts") struct InterruptVectorsTests {
  typealias Action = InterruptVectors.Action

  /// A function and the host's hand on it.
  struct Machine {
    var space: ConfigurationSpace
    var vectors: InterruptVectors
    var actions: [Action] = []

    init(
      _ space: ConfigurationSpace = .sample(),
      tableKeeper: InterruptVectors.TableKeeper = .function
    ) {
      self.space = space
      vectors = InterruptVectors(for: space, tableKeeper: tableKeeper)
      write(HeaderOffset.command, 0x0006)
    }

    /// Writes a word of the configuration space.
    mutating func write(_ offset: Int, _ value: UInt32) {
      let change = space.write(offset: offset, width: .word, value: value)
      guard !change.isDisjoint(with: .interrupts) else { return }
      vectors.update(from: space) { actions.append($0) }
    }

    mutating func write(_ id: Capability.ID, _ offset: Int, _ value: UInt32) throws {
      write(try #require(space.find(id)) + offset, value)
    }

    mutating func writeTable(_ offset: Int, _ bytes: [UInt8]) {
      bytes.withUnsafeBytes { buffer in
        vectors.writeTable(at: offset, from: buffer) { actions.append($0) }
      }
    }

    /// Programs a vector as a host does: address, data, unmask.
    mutating func program(_ vector: Int, isMasked: Bool = false) {
      let bytes: [UInt8] = [
        0x00, 0x10, 0xE0, 0xFE, 0x01, 0, 0, 0, UInt8(vector), 0x40, 0, 0, isMasked ? 1 : 0, 0, 0, 0,
      ]
      writeTable(16 * vector, bytes)
    }

    mutating func reset(_ kind: ResetKind) {
      space.reset(kind)
      vectors.reset(to: space) { actions.append($0) }
    }

    mutating func take() -> [Action] {
      defer { actions = [] }
      return actions
    }

    func table(_ offset: Int, _ count: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0xA5, count: count)
      bytes.withUnsafeMutableBytes { vectors.readTable(at: offset, into: $0) }
      return bytes
    }

    func pendingBits(_ offset: Int = 0, _ count: Int = 16) -> [UInt8] {
      var bytes = [UInt8](repeating: 0xA5, count: count)
      bytes.withUnsafeMutableBytes { vectors.readPendingBits(at: offset, into: $0) }
      return bytes
    }

    static func message(_ vector: Int) -> Action {
      .message(vector: vector, address: 0x1_FEE0_1000, data: 0x4000 | UInt32(vector))
    }
  }

  // MARK: The table

  @Test("after reset, every entry is zero and masked")
  func tableAfterReset() {
    let machine = Machine()
    #expect(machine.vectors.tableCount == 70)
    for vector in [0, 1, 69] {
      #expect(machine.table(16 * vector, 16) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    }
  }

  @Test("an entry accepts everything except odd addresses and the reserved bits of control")
  func tableMasks() {
    var machine = Machine()
    machine.writeTable(32, [UInt8](repeating: 0xFF, count: 16))
    #expect(
      machine.table(32, 16) == [
        0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0,
      ])
    machine.writeTable(37, [0x12, 0x34])
    #expect(machine.table(36, 4) == [0xFF, 0x12, 0x34, 0xFF])
    #expect(machine.table(16, 16) == machine.table(48, 16))
  }

  @Test(
    "outside the table, reads are zero and writes are dropped",
    arguments: [70 * 16 - 4, 70 * 16, 1 << 40, .max - 7, .max, -16, .min])
  func outsideTable(offset: Int) {
    var machine = Machine()
    machine.writeTable(offset, [UInt8](repeating: 0xFF, count: 16))
    let read = machine.table(offset, 16)
    let inside = (0..<16).map { (0..<70 * 16).contains(offset &+ $0) }
    #expect(zip(read, inside).allSatisfy { $1 || $0 == 0 })
    #expect(machine.table(0, 4) == [0, 0, 0, 0])
    #expect(machine.pendingBits(offset, 16) == [UInt8](repeating: 0, count: 16))
  }

  // MARK: MSI-X

  @Test("a vector that is unmasked sends its message", arguments: [0, 1, 63, 64, 69])
  func messages(vector: Int) throws {
    var machine = Machine()
    machine.program(vector)
    try machine.write(.msix, 2, 0x8000)
    #expect(machine.vectors.raise(vector) == Machine.message(vector))
    #expect(machine.pendingBits() == [UInt8](repeating: 0, count: 16))
    #expect(machine.take().isEmpty)
  }

  @Test(
    "a vector that the host did not grant raises no interrupt",
    arguments: [-1, 70, 2048, .max, .min])
  func outOfRange(vector: Int) throws {
    var machine = Machine()
    try machine.write(.msix, 2, 0x8000)
    #expect(machine.vectors.raise(vector) == .none)
    #expect(machine.vectors.lower(vector) == .none)
  }

  @Test("a masked vector is pending until it is unmasked, and then sent once")
  func vectorMask() throws {
    var machine = Machine()
    try machine.write(.msix, 2, 0x8000)
    machine.program(65, isMasked: true)
    #expect(machine.vectors.raise(65) == .pending)
    #expect(machine.vectors.raise(65) == .pending)
    #expect(machine.pendingBits() == [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
    #expect(machine.pendingBits(8, 2) == [2, 0])
    #expect(machine.take().isEmpty)
    machine.writeTable(65 * 16 + 12, [0, 0, 0, 0])
    #expect(machine.take() == [Machine.message(65)])
    #expect(machine.pendingBits(8, 1) == [0])
    machine.writeTable(65 * 16 + 12, [1, 0, 0, 0])
    machine.writeTable(65 * 16 + 12, [0, 0, 0, 0])
    #expect(machine.take().isEmpty)
  }

  @Test("one write that unmasks and programs a vector sends the new message")
  func programAndUnmask() throws {
    var machine = Machine()
    try machine.write(.msix, 2, 0x8000)
    #expect(machine.vectors.raise(3) == .pending)
    machine.program(3)
    #expect(machine.take() == [Machine.message(3)])
  }

  @Test(
    "conditions that block all vectors keep them pending, in order",
    arguments: [(0xC000, 0x0006, 0), (0x8000, 0x0002, 0), (0x8000, 0x0006, 3)]
      as [(UInt32, UInt32, UInt32)])
  func heldBack(control: UInt32, command: UInt32, state: UInt32) throws {
    var machine = Machine()
    for vector in [2, 66] { machine.program(vector) }
    try machine.write(.powerManagement, 4, state)
    machine.write(HeaderOffset.command, command)
    try machine.write(.msix, 2, control)
    #expect(machine.vectors.raise(66) == .pending)
    #expect(machine.vectors.raise(2) == .pending)
    #expect(machine.vectors.raise(3) == .pending)
    #expect(machine.take().isEmpty)
    try machine.write(.powerManagement, 4, 0)
    machine.write(HeaderOffset.command, 0x0006)
    try machine.write(.msix, 2, 0x8000)
    #expect(machine.take() == [Machine.message(2), Machine.message(66)])
    #expect(machine.pendingBits(0, 1) == [0b1000])
  }

  @Test("a pending vector without a cause is not sent")
  func lowered() throws {
    var machine = Machine()
    try machine.write(.msix, 2, 0x8000)
    #expect(machine.vectors.raise(1) == .pending)
    #expect(machine.vectors.lower(1) == .none)
    machine.program(1)
    #expect(machine.take().isEmpty)
  }

  @Test("if a monitor owns the table, it applies the masks")
  func monitor() throws {
    var machine = Machine(tableKeeper: .monitor)
    try machine.write(.msix, 2, 0x8000)
    #expect(machine.vectors.raise(5) == .message(vector: 5, address: 0, data: 0))
    try machine.write(.msix, 2, 0xC000)
    #expect(machine.vectors.raise(5) == .pending)
  }

  // MARK: MSI

  @Test(
    "an MSI message has its vector in the low bits of the data",
    arguments: [
      (0, 0, 0x4327), (1, 1, 0x4327), (1, 0, 0x4326), (3, 5, 0x4325), (3, 0, 0x4320),
    ] as [(UInt32, Int, UInt32)])
  func msiData(granted: UInt32, vector: Int, data: UInt32) throws {
    var machine = Machine()
    try machine.write(.msi, 4, 0x1000)
    try machine.write(.msi, 6, 0xFEE0)
    try machine.write(.msi, 12, 0x4327)
    try machine.write(.msi, 2, granted << 4 | 1)
    #expect(
      machine.vectors.raise(vector) == .message(vector: vector, address: 0xFEE0_1000, data: data))
    #expect(machine.vectors.grantedCount == 1 << granted)
    #expect(machine.vectors.raise(1 << granted) == .none)
  }

  @Test("a masked MSI vector shows its pending bit until it is unmasked")
  func msiMask() throws {
    var machine = Machine()
    let pending = try #require(machine.space.find(.msi)) + 0x14
    try machine.write(.msi, 2, 3 << 4 | 1)
    try machine.write(.msi, 16, 0b0110)
    #expect(machine.vectors.raise(2) == .pending)
    #expect(machine.vectors.raise(0) == .message(vector: 0, address: 0, data: 0))
    machine.vectors.show(in: &machine.space)
    #expect(machine.space.read(offset: pending, width: .doubleword) == 0b0100)
    try machine.write(.msi, 16, 0b0010)
    #expect(machine.take() == [.message(vector: 2, address: 0, data: 2)])
    machine.vectors.show(in: &machine.space)
    #expect(machine.space.read(offset: pending, width: .doubleword) == 0)
  }

  // MARK: INTx

  @Test("the line is asserted as long as one vector has a cause")
  func line() {
    var machine = Machine()
    #expect(machine.vectors.raise(0) == .intx(asserted: true))
    #expect(machine.vectors.raise(0) == .none)
    #expect(machine.vectors.raise(7) == .none)
    #expect(machine.vectors.lower(0) == .none)
    #expect(machine.vectors.lower(7) == .intx(asserted: false))
    #expect(machine.vectors.lower(7) == .none)
  }

  @Test("INTx that is disabled is pending, shows in status, and is asserted when enabled")
  func disabledLine() {
    var machine = Machine()
    machine.write(HeaderOffset.command, 0x0406)
    #expect(machine.vectors.raise(0) == .pending)
    machine.vectors.show(in: &machine.space)
    #expect(machine.space.isInterruptPending)
    machine.write(HeaderOffset.command, 0x0006)
    #expect(machine.take() == [.intx(asserted: true)])
    machine.write(HeaderOffset.command, 0x0406)
    #expect(machine.take() == [.intx(asserted: false)])
    #expect(machine.vectors.lower(0) == .none)
    machine.vectors.show(in: &machine.space)
    #expect(!machine.space.isInterruptPending)
  }

  @Test("INTx needs no bus mastering, but D0")
  func lineInD3() throws {
    var machine = Machine()
    machine.write(HeaderOffset.command, 0)
    #expect(machine.vectors.raise(0) == .intx(asserted: true))
    try machine.write(.powerManagement, 4, 3)
    #expect(machine.take() == [.intx(asserted: false)])
    try machine.write(.powerManagement, 4, 0)
    #expect(machine.take() == [.intx(asserted: true)])
  }

  @Test(
    "enabling messages deasserts the line, and drops its causes",
    arguments: [Capability.ID.msi, .msix])
  func switching(id: Capability.ID) throws {
    var machine = Machine()
    #expect(machine.vectors.raise(0) == .intx(asserted: true))
    machine.program(0)
    try machine.write(id, 2, 0x8001)
    #expect(machine.take() == [.intx(asserted: false)])
    try machine.write(id, 2, 0)
    #expect(machine.take().isEmpty)
    #expect(machine.vectors.raise(0) == .intx(asserted: true))
  }

  @Test("without a pin and without messages, nothing can be raised")
  func noPin() {
    var machine = Machine(
      ConfigurationSpace(
        header: Header(vendorID: 1, deviceID: 2, classCode: 0, interruptPin: .none)))
    #expect(machine.vectors.raise(0) == .none)
    #expect(machine.vectors.grantedCount == 0)
    #expect(machine.table(0, 4) == [0, 0, 0, 0])
  }

  // MARK: Reset

  @Test(
    "a reset masks every vector, drops pending ones, and deasserts the line",
    arguments: [ResetKind.functionLevel, .conventional])
  func reset(kind: ResetKind) throws {
    var machine = Machine()
    let initial = machine.table(0, 70 * 16)
    machine.program(1)
    try machine.write(.msix, 2, 0xC000)
    #expect(machine.vectors.raise(1) == .pending)
    machine.reset(kind)
    #expect(machine.take().isEmpty)
    #expect(machine.table(0, 70 * 16) == initial)
    #expect(machine.pendingBits() == [UInt8](repeating: 0, count: 16))

    #expect(machine.vectors.raise(0) == .intx(asserted: true))
    machine.reset(kind)
    #expect(machine.take() == [.intx(asserted: false)])
  }
}
