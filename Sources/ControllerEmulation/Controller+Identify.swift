// SPDX-License-Identifier: Apache-2.0

/// Identify.
extension Controller {
  /// Fills the zeroed buffer.
  mutating func identify(_ command: Command) -> Outcome {
    let structure = UInt8(truncatingIfNeeded: command.cdw10)
    let commandSet = UInt8(truncatingIfNeeded: command.cdw11 >> 24)
    switch structure {
    case 0x00: return identifyNamespace(command.namespaceID)
    case 0x01:
      hasBeenIdentified = true
      identifyController()
      return .data(count: 4096)
    case 0x02: return namespaceList(after: command.namespaceID)
    case 0x03: return namespaceDescriptors(command.namespaceID)
    case 0x05 where model.personality != .pciEPFNVMe && commandSet == 0:
      return .data(count: 4096)
    case 0x06 where commandSet == 0: return .data(count: 4096)
    case 0x07 where model.personality != .pciEPFNVMe && commandSet == 0:
      return namespaceList(after: command.namespaceID)
    case 0x08 where model.personality != .pciEPFNVMe:
      return commandSetIndependentNamespace(command.namespaceID)
    case 0x1c where model.personality == .strict:
      put(1, width: 8, at: 0)
      return .data(count: 4096)
    default: return .failure(unsupported)
    }
  }

  /// Invalid Field in the words of who answers: 6.12's target without, newer ones with MORE.
  private var unsupported: UInt16 {
    model.personality == .nvmetPCIEPF ? Answer.invalidField | Answer.more : Answer.invalidField
  }

  private var noSuchNamespace: UInt16 {
    model.personality == .nvmetPCIEPF
      ? Answer.invalidNamespace | Answer.more : Answer.invalidNamespace
  }

  // MARK: The buffer

