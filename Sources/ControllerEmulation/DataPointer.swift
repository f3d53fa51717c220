// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI

/// From a command's data pointer to pieces of host memory.
extension Controller {
  /// Fills ``segments`` for a command's data.
  /// - Returns: the status of the command; ``Status/success`` without an error.
  mutating func parseDataPointer(_ command: SubmissionEntry, count: Int) -> Status {
    segments.removeAll(keepingCapacity: true)
    guard count <= model.maximumTransfer else { return Status.invalidField }
    if command.usesSGL {
      return B.parseSGL(&self, command, count)
    }
    let first = PRP(rawValue: command.prp1)
    guard first.isDwordAligned else { return Status.invalidPRPOffset }
    return parsePRP(first, command.prp2, count)
  }

  // MARK: PRP

  /// - Source: NVM Express Base 2.1, 4.3.1; the drivers' own rules: nvmet_pci_epf.md, 12; pci_epf_nvme.md, 12.4.
  private mutating func parsePRP(_ entry: PRP, _ prp2: UInt64, _ count: Int) -> Status {
    let page = pageSize
    let prp1 = entry.rawValue
    let first = entry.count(of: UInt64(count), pageSize: page)
    let rest = UInt64(count) - first
    if UInt64(count) + entry.offset(pageSize: page) <= B.directBytes(pageSize: page) {
      segments.append(Segment(address: prp1, count: Int(first)))
      guard rest > 0 else { return Status.success }
      if !B.acceptsZeroPRPs, prp2 == 0 { return Status.invalidField }
      guard prp2 & (page - 1) == 0 else { return Status.invalidPRPOffset }
      append(prp2, Int(rest))
      return Status.success
    }
    if !B.acceptsZeroPRPs, prp1 == 0 || prp2 == 0 {
      B.logList(&self, "invalid field")
      return Status.invalidField
    }
    if let refusal = B.refuseList(&self, entry, count: count, rest: rest) { return refusal }
    segments.append(Segment(address: prp1, count: Int(first)))
    return parseList(prp2, rest)
  }

  private mutating func parseList(_ start: UInt64, _ bytes: UInt64) -> Status {
    // A power of two: masks and shifts, since a division costs more than all the rest.
    let page = pageSize
    let mask = page - 1
    let shift = UInt64(page.trailingZeroBitCount)
    var list = start
    var rest = bytes
    var lists = 0
    // The piece that grows; those before it are in ``segments``.
    var piece = segments.removeLast()
    defer { segments.append(piece) }
    guard list & 7 == 0 || !B.checksListAlignment else { return Status.invalidPRPOffset }
    while rest > 0 {
      let needed = (rest + mask) >> shift
      let room = PRP(rawValue: list).listCapacity(pageSize: page)
      let entries = min(needed, max(room, 1))
      let isRead = readList(list, Int(clamping: entries))
      // Contiguous pages, as in most buffers: one comparison each. The last entry is left for the rules below.
      let run =
        isRead
        ? pagesInARow(from: piece.address &+ UInt64(piece.count), Int(entries) - 1) : 0
      piece.count += run << Int(shift)
      rest -= UInt64(run) << shift
      for index in UInt64(run)..<entries {
        guard
          let entry = isRead
            ? unsafe UInt64(littleEndian: pageList[Int(index)])
            : try? memory.load(at: list &+ 8 * index, as: UInt64.self)
        else {
          B.logList(&self, "internal error")
          return B.unreadableList
        }
        if !B.acceptsZeroPRPs, entry == 0 {
          B.logList(&self, "invalid field")
          return Status.invalidField
        }
        // The last entry of a list is a pointer to the next one when more than a page is left.
        if index == entries - 1, rest > page {
          guard entry & 7 == 0 || !B.checksListAlignment else {
            return Status.invalidPRPOffset
          }
          // Lists that only point to each other describe no data, and would be followed forever.
          lists += 1
          guard lists <= segments.capacity + 64 else { return Status.invalidField }
          list = entry
          break
        }
        guard entry & mask == 0 else {
          B.logList(&self, "invalid offset")
          return Status.invalidPRPOffset
        }
        let count = min(rest, page)
        if piece.address &+ UInt64(piece.count) == entry {
          piece.count += Int(count)
        } else {
          segments.append(piece)
          piece = Segment(address: entry, count: Int(count))
        }
        rest -= count
      }
    }
    return Status.success
  }

  /// The number of leading entries of the list that are contiguous pages from an address on.
  private func pagesInARow(from address: UInt64, _ entries: Int) -> Int {
    // The rules handle an address within a page, zero, and possible wraps.
    guard address & (pageSize - 1) == 0, address != 0, address <= UInt64.max >> 1 else { return 0 }
    var next = address
    var index = 0
    while index < entries, unsafe UInt64(littleEndian: pageList[index]) == next {
      next += pageSize
      index += 1
    }
    return index
  }

