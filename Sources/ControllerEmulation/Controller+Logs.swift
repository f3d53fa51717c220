// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Get Log Page.
extension Controller {
  /// Fills the zeroed buffer with a page. Both targets begin at its beginning, whatever offset the host asks for.
  mutating func logPage(_ command: SubmissionEntry, count: Int) -> Outcome {
    guard model.personality == .strict else { return wholePage(command, count: count) }
    let offset = UInt64(command.cdw12) | UInt64(command.cdw13) << 32
    let size = Self.bytes(in: command.logPage)
    guard offset & 3 == 0, offset <= UInt64(size) else { return .failure(.invalidField) }
    guard offset > 0 else { return wholePage(command, count: count) }
    unsafe UnsafeMutableRawBufferPointer(rebasing: transfer[..<max(size, count)]).zero()
    if case .done(let status, _) = wholePage(command, count: size) { return .failure(status) }
    let start = Int(offset)
    for index in 0..<count {
      unsafe transfer[index] = start + index < size ? transfer[start + index] : 0
    }
    return .data(count: count)
  }

  /// How long the pages of a strict controller are.
  private static func bytes(in page: LogPageID) -> Int {
    switch page {
    case .supportedLogPages: 1024
    case .errorInformation: 64 * 128
    case .health, .firmwareSlots: 512
    default: 4096
    }
  }

  private mutating func wholePage(_ command: SubmissionEntry, count: Int) -> Outcome {
    let isMainline = model.personality == .nvmetPCIEPF
    func short(_ least: Int) -> Outcome? {
      isMainline && count < least ? .failure(.invalidSGLLength.withMore) : nil
    }
    switch command.logPage {
    case .supportedLogPages where model.personality != .pciEPFNVMe:
      if let failure = short(1024) { return failure }
      let pages: [Int] =
        isMainline ? [0, 1, 2, 3, 4, 5, 9, 0xc, 0x12, 0x16, 0x80] : [0, 1, 2, 3, 4, 5]
      for page in pages where 4 * page + 4 <= count { put(1, width: 4, at: 4 * page) }
    case .errorInformation:
      acknowledgeEvents(of: .errorInformation, by: command)
    case .health:
      if isMainline, count != 512 { return .failure(Status.internalError.retriable) }
      if model.personality == .strict, count >= 512 {
        // 300 K, all of the spare left, and its threshold.
        put(300, width: 2, at: 1)
        put(100, width: 1, at: 3)
        put(10, width: 1, at: 4)
      }
    case .firmwareSlots:
      if model.personality == .strict, count >= 16 {
        put(1, width: 1, at: 0)
        putFirmware(at: 8)
      }
    case .changedNamespaces:
      if isMainline, count != 4096 { return .failure(Status.internalError.retriable) }
      putChangedNamespaces(count)
      // nvmet does not look at RAE here.
      if isMainline || command.cdw10 >> 15 & 1 == 0 {
        events.changedNamespaces = []
        events.masked.remove(.changedNamespaces)
      }
    case .commandEffects:
      if let failure = short(4096) { return failure }
      if model.personality == .pciEPFNVMe, count < 24 {
        diagnose(
          "pci_epf_nvme Q11",
          "an effects log of \(count) bytes: the driver edits the first 24 and writes past its buffer"
        )
      }
      putEffects(count)
    case .namespaceAccess where model.personality != .strict: putGroups(command, count)
    case .enduranceGroup where isMainline:
      if let failure = short(512) { return failure }
      // A group is a namespace, named by the log specific identifier.
      let group = command.cdw11 >> 16
      guard model.namespaces.contains(where: { $0.id == group }) else {
        return .failure(noSuchNamespace)
      }
    case .rotationalMedia where isMainline: return .failure(.invalidField)
    case .featureEffects where isMainline:
      if let failure = short(1024) { return failure }
      for feature in [0x07, 0x0b, 0x0f, 0x81] { put(0x20_0001, width: 4, at: 4 * feature) }
      for feature in [0x82, 0x84] { put(0x10_0001, width: 4, at: 4 * feature) }
    default:
      return .failure(
        isMainline
          ? Status.invalidField.withMore
          : model.personality == .strict ? Status.invalidLogPage : Status.invalidField)
    }
    return .data(count: count)
  }

  private func putFirmware(at offset: Int) {
    var bytes = model.firmware.utf8.makeIterator()
    for index in 0..<8 { unsafe transfer[offset + index] = bytes.next() ?? 0x20 }
  }

  /// The changed namespaces in rising order; more than 1024 are one entry of FFFFFFFFh.
  /// - Source: NVM Express Base 2.1, 5.1.12.1.5.
  private func putChangedNamespaces(_ count: Int) {
    guard events.changedNamespaces.count <= 1024 else { return put(0xffff_ffff, width: 4, at: 0) }
    for (index, id) in events.changedNamespaces.sorted().prefix(count / 4).enumerated() {
      put(UInt64(id), width: 4, at: 4 * index)
    }
  }

  /// Commands Supported and Effects.
  private func putEffects(_ count: Int) {
    func put(_ opcodes: [Int], _ effects: CommandEffects, at start: Int) {
      for index in opcodes.map({ start + $0 }) where 4 * index + 4 <= count {
        self.put(UInt64(effects.rawValue), width: 4, at: 4 * index)
      }
    }
    var plain = CommandEffects()
    plain[.isSupported] = true
    var changing = plain
    changing[.changesBlocks] = true
    let isMainline = model.personality == .nvmetPCIEPF
    let admin = [0x02, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x00, 0x01, 0x04, 0x05]
    put(admin + (isMainline ? [0x18] : []), plain, at: 0)
    let reservations = isMainline ? [0x0d, 0x0e, 0x11, 0x15] : []
    put([0x00, 0x02] + reservations, plain, at: 256)
    // Write and Write Zeroes change the contents of blocks; nvmet forgets it of Dataset Management.
    put([0x01, 0x08], changing, at: 256)
    put([0x09], isMainline ? plain : changing, at: 256)
  }

  /// Asymmetric Namespace Access: every group that a namespace is in, optimised.
  private func putGroups(_ command: SubmissionEntry, _ count: Int) {
    let groups = Set(model.namespaces.filter(\.isEnabled).map(\.anaGroup)).sorted()
    let isShort = command.cdw10 >> 8 & 1 != 0
    guard count >= 16 else { return }
    put(UInt64(groups.count), width: 2, at: 8)
    var offset = 16
    for group in groups {
      let ids =
        isShort ? [] : model.namespaces.filter { $0.isEnabled && $0.anaGroup == group }.map(\.id)
      guard offset + 32 + 4 * ids.count <= count else { return }
      put(UInt64(group), width: 4, at: offset)
      put(UInt64(ids.count), width: 4, at: offset + 4)
      put(UInt64(NamespaceAccessState.optimized.rawValue), width: 1, at: offset + 16)
      for (index, id) in ids.enumerated() { put(UInt64(id), width: 4, at: offset + 32 + 4 * index) }
      offset += 32 + 4 * ids.count
    }
  }
}