  /// Writes a little-endian number.
  func put(_ value: UInt64, width: Int, at offset: Int) {
    for index in 0..<width {
      unsafe transfer[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
    }
  }

  /// Writes text, padded.
  private func put(_ text: String, width: Int, at offset: Int, padding: UInt8 = 0x20) {
    var bytes = text.utf8.makeIterator()
    for index in 0..<width { unsafe transfer[offset + index] = bytes.next() ?? padding }
  }

  private func put(_ bytes: [UInt8], at offset: Int) {
    for (index, byte) in bytes.enumerated() { unsafe transfer[offset + index] = byte }
  }

  // MARK: Controller

  /// log2 of the largest transfer in pages of CAP.MPSMIN.
  private var transferField: UInt8 {
    let exponent = model.maximumTransfer.trailingZeroBitCount - 12
    // Less than a page wraps in both drivers; a strict controller has no such limit.
    return UInt8(truncatingIfNeeded: exponent)
  }

  /// - Source: NVM Express Base 2.1, figure 312; values of nvmet in the fact sheets.
  private func identifyController() {
    let isSeed = model.personality == .pciEPFNVMe
    put(UInt64(model.vendorID), width: 2, at: 0)
    // The older driver copies the vendor ID.
    put(UInt64(isSeed ? model.vendorID : model.subsystemVendorID), width: 2, at: 2)
    put(model.serial, width: 20, at: 4)
    put(model.modelNumber, width: 40, at: 24)
    put(model.firmware, width: 8, at: 64)
    put(6, width: 1, at: 72)
    put(UInt64(model.organization), width: 3, at: 73)
    put(model.personality == .nvmetPCIEPF ? 0x0b : 0, width: 1, at: 76)
    put(UInt64(transferField), width: 1, at: 77)
    put(UInt64(model.controllerID), width: 2, at: 78)
    put(UInt64(model.version), width: 4, at: 80)
    put(model.personality == .strict ? 0x100 : 0x900, width: 4, at: 92)
    put(
      model.personality == .nvmetPCIEPF ? 0x40041 : isSeed ? 0x41 : 0x01, width: 4, at: 96)
    put(1, width: 1, at: 111)
    put(3, width: 1, at: 258)
    put(3, width: 1, at: 259)
    put(3, width: 1, at: 260)
    put(model.personality == .strict ? 6 : 7, width: 1, at: 261)
    put(127, width: 1, at: 262)
    if model.personality != .strict {
      put(10, width: 2, at: 320)
      put(10, width: 1, at: 342)
      put(0x1f, width: 1, at: 343)
      put(128, width: 4, at: 344)
      put(128, width: 4, at: 348)
    }
    if model.personality == .nvmetPCIEPF { put(1024, width: 2, at: 340) }
    put(0x66, width: 1, at: 512)
    put(0x44, width: 1, at: 513)
    if model.personality != .strict { put(UInt64(model.maximumQueueEntries), width: 2, at: 514) }
    put(1024, width: 4, at: 516)
    put(model.personality == .nvmetPCIEPF ? 0x2c : 0x0c, width: 2, at: 520)
    put(1, width: 1, at: 525)
    if model.personality == .nvmetPCIEPF { put(1, width: 1, at: 531) }
    if !isSeed { put(1, width: 4, at: 536) }
    if model.personality != .strict { put(1024, width: 4, at: 540) }
    put(model.nqn, width: min(model.nqn.utf8.count, 223), at: 768, padding: 0)
    if model.personality != .strict {
      put(4, width: 4, at: 1792)
      put(1, width: 4, at: 1796)
    }
    put(2500, width: 2, at: 2048)
    put(16, width: 4, at: 2052)
    put(4, width: 4, at: 2056)
  }

  // MARK: Namespaces

  func namespace(_ id: UInt32) -> Namespace? { model.namespaces.first { $0.id == id } }

  /// - Source: NVM Command Set 1.0, figure 97.
  private mutating func identifyNamespace(_ id: UInt32) -> Outcome {
    guard id != 0xffff_ffff else { return .failure(noSuchNamespace) }
    // NN is 1024: what is beyond is no namespace ID. nvmet looks only whether there is one.
    if model.personality == .strict, id > 1024 { return .failure(noSuchNamespace) }
    guard let space = namespace(id), space.isEnabled else {
      // Not there: all zero.
      return id == 0 ? .failure(noSuchNamespace) : .data(count: 4096)
    }
    put(space.blocks, width: 8, at: 0)
    put(space.blocks, width: 8, at: 8)
    put(space.blocks, width: 8, at: 16)
    let isBlock = !space.isFile
    let isMainline = model.personality == .nvmetPCIEPF
    put(
      isMainline && isBlock ? 0x32 : isBlock && model.personality == .pciEPFNVMe ? 2 : 0, width: 1,
      at: 24)
    put(model.personality == .strict ? 0 : 1, width: 1, at: 30)
    put(UInt64(space.anaGroup), width: 4, at: 92)
    put(space.isReadOnly ? 1 : 0, width: 1, at: 99)
    if isMainline { put(UInt64(id), width: 2, at: 102) }
    put(space.nguid, at: 104)
    put(UInt64(space.blockShift), width: 1, at: 130)
    return .data(count: 4096)
  }

  private func namespaceList(after id: UInt32) -> Outcome {
    guard id < 0xffff_fffe else { return .failure(noSuchNamespace) }
    let ids = model.namespaces.filter { $0.isEnabled && $0.id > id }.map(\.id).sorted()
    for (index, id) in ids.prefix(1024).enumerated() { put(UInt64(id), width: 4, at: 4 * index) }
    return .data(count: 4096)
  }

  /// - Source: NVM Express Base 2.1, figure 315.
  private func namespaceDescriptors(_ id: UInt32) -> Outcome {
    guard let space = namespace(id) else { return .failure(noSuchNamespace) }
    guard space.isEnabled else {
      return .failure(model.personality == .nvmetPCIEPF ? 0x2300 : noSuchNamespace)
    }
    var offset = 0
    func add(_ type: UInt64, _ bytes: [UInt8]) {
      put(type, width: 1, at: offset)
      put(UInt64(bytes.count), width: 1, at: offset + 1)
      put(bytes, at: offset + 4)
      offset += 4 + bytes.count
    }
    if space.uuid.contains(where: { $0 != 0 }) { add(3, space.uuid) }
    if space.nguid.contains(where: { $0 != 0 }) { add(2, space.nguid) }
    add(4, [0])
    return .data(count: 4096)
  }

  /// - Source: NVM Express Base 2.1, figure 320.
  private func commandSetIndependentNamespace(_ id: UInt32) -> Outcome {
    guard let space = namespace(id), space.isEnabled else {
      return .failure(noSuchNamespace)
    }
    put(model.personality == .strict ? 0 : 1, width: 1, at: 1)
    put(UInt64(space.anaGroup), width: 4, at: 4)
    put(space.isReadOnly ? 1 : 0, width: 1, at: 8)
    // Ready.
    put(1, width: 1, at: 14)
    return .data(count: 4096)
  }
}
