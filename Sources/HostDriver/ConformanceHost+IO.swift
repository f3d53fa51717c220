// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe

/// The NVM command set on the first namespace and the first I/O queue.
extension ConformanceHost {
  func examineIO() throws(HostError) {
    let list = try identify(.activeNamespaces)
    let id = UInt32(Self.number(list, 0, 4))
    guard id != 0 else { return }
    let data = try identify(.namespace, id, as: IdentifyNamespace.self)
    let blockSize = 1 << Int(min(data[format: data.formatInUse].blockShift, 16))
    guard data[.size] > 0, blockSize <= 4096 else { return }
    let namespace = Examined(id: id, blocks: data[.size], blockSize: blockSize)
    examineTransfers(namespace)
    examineOptional(namespace)
    examineIORefusals(namespace)
    examineInterrupts(namespace)
    examineWrapping(namespace)
  }

  struct Examined {
    var id: UInt32
    var blocks: UInt64
    var blockSize: Int
  }

  private func command(
    _ opcode: NVMOpcode, _ namespace: Examined, first: UInt64 = 0, bytes: Int = 0,
    prp1: UInt64 = 0, prp2: UInt64 = 0
  ) -> SubmissionEntry {
    let blocks = UInt64(max(bytes / namespace.blockSize, 1))
    return SubmissionEntry(
      opcode: opcode.rawValue, id: 0, namespaceID: namespace.id, prp1: prp1, prp2: prp2,
      words: SubmissionEntry.words(firstBlock: first, count: blocks))
  }

  /// Pages of a transfer with gaps between them, and the pointers that describe it.
  private struct Buffer {
    var prp1: UInt64 = 0
    var prp2: UInt64 = 0
    /// The addresses of the bytes, in order.
    var pieces: [(address: UInt64, count: Int)] = []
  }

  /// - Parameters:
  ///   - offset: within the first page.
  ///   - listOffset: of the PRP list within its page.
  private func buffer(_ bytes: Int, offset: Int, listOffset: UInt64) -> Buffer {
    var buffer = Buffer()
    var rest = bytes
    var start = UInt64(offset)
    while rest > 0 {
      let piece = (address: page(2) + start, count: min(rest, 4096 - Int(start)))
      buffer.pieces.append(piece)
      rest -= piece.count
      start = 0
    }
    buffer.prp1 = buffer.pieces[0].address
    let others = buffer.pieces.dropFirst().map(\.address)
    guard others.count > 1 else {
      buffer.prp2 = others.first ?? 0
      return buffer
    }
    var place = page() + listOffset
    buffer.prp2 = place
    for (index, address) in others.enumerated() {
      if place % 4096 == 4088, index < others.count - 1 {
        let list = page()
        try? store(list, at: place)
        place = list
      }
      try? store(address, at: place)
      place += 8
    }
    return buffer
  }

