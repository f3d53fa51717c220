// SPDX-License-Identifier: Apache-2.0
import CLinux
import Numbers

@testable import VFIOUser

/// A message that is almost right: a known request with fields that lie at and around their limits, now and then cut or of a wild size.
struct RandomMessage {
  var bytes: [UInt8] = []
  var descriptors: [OpenDescriptor] = []

  init(_ random: inout SplitMix64) {
    func pick<T>(_ values: [T]) -> T {
      values[Int.random(in: 0..<values.count, using: &random)]
    }
    func word() -> UInt32 {
      pick([
        0, 1, 2, 3, 4, 7, 8, 16, 20, 24, 32, 33, 64, 4096, 8192, 0x24, 0x21, .max,
        UInt32.random(in: 0 ... .max, using: &random),
      ])
    }
    func wide() -> UInt64 {
      pick([
        0, 4096, 0x1000, 0x1008, 0x14, 0x1c, 0x10000, 1 << 20, .max, .max - 4095, UInt64(word()),
      ])
    }
    let command = pick(
      [1, 2, 2, 3, 3, 4, 5, 7, 8, 8, 9, 9, 10, 10, 10, 12, 13, 15, 16, 77] as [UInt16])
    var body: [UInt8] = []
    switch command {
    case 2:
      body = RawClient.map(
        pick([0, 1 << 20, 1 << 30, wide()]), pick([4096, 1 << 20, wide()]),
        offset: pick([0, 0, wide()]),
        flags: pick([1, 2, 3, 3, 3, word()]), size: pick([32, 32, word()]))
      if Bool.random(using: &random) {
        descriptors = [OpenDescriptor(epfnvme_memory_descriptor("leak", 1 << 20))]
      }
    case 3:
      body = RawClient.unmap(
        pick([0, 1 << 20, wide()]), pick([4096, 1 << 20, wide()]), flags: pick([0, 0, 2, word()]))
    case 8:
      body = RawClient.words(
        pick([20, word()]), pick([0x24, 0x21, 0x22, 0x11, word()]), pick([0, 1, 2, 2, word()]),
        word(),
        pick([0, 1, 4, word()]))
      if Bool.random(using: &random) {
        descriptors = [OpenDescriptor(epfnvme_event_descriptor())]
      }
    case 9, 10:
      body = RawClient.access(
        pick([0, 0, 0, 7, word()]),
        pick([
          0x14, 0x24, 0x28, 0x30, 0x1000, 0x1004, 0x1008,
          UInt64.random(in: 0..<8192, using: &random), wide(),
        ]),
        pick([1, 2, 4, 4, 4, 8, word()]))
      body += RawClient.words(
        pick([0x0046_0001, 0x0046_0061, 0, 1, 2, 0x001f_001f, word()]), word())
    default: for _ in 0..<Int.random(in: 0..<12, using: &random) { body += RawClient.words(word()) }
    }
    if Int.random(in: 0..<20, using: &random) == 0 {
      body.removeLast(Int.random(in: 0...body.count, using: &random))
    }
    var size = UInt32(16 + body.count)
    if Int.random(in: 0..<500, using: &random) == 0 { size = word() }
    bytes.append(littleEndian: UInt16.random(in: 0 ... .max, using: &random))
    bytes.append(littleEndian: command)
    bytes.append(littleEndian: size)
    // Without replies, which are not read.
    bytes.append(littleEndian: UInt32(1 << 4))
    bytes.append(littleEndian: UInt32(0))
    bytes += body
  }
}