  /// Reads entries at once; on failure, one by one to find the invalid one.
  private func readList(_ address: UInt64, _ entries: Int) -> Bool {
    guard unsafe entries <= pageList.count else { return false }
    let bytes = unsafe UnsafeMutableRawBufferPointer(
      start: pageList.baseAddress, count: 8 * entries)
    return unsafe (try? memory.read(at: address, into: bytes)) != nil
  }

  /// Adds a piece, to the one before where it follows that.
  private mutating func append(_ address: UInt64, _ count: Int) {
    if let last = segments.last, last.address &+ UInt64(last.count) == address {
      segments[segments.count - 1].count += count
    } else {
      segments.append(Segment(address: address, count: count))
    }
  }

  // MARK: SGL

  /// - Source: NVM Express Base 2.1, 4.3.2.
  mutating func parseSGL(_ command: SubmissionEntry, _ count: Int) -> Status {
    var descriptor = SGLDescriptor(low: command.prp1, high: command.prp2)
    var total = 0
    var lists = 0
    while true {
      // No other subtype is of host memory.
      guard descriptor.subtype == .address else { return Status.invalidSGLType }
      let length = Int(descriptor.length)
      switch descriptor.type {
      case .dataBlock:
        guard length > 0 else { return finishSGL(total, count) }
        segments.append(Segment(address: descriptor.address, count: length))
        return finishSGL(total + length, count)
      case .segment, .lastSegment:
        // A chain that leads in a circle ends here; the data of one command fit in far fewer lists.
        lists += 1
        if let refusal = B.refuseSegment(&self, length: length, lists: lists) {
          return refusal
        }
        let size = SGLDescriptor.byteCount
        let isLast = B.endsAtLastSegment && descriptor.type == .lastSegment
        var next: SGLDescriptor?
        for offset in stride(from: 0, through: length - size, by: size) {
          let place = descriptor.address &+ UInt64(offset)
          guard let low = try? memory.load(at: place, as: UInt64.self),
            let high = try? memory.load(at: place &+ 8, as: UInt64.self)
          else {
            return B.unreadableList
          }
          let entry = SGLDescriptor(low: low, high: high)
          guard entry.subtype == .address else { return Status.invalidSGLType }
          switch entry.type {
          case .dataBlock:
            let bytes = Int(entry.length)
            if bytes > 0 { segments.append(Segment(address: entry.address, count: bytes)) }
            total += bytes
            guard total <= model.maximumTransfer else { return Status.invalidField }
          case .segment, .lastSegment:
            guard offset + 2 * size > length, !isLast else { return Status.invalidSGLType }
            next = entry
          default: return Status.invalidSGLType
          }
        }
        guard let next else { return finishSGL(total, count) }
        descriptor = next
      default: return Status.invalidSGLType
      }
    }
  }

  /// - Source: NVM Express Base 2.1, 4.3.2: a total that is too short is Data SGL Length Invalid.
  private mutating func finishSGL(_ total: Int, _ count: Int) -> Status {
    if let refusal = B.refuseLength(&self, total, for: count) { return refusal }
    guard total >= count else { return Status.invalidSGLLength }
    // Data beyond the command's length is not changed.
    var left = count
    for index in segments.indices {
      segments[index].count = min(segments[index].count, left)
      left -= segments[index].count
    }
    segments.removeAll { $0.count == 0 }
    return Status.success
  }

  // MARK: Transfers

  /// Transfers blocks between a store and the host, piece by piece. The caller has checked the range.
  func move(_ store: MemoryStore, at offset: UInt64, isWrite: Bool) -> Status {
    var offset = offset
    for segment in segments {
      let piece = unsafe store.bytes(at: offset, count: segment.count)
      do throws(HostMemoryError) {
        if isWrite {
          try unsafe memory.read(at: segment.address, into: piece)
        } else {
          try unsafe memory.write(at: segment.address, from: UnsafeRawBufferPointer(piece))
        }
      } catch { return Status.dataTransferError }
      offset += UInt64(segment.count)
    }
    return Status.success
  }

  /// Copies the first bytes of the buffer to the host.
  mutating func copyToHost() -> Status {
    if model.windows != nil, let refusal = B.refuseTransfer(&self) { return refusal }
    var offset = 0
    for segment in segments {
      let piece = unsafe UnsafeRawBufferPointer(rebasing: transfer[offset..<offset + segment.count])
      do { try unsafe memory.write(at: segment.address, from: piece) } catch {
        return Status.dataTransferError
      }
      offset += segment.count
    }
    return Status.success
  }

  /// Copies the host's bytes to the buffer.
  mutating func copyFromHost() -> Status {
    if model.windows != nil, let refusal = B.refuseTransfer(&self) { return refusal }
    var offset = 0
    for segment in segments {
      let piece = unsafe UnsafeMutableRawBufferPointer(
        rebasing: transfer[offset..<offset + segment.count])
      do { try unsafe memory.read(at: segment.address, into: piece) } catch {
        return Status.dataTransferError
      }
      offset += segment.count
    }
    return Status.success
  }
}
