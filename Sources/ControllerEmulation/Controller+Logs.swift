// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Get Log Page.
extension Controller {
  /// Fills the zeroed buffer with a page. Both targets ignore the offset.
  mutating func logPage(_ command: SubmissionEntry, count: Int) -> Outcome {
    guard model.behaviour == .reference else { return wholePage(command, count: count) }
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

  /// The lengths of the reference controller's pages.
  private static func bytes(in page: LogPageID) -> Int {
    switch page {
    case .supportedLogPages: 1024
    case .errorInformation: 64 * 128
    case .health, .firmwareSlots: 512
    default: 4096
    }
  }

  private mutating func wholePage(_ command: SubmissionEntry, count: Int) -> Outcome {
    let isMainline = model.behaviour == .nvmetPCIEPF
    func short(_ least: Int) -> Outcome? {
      isMainline && count < least ? .failure(.invalidSGLLength.withMore) : nil
    }
    switch command.logPage {
    case .supportedLogPages where model.behaviour != .pciEPFNVMe:
      if let failure = short(1024) { return failure }
      let pages: [Int] =
        isMainline ? [0, 1, 2, 3, 4, 5, 9, 0xc, 0x12, 0x16, 0x80] : [0, 1, 2, 3, 4, 5]
      for page in pages where 4 * page + 4 <= count { put(1, width: 4, at: 4 * page) }
    case .errorInformation:
      acknowledgeEvents(of: .errorInformation, by: command)
      if isMainline { putErrors() }
    case .health where isMainline:
      guard count == 512 else { return .failure(Status.internalError.retriable) }
      if let refusal = putHealth(command.namespaceID) { return .failure(refusal) }
    case .health:
      if model.behaviour == .reference, count >= 512 {
        // 300 K, all of the spare left, and its threshold.
        put(300, width: 2, at: 1)
        put(100, width: 1, at: 3)
        put(10, width: 1, at: 4)
      }
    case .firmwareSlots:
      if model.behaviour == .reference, count >= 16 {
        put(1, width: 1, at: 0)
        putFirmware(at: 8)
      }
    case .changedNamespaces:
      if isMainline, count != 4096 { return .failure(Status.internalError.retriable) }
      putChangedNamespaces(count)
      acknowledgeEvents(of: .changedNamespaces, by: command)
      // nvmet always clears the list; the specification keeps it with the event.
      if isMainline || !events.masked.contains(.changedNamespaces) {
        events.changedNamespaces = []
      }
    case .commandEffects:
      // CSI, CDW14 bits 31:24: the NVM and the zoned command set.
      if isMainline, command.cdw14 >> 24 != 0, command.cdw14 >> 24 != 2 {
        return .failure(.invalidLogPage.retriable)
      }
      if let failure = short(4096) { return failure }
      if has(.effectsLogOverrun), count < 24 {
        diagnose(
          // pci_epf_nvme.md, 13, Q11
          "pci_epf_nvme: effects log",
          "an effects log of \(count) bytes: the driver edits the first 24 and writes past its buffer"
        )
      }
      putEffects(count)
    case .enduranceGroup where isMainline:
      let index = index(of: command.cdw11 >> 16)
      if let refusal = refuseNamespace(index) { return .failure(refusal) }
      if let failure = short(512) { return failure }
      if !model.namespaces[index].isFile {
        put(usage[index].unitsRead, width: 8, at: 48)
        put(usage[index].unitsWritten, width: 8, at: 64)
        put(usage[index].reads, width: 8, at: 96)
        put(usage[index].writes, width: 8, at: 112)
      }
    case .namespaceAccess where isMainline:
      if let failure = short(16) { return failure }
      putAccess(isShort: command.cdw10 >> 8 & 1 != 0)
    case .namespaceAccess where model.behaviour == .pciEPFNVMe: putGroups(command, count)
    case .featureEffects where isMainline:
      if let failure = short(1024) { return failure }
      for feature in [0x07, 0x0b, 0x0f, 0x81] { put(0x20_0001, width: 4, at: 4 * feature) }
      for feature in [0x82, 0x84] { put(0x10_0001, width: 4, at: 4 * feature) }
    case .rotationalMedia where isMainline:
      if let refusal = refuseNamespace(index(of: command.cdw11 >> 16)) { return .failure(refusal) }
      // There is no rotational medium.
      return .failure(.invalidField)
    // Nothing has been reserved.
    case .reservationNotification where isMainline: break
    default:
      return .failure(
        isMainline
          ? Status.invalidField.withMore
          : model.behaviour == .reference ? Status.invalidLogPage : Status.invalidField)
    }
    return .data(count: count)
  }

  private func putFirmware(at offset: Int) {
    var bytes = model.firmware.utf8.makeIterator()
    for index in 0..<8 { unsafe transfer[offset + index] = bytes.next() ?? 0x20 }
  }

  /// The changed namespaces, in rising order where the specification is followed; more than 1024 are one entry of FFFFFFFFh.
  /// - Source: NVM Express Base 2.1, 5.1.12.1.5.
  private func putChangedNamespaces(_ count: Int) {
    let changed = events.changedNamespaces
    guard changed.count <= 1024 else { return put(0xffff_ffff, width: 4, at: 0) }
    let ids = model.behaviour == .reference ? changed.sorted() : changed
    for (index, id) in ids.prefix(count / 4).enumerated() {
      put(UInt64(id), width: 4, at: 4 * index)
    }
  }

  /// Error Information: the buffer has room for all entries, independent of the requested length.
  private func putErrors() {
    errorLog.forEach { index, entry in
      put(entry.count, width: 8, at: 64 * index)
      put(UInt64(entry.queue), width: 2, at: 64 * index + 8)
      put(UInt64(entry.command), width: 2, at: 64 * index + 10)
      put(UInt64(entry.status), width: 2, at: 64 * index + 12)
      put(UInt64(entry.location), width: 2, at: 64 * index + 14)
      put(entry.block, width: 8, at: 64 * index + 16)
      put(UInt64(entry.namespace), width: 4, at: 64 * index + 24)
    }
  }

  /// SMART: the statistics of one block device or of all; files have none.
  private func putHealth(_ id: UInt32) -> Status? {
    var total = NamespaceUsage(isWriteProtected: false)
    var units = (read: UInt64(0), written: UInt64(0))
    if id != .max, let refusal = refuseNamespace(index(of: id)) { return refusal }
    for (index, space) in model.namespaces.enumerated()
    where !space.isFile && (id == .max ? space.isEnabled : space.id == id) {
      total.reads += usage[index].reads
      total.writes += usage[index].writes
      units.read += usage[index].unitsRead
      units.written += usage[index].unitsWritten
    }
    put(units.read, width: 8, at: 32)
    put(units.written, width: 8, at: 48)
    put(total.reads, width: 8, at: 64)
    put(total.writes, width: 8, at: 80)
    put(errorLog.count, width: 8, at: 176)
    return nil
  }

  /// Asymmetric Namespace Access of the target of `nvmet_pci_epf`: group 1 always, others with their first namespace. The log is truncated
  /// to the host's buffer.
  private func putAccess(isShort: Bool) {
    let groups = Set(model.namespaces.map(\.anaGroup)).union([1]).sorted()
    put(UInt64(groups.count), width: 2, at: 8)
    var offset = 16
    for group in groups {
      let members = model.namespaces.filter { $0.anaGroup == group }
      let ids = isShort ? [] : members.filter(\.isEnabled).map(\.id)
      unsafe UnsafeMutableRawBufferPointer(
        rebasing: transfer[offset..<offset + 32 + 4 * ids.count]
      ).zero()
      put(UInt64(group), width: 4, at: offset)
      put(UInt64(ids.count), width: 4, at: offset + 4)
      let state = members.first?.accessState ?? .optimized
      put(UInt64(state.rawValue), width: 1, at: offset + 16)
      for (index, id) in ids.enumerated() { put(UInt64(id), width: 4, at: offset + 32 + 4 * index) }
      offset += 32 + 4 * ids.count
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
    let isMainline = model.behaviour == .nvmetPCIEPF
    let admin = [0x02, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x00, 0x01, 0x04, 0x05]
    put(admin + (isMainline ? [0x18] : []), plain, at: 0)
    if model.behaviour == .reference, model.offersDoorbellBuffers { put([0x7c], plain, at: 0) }
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
