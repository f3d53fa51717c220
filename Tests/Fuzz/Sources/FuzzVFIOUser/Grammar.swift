// SPDX-License-Identifier: Apache-2.0

/// The values that the messages to one kind of target are made of.
struct Grammar {
  /// Where an integer is, and its bytes.
  typealias Field = (offset: Int, width: Int)

  /// The fields of bytes in memory, behind an address of 8 bytes, by the number of all these bytes.
  var memoryFields: [Int: [Field]]
  /// The addresses of the client's memory.
  var memory: Range<UInt64>
  /// The offsets in BARs and in the configuration space that matter.
  var registers: [UInt64]
  /// Other addresses at which something ends.
  var edges: [UInt64]
  /// The regions that are accessed, as often as they are listed.
  var regions: [UInt32]
  var words: [UInt32]
  /// Whether the target works after the reply to a register's write.
  var worksLater = false
  /// Whether the client is a board, which has its own operations.
  var hasOperations = false
  /// Whether the target can access memory that it has no descriptor of.
  var reachesMemoryByMessages = false

  private static let commonWords: [UInt32] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 20, 24, 31, 32, 33, 64, 255, 256, 4095, 4096, 4097, 8192,
    0xffff, 0x10000, 0x10_0000, 0x8000_0000, .max, .max - 1,
  ]
  private static let commonEdges: [UInt64] = [
    0x1_0000_0000, 0x8000_0000_0000, 0x8000_0000_0000_0000, .max, .max - 3, .max - 4095,
    .max - 8191,
  ]

  /// A host of an NVMe controller.
  /// - Source: NVMe Base 2.1, figure 92, for a submission queue entry.
  static let controller = Grammar(
    memoryFields: [
      72: [
        (0, 8), (8, 1), (9, 1), (10, 2), (12, 4), (24, 8), (32, 8), (40, 8), (48, 4), (50, 2),
        (52, 4), (56, 4), (60, 4), (64, 4), (68, 4),
      ]
    ],
    memory: 0..<16 << 20,
    registers: [
      0, 1, 4, 8, 0x14, 0x1c, 0x24, 0x28, 0x30, 0x1000, 0x1004, 0x1008, 0x100c, 0x1010, 0x2000,
    ],
    edges: commonEdges + [
      4088, 4092, 4096, 0x7f_f000, 0x80_0000, 0xff_f000, 0xff_ffc0, 0xff_fffc, 0x100_0000,
      0x100_1000, 0x4000_0000,
    ],
    regions: [0, 0, 0, 7, 7, 1, 8],
    words: commonWords + [
      0x24, 0x21, 0x11, 0x22, 0x001f_001f, 0x0fff_0fff, 0x0046_0001, 0x0046_4001, 0x0046_0791,
    ],
    worksLater: true, reachesMemoryByMessages: true)

  /// A board at an endpoint link. Its memory has mailbox operations and DMA descriptors.
  /// - Source: endpoint-link.md, 2, 5 and 6.
  static let board = Grammar(
    memoryFields: [
      56: [
        (0, 8), (8, 4), (8, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4), (28, 4), (32, 4),
        (40, 8), (48, 8),
      ],
      40: [(0, 8), (8, 8), (8, 8), (16, 8), (16, 8), (24, 4), (24, 4), (28, 4), (32, 4)],
    ],
    memory: 0x10_0000..<0x20_0000,
    registers: [
      0, 8, 0xc, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x3c,
      0x40, 0x800, 0xffc, 0x1000, 0xff_f000,
    ],
    edges: commonEdges + [
      0x10_0000, 0x10_0100, 0x10_0200, 0x11_0000, 0x11_4000, 0x1f_f000, 0x20_0000, 0x20_0000_0000,
      0x20_0000_1000, 0x20_00ff_f000, 0x20_0100_0000,
    ],
    regions: [0, 0, 0, 0, 2, 2, 4, 7, 8],
    words: commonWords + [
      0xc, 0x14, 0x18, 0x28, 0x2000, 0x4000, 0x0001_0001, 0x0002_0001, 0x0002_0010, 0x0102_0001,
      0x0100_0001, 0xff_ffff, 0x100_0000, 0x100_0001, 0x11_0000, 0x7fff_fff8, 0xfff7_ff00,
    ],
    hasOperations: true)

  /// A host of a function behind an endpoint link, with 16 KiB of BAR 0; in its configuration space power management is at 40h, PCI Express
  /// at 48h, then MSI and MSI-X.
  static let host = Grammar(
    memoryFields: [:],
    memory: 0..<0x10_0000,
    registers: [
      0, 4, 6, 0x10, 0x14, 0x3c, 0x44, 0x50, 0x51, 0x84, 0x86, 0x88, 0x94, 0x96, 0xffc, 0x1000,
      0x2000, 0x2100, 0x3ffc, 0x4000,
    ],
    edges: commonEdges + [0x3f00, 0xf_f000, 0x10_0000, 0xfee0_0000],
    regions: [0, 0, 7, 7, 7, 1, 2, 8],
    words: commonWords + [0x24, 0x21, 0x400, 0x406, 0x8000, 0xc000, 0xffff_0006, 0xfee0_0000])
}
