// SPDX-License-Identifier: Apache-2.0
internal import ConformanceTables
internal import ControllerEmulation
internal import PCI

/// PRP and SGL walks: a command whose data pointer and lists come from the input.
enum DataPointerFuzzing {
  private static let memoryBytes = 8 << 20
  /// The lists of the input, behind everything that ``Host`` uses.
  private static let lists: UInt64 = 6 << 20

  static func run(_ bytes: [UInt8]) throws {
    var input = FuzzInput(bytes)
    let settings = input.byte()
    let behaviour = Behaviour.allCases[Int(settings & 3) % Behaviour.allCases.count]
    var model = documentedModel(behaviour)
    model.usesDMA = settings & 4 == 0
    let store = MemoryStore(count: 1 << 20)
    model.namespaces = [Namespace(id: 1, backend: .memory(store))]
    let host = Host(model, memoryBytes: memoryBytes)
    // Pages from 4 to 64 KiB.
    host.enable(configuration: 0x0046_0001 | UInt32(settings >> 3 & 3) << 7)
    guard host.makeQueues(1) else { return }
    let pageSize = UInt64(4096) << UInt64(settings >> 3 & 3)

    let flags = input.byte()
    var entry = Host.Entry(opcode: 1 + flags & 1, flags: flags & 2 == 0 ? 0 : 0x40, namespace: 1)
    let count = 1 + UInt32(input.integer(UInt16.self)) % 1024
    entry.words = [UInt32(input.byte()), 0, count - 1]
    (entry.prp1, entry.prp2) = (pointer(&input), pointer(&input))
    // Lists: 64-bit words, each of them at once an address in memory.
    var list: [UInt8] = []
    while !input.isEmpty, list.count < 1 << 14 { list.add(pointer(&input)) }
    host.fill(lists, list)

    // The drivers deviate from the specification.
    var expected: [Range<UInt64>]?
    if behaviour == .reference, entry.opcode == 2, entry.flags == 0 {
      expected = pieces(of: entry, bytes: UInt64(count) * 512, pageSize, host.memory)
      if expected != nil { try fillStore(host, count, at: entry.words[0]) }
    }
    let status = host.status(of: entry, on: 1)
    if behaviour == .reference { try FuzzViolation.unless(status != nil, "the command never ends") }
    guard let expected,
      expected.allSatisfy({ $0.lowerBound >= lists + 1 << 14 || $0.upperBound <= lists })
    else { return }
    try FuzzViolation.unless(
      status == 0, "a valid list is refused: status \(String(describing: status)), \(expected)")
    try checkData(expected, at: entry.words[0], host.memory)
  }

  // MARK: Data

  /// The word at the beginning of each block of the disk.
  private static func mark(_ block: UInt32) -> UInt32 { block &+ 0x5150_0000 }

  private static func fillStore(_ host: Host, _ count: UInt32, at first: UInt32) throws {
    let buffer = host.page()
    for start in stride(from: first, to: first + count, by: 8) {
      for block in 0..<8 as Range<UInt32> {
        try host.memory.store(mark(start + block), at: buffer + 512 * UInt64(block))
      }
      let status = host.status(
        of: .init(
          opcode: 1, namespace: 1, prp1: buffer, words: [start, 0, 7]), on: 1)
      try FuzzViolation.unless(
        status == 0, "blocks cannot be written: status \(String(describing: status))")
    }
  }

  private static func checkData(
    _ pieces: [Range<UInt64>], at first: UInt32, _ memory: HostMemory
  ) throws {
    var place: UInt64 = 0
    for piece in pieces {
      // An address is a multiple of 4, and a block may begin anywhere in a piece.
      for address in stride(from: piece.lowerBound, to: piece.upperBound, by: 4) {
        defer { place += 4 }
        // A page that is listed twice has the data of one of them.
        guard place % 512 == 0, pieces.count(where: { $0.contains(address) }) == 1 else { continue }
        let word = try memory.load(at: address, as: UInt32.self)
        let block = first + UInt32(place / 512)
        try FuzzViolation.unless(
          word == mark(block), "block \(block) is not at \(address), but \(word)")
      }
    }
  }

  // MARK: The specification's walk

  /// The pieces that PRPs describe; nil if they are not valid, or not in memory.
  /// - Source: NVM Express Base 2.1, 4.3.1.
  private static func pieces(
    of entry: Host.Entry, bytes: UInt64, _ pageSize: UInt64, _ memory: HostMemory
  ) -> [Range<UInt64>]? {
    guard entry.prp1 % 4 == 0, entry.prp1 < UInt64(memoryBytes) else { return nil }
    var pieces: [Range<UInt64>] = []
    var rest = bytes
    func take(_ address: UInt64, _ most: UInt64) {
      let count = min(rest, most)
      pieces.append(address..<address + count)
      rest -= count
    }
    take(entry.prp1, pageSize - entry.prp1 % pageSize)
    if rest > 0, rest <= pageSize {
      guard entry.prp2 % pageSize == 0, entry.prp2 < UInt64(memoryBytes) else { return nil }
      take(entry.prp2, pageSize)
    } else if rest > 0 {
      var list = entry.prp2
      var links = 0
      guard list % 8 == 0 else { return nil }
      while rest > 0 {
        guard let word = try? memory.load(at: list, as: UInt64.self) else { return nil }
        let isLast = (list + 8) % pageSize == 0
        if isLast, rest > pageSize {
          links += 1
          guard word % 8 == 0, links < 32 else { return nil }
          list = word
          continue
        }
        guard word % pageSize == 0, word < UInt64(memoryBytes) else { return nil }
        take(word, pageSize)
        list += 8
      }
    }
    // Not over the queues and pages of the host, nor past the end.
    guard
      pieces.allSatisfy({ $0.lowerBound >= 2 << 20 && $0.upperBound <= UInt64(memoryBytes) })
    else { return nil }
    return pieces
  }

  /// Any word, or an address in the lists or in memory, in three bytes.
  private static func pointer(_ input: inout FuzzInput) -> UInt64 {
    let form = input.byte()
    switch form >> 6 {
    case 0:
      return (2 << 20) + UInt64(input.integer(UInt16.self)) % 1024 * 4096 + UInt64(form & 63) * 4
    case 1: return lists + UInt64(input.integer(UInt16.self)) % (1 << 14) + UInt64(form & 1)
    // The second half of an SGL descriptor: length and type.
    case 2: return UInt64(input.integer(UInt16.self)) << 4 | UInt64(form & 0x3f) << 58
    default: return input.integer()
    }
  }

  static let seeds: [[UInt8]] = [
    [0, 1, 0, 0, 0, 0, 1, 0, 0, 2, 0],
    [0, 1, 31, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0],
    [8, 0, 255, 0, 0, 3, 1, 0, 0x40, 0xf0, 0x0f, 0, 2, 0, 0x40, 0, 0x20, 0, 3, 0],
    [1, 1, 31, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0],
    [2, 1, 63, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0],
    // SGL: a block; a segment of two blocks.
    [0, 3, 0, 0, 0, 0, 1, 0, 0x80, 0x20, 0],
    [0, 3, 1, 0, 0, 0x40, 0, 0, 0x8c, 2, 0, 0, 1, 0, 0x80, 0x20, 0, 0, 2, 0, 0x80, 0x20, 0],
    [4, 2, 3, 0, 0, 0x40, 0, 0, 0x88, 1, 0, 0x40, 0, 0, 0x8c, 2, 0],
  ]
}