  private static func pattern(_ count: Int, _ seed: Int) -> [UInt8] {
    var numbers = XorShift64(seed: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
    return numbers.bytes(count)
  }

  private func put(_ bytes: [UInt8], in buffer: Buffer) {
    var rest = bytes[...]
    for piece in buffer.pieces {
      try? put(Array(rest.prefix(piece.count)), at: piece.address)
      rest = rest.dropFirst(piece.count)
    }
  }

  private func bytes(in buffer: Buffer) -> [UInt8] {
    buffer.pieces.flatMap { (try? bytes(at: $0.address, $0.count)) ?? [] }
  }

  /// Written, flushed and read back, by every shape of data pointer.
  private func examineTransfers(_ namespace: Examined) {
    let largest =
      controller[.maximumTransfer] == 0 ? 1 << 20 : 4096 << Int(controller[.maximumTransfer])
    let whole = Int(clamping: namespace.blocks) * namespace.blockSize
    let shapes: [(String, Int, Int, UInt64)] = [
      ("one page", 4096, 0, 0), ("two pieces", 4096, 0x200, 0), ("two pages", 8192, 0, 0),
      ("a list", 16384, 0, 0), ("a list and an offset", 16384, 0x204, 0),
      ("a chained list", 131_072, 0, 0xf80),
      ("as much as MDTS allows", min(largest, 1 << 20), 0, 0),
    ]
    for (index, (name, count, offset, listOffset)) in shapes.enumerated()
    where count <= min(largest, whole) {
      let source = buffer(count, offset: offset, listOffset: listOffset)
      let wanted = Self.pattern(count, index + 1)
      put(wanted, in: source)
      let written = run(
        command(.write, namespace, bytes: count, prp1: source.prp1, prp2: source.prp2), on: 1)
      let target = buffer(count, offset: offset, listOffset: listOffset)
      let read = run(
        command(.read, namespace, bytes: count, prp1: target.prp1, prp2: target.prp2), on: 1)
      let isKept =
        written?.status.isSuccess == true && read?.status.isSuccess == true
        && bytes(in: target) == wanted
      require(
        "data-\(index + 1)", "Base 4.3.1", "written data is read back: \(name), \(count) bytes",
        isKept,
        "write: \(written.map { "\($0.status)" } ?? "no completion"), read: "
          + "\(read.map { "\($0.status)" } ?? "no completion"), other bytes")
    }
    require(
      "flush", "NVM 3.3.2", "a flush is a success", command(.flush, namespace), on: 1,
      ends: .success)
  }

  /// The values reported by Identify.
  private func examineOptional(_ namespace: Examined) {
    let commands = controller[.optionalCommands]
    let source = buffer(4096, offset: 0, listOffset: 0)
    let ones = [UInt8](repeating: 0xff, count: 4096)
    func readBack() -> [UInt8] {
      put(ones, in: source)
      _ = run(command(.read, namespace, bytes: 4096, prp1: source.prp1), on: 1)
      return bytes(in: source)
    }
    if commands & 8 != 0 {
      put(ones, in: source)
      _ = run(command(.write, namespace, bytes: 4096, prp1: source.prp1), on: 1)
      require(
        "write-zeroes", "NVM 3.3.8", "Write Zeroes succeeds, as reported by ONCS",
        command(.writeZeroes, namespace, bytes: 4096), on: 1, ends: .success)
      require(
        "write-zeroes-read", "NVM 3.3.8", "the blocks read as zeroes",
        readBack().allSatisfy { $0 == 0 }, "other bytes")
    }
    if commands & 4 != 0 {
      put(ones, in: source)
      _ = run(command(.write, namespace, bytes: 4096, prp1: source.prp1), on: 1)
      let range = page()
      try? store(UInt32(4096 / namespace.blockSize), at: range + 4)
      require(
        "deallocate", "NVM 3.3.3", "Dataset Management succeeds, as reported by ONCS",
        SubmissionEntry(
          opcode: NVMOpcode.datasetManagement.rawValue, id: 0, namespaceID: namespace.id,
          prp1: range, words: [0, 4]), on: 1, ends: .success)
      let after = readBack()
      require(
        "deallocate-read", "NVM 3.3.3.2.1", "deallocated blocks read as all 0, all 1 or unchanged",
        after.allSatisfy { $0 == 0 } || after.allSatisfy { $0 == 0xff }, "other bytes")
    }
    let compare = commands & 1 != 0
    require(
      "compare", "NVM 3.3.1", "Compare is supported if ONCS reports it",
      command(.compare, namespace, bytes: 4096, prp1: source.prp1), on: 1,
      ends: compare ? .success : .invalidOpcode)
  }

  private func examineIORefusals(_ namespace: Examined) {
    let place = page(2)
    require(
      "io-opcode", "Base 4.2.3.1", "an opcode that does not exist is refused",
      command(NVMOpcode(rawValue: 0x7e), namespace), on: 1, ends: .invalidOpcode)
    var missing = namespace
    missing.id = controller[.namespaces] &+ 1
    require(
      "io-namespace", "Base 3.2.1.2", "an NSID that is not valid is refused",
      command(.read, missing, bytes: 512, prp1: place), on: 1, ends: .invalidNamespace)
    for (name, opcode) in [("read", NVMOpcode.read), ("write", .write)] {
      require(
        "\(name)-range", "NVM 3.3", "a \(name) beyond the last block is out of range",
        command(
          opcode, namespace, first: namespace.blocks, bytes: namespace.blockSize, prp1: place),
        on: 1, ends: .lbaOutOfRange)
    }
    if controller[.maximumTransfer] != 0, controller[.maximumTransfer] < 12 {
      let count = (4096 << Int(controller[.maximumTransfer])) + 4096
      if count / namespace.blockSize <= 0x1_0000 {
        require(
          "mdts", "Base 5.1.13.2.1", "a transfer of more than MDTS is an invalid field",
          command(.read, namespace, bytes: count, prp1: place, prp2: page()), on: 1,
          ends: .invalidField)
      }
    }
    require(
      "prp1-dword", "Base 4.3.1", "PRP1 must be a multiple of four",
      command(.read, namespace, bytes: 4096, prp1: place + 2, prp2: page()), on: 1,
      ends: .invalidPRPOffset, .invalidField)
    require(
      "prp2-offset", "Base 4.3.1", "PRP2 of two pages has no offset",
      command(.read, namespace, bytes: 8192, prp1: place, prp2: page() + 0x10), on: 1,
      ends: .invalidPRPOffset)
    require(
      "dma-nowhere", "Base 4.2.3.1", "a command whose data cannot be transferred fails",
      command(.write, namespace, bytes: 4096, prp1: 0x7fff_ffff_0000), on: 1,
      ends: .dataTransferError)
  }

  private func examineInterrupts(_ namespace: Examined) {
    let vector = vectors > 1 ? 1 : 0
    let before = interrupts[vector, default: 0]
    _ = run(command(.flush, namespace), on: 1)
    clock.wait(milliseconds: 20)
    require(
      "interrupt", "PCIe 3.5.1.1", "a completion interrupts its queue's vector",
      interrupts[vector, default: 0] > before, "it did not")
  }

  /// Forty times a queue's entries: each command ends once, and the phase turns with each pass.
  private func examineWrapping(_ namespace: Examined) {
    let batch = Int(queues[1].depth) - 1
    var ended = 0
    for _ in 0..<40 {
      var ids: Set<UInt16> = []
      for _ in 0..<batch {
        if let id = try? start(command(.flush, namespace), on: 1) { ids.insert(id) }
      }
      while !ids.isEmpty, let entry = next(1) {
        if ids.remove(entry.commandID) != nil, entry.status.isSuccess { ended += 1 }
      }
    }
    clock.wait(milliseconds: 100)
    require(
      "wrapping", "Base 3.3.1.2", "every command completes once while the queues wrap around",
      ended == 40 * batch, "\(ended) of \(40 * batch)")
  }
}
