// SPDX-License-Identifier: Apache-2.0

/// Messages that no recorded board sends: operations with any arguments, in the right form.
extension Mutator {
  /// An operation of the mailbox, a transfer, or a window: bytes in memory, and the registers that are written then.
  mutating func boardOperation() -> (memory: (address: UInt64, bytes: [UInt8])?, [RecordedMessage])
  {
    let page = grammar.memory.lowerBound
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<6:
      let read = RecordedMessage(command: 9, body: Self.access(0x14))
      return ((page + 0x100, mailbox()), [write(0x20, [0]), read])
    case 6..<8:
      let channel: UInt32 = pick([0, 0, 1, 1, 2, 2, 3])
      return ((page + 0x200 + 64 * UInt64(channel), transfer()), [write(0x3c, [channel])])
    case 8:
      let window = [
        pick([0, 1, 2, 4095, 4096, word()]),
        pick([1, 1, 2, 4096, 0xff_ffff, word()]) | pick([0, 0, 1, 2, 255]) << 24,
      ]
      let target = address() & pick([~4095, .max])
      return (
        nil,
        [write(0x28, window), write(0x30, [UInt32(target & 0xffff_ffff), UInt32(target >> 32)])]
      )
    default: return (nil, [write(0x38, [pick([0, 1, 2, 4095, word()])])])
    }
  }

  private mutating func mailbox() -> [UInt8] {
    let operation: UInt32 = pick([1, 2, 2, 2, 2, 3, 4, 5, 5, 6, 6, 7, 8, word()])
    var arguments = (0..<6).map { _ in word() }
    var place = (address: address(), size: address())
    switch operation {
    case 2:
      arguments[0] = pick([0, 1, 2, 3, 4, 5, 6])
      arguments[1] = pick([0, 0, 4, 4, 8, 12, 16])
      place.size = pick([
        8, 16, 4096, 4096, 0x4000, 0x4000, 1 << 20, 1 << 31, 1 << 32, 1 << 63, address(),
      ])
    case 3: arguments[0] = pick([0, 1, 2, 3, 4, 5, 6])
    case 4: arguments[0] = pick([0, 1, 2, 8, 16, 32, 33, 64])
    case 5:
      arguments[0] = pick([0, 1, 8, 16, 64, 65, 2048, 2049])
      arguments[1] = pick([0, 0, 1, 2, 4, 5, 6])
      arguments[2] = pick([0, 0x2000, 0x3ff8, 0x7fff_fff8, 0xfff7_ff00, 0xfff7_fef8, word()])
    default: arguments[4] = pick([0, 1, 4, 5, word()])
    }
    var bytes: [UInt8] = []
    for word in [operation, pick([0, 0, 0, 1, 2, word()])] + arguments { bytes.add(word) }
    bytes.add(place.address)
    bytes.add(place.size)
    return bytes
  }

  private mutating func transfer() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.add(address())
    bytes.add(address())
    for word in [
      pick([0, 1, 4, 4096, 4097, 0x1_0000, 16 << 20, (16 << 20) + 1, word()]),
      pick([0, 0, 0, 1, 2, word()]), pick([0, 1, 2]), 1,
    ] as [UInt32] { bytes.add(word) }
    return bytes
  }

  private func write(_ register: UInt64, _ words: [UInt32]) -> RecordedMessage {
    var body = Self.access(register, count: 4 * words.count)
    for word in words { body.add(word) }
    return RecordedMessage(command: 10, flags: 0x10, body: body)
  }

  /// Of BAR 0.
  private static func access(_ offset: UInt64, count: Int = 4) -> [UInt8] {
    var body: [UInt8] = []
    body.add(offset)
    body.add(UInt32(0))
    body.add(UInt32(count))
    return body
  }
}
