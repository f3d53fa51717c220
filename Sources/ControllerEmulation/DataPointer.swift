// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI

/// From a command's data pointer to pieces of host memory.
extension Controller {
  /// Fills ``segments`` for a command's data.
  /// - Returns: the status to answer; ``Status/success`` when all is well.
  mutating func parseDataPointer(_ command: SubmissionEntry, count: Int) -> Status {
    segments.removeAll(keepingCapacity: true)
    guard count <= model.maximumTransfer else { return Status.invalidField }
    if command.usesSGL {
      return model.personality == .pciEPFNVMe ? Status.invalidField : parseSGL(command, count)
    }
    guard command.prp1 & 3 == 0 else { return Status.invalidPRPOffset }
    return parsePRP(command.prp1, command.prp2, count)
  }

  // MARK: PRP

  /// - Source: NVM Express Base 2.1, 4.3.1; the drivers' own rules in the fact sheets, §12.
  private mutating func parsePRP(_ prp1: UInt64, _ prp2: UInt64, _ count: Int) -> Status {
    let page = pageSize
    let first = min(UInt64(count), page - prp1 & (page - 1))
    let rest = UInt64(count) - first
    // pci_epf_nvme has 4 KiB here, whatever CC.MPS says.
    let twoPages = model.personality == .pciEPFNVMe ? 8192 : 2 * page
    let isDirect = UInt64(count) + prp1 & (page - 1) <= twoPages
    if isDirect {
      segments.append(Segment(address: prp1, count: Int(first)))
      guard rest > 0 else { return Status.success }
      if model.personality != .strict, prp2 == 0 { return Status.invalidField }
      guard prp2 & (page - 1) == 0 else { return Status.invalidPRPOffset }
      append(prp2, Int(rest))
      return Status.success
    }
    if model.personality != .strict, prp1 == 0 || prp2 == 0 {
      if model.personality == .nvmetPCIEPF { log(.error, "PRPs list invalid field") }
      return Status.invalidField
    }
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
    guard list & 7 == 0 || model.personality != .strict else { return Status.invalidPRPOffset }
    while rest > 0 {
      let needed = (rest + mask) >> shift
      let room = (page - list & mask) / 8
      let entries = min(needed, max(room, 1))
      let isRead = readList(list, Int(clamping: entries))
      // Pages in a row, as most buffers are: nothing but a comparison each. The last entry is left for the rules below.
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
          if model.personality == .nvmetPCIEPF { log(.error, "PRPs list internal error") }
          return model.personality == .strict ? Status.dataTransferError : Status.internalError
        }
        if model.personality != .strict, entry == 0 {
          if model.personality == .nvmetPCIEPF { log(.error, "PRPs list invalid field") }
          return Status.invalidField
        }
        // The last entry of a list is a pointer to the next one when more than a page is left.
        if index == entries - 1, rest > page {
          guard entry & 7 == 0 || model.personality != .strict else {
            return Status.invalidPRPOffset
          }
          // Lists that only lead to each other describe nothing, and would be followed for ever.
          lists += 1
          guard lists <= segments.capacity + 64 else { return Status.invalidField }
          list = entry
          break
        }
        guard entry & mask == 0 else {
          if model.personality == .nvmetPCIEPF { log(.error, "PRPs list invalid offset") }
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

  /// How many of the first entries of the list are the pages from an address on.
  private func pagesInARow(from address: UInt64, _ entries: Int) -> Int {
    // An address within a page, zero, and what may wrap are for the rules.
    guard address & (pageSize - 1) == 0, address != 0, address <= UInt64.max >> 1 else { return 0 }
    var next = address
    var index = 0
    while index < entries, unsafe UInt64(littleEndian: pageList[index]) == next {
      next += pageSize
      index += 1
    }
    return index
  }

  /// Reads entries at once; one by one finds out which of them cannot be.
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
  private mutating func parseSGL(_ command: SubmissionEntry, _ count: Int) -> Status {
    var address = command.prp1
    var length = UInt64(UInt32(truncatingIfNeeded: command.prp2))
    var type = UInt8(truncatingIfNeeded: command.prp2 >> 56)
    var total = 0
    var lists = 0
    while true {
      switch type {
      case 0x00:
        guard length > 0 else { return finishSGL(total, count) }
        segments.append(Segment(address: address, count: Int(length)))
        return finishSGL(total + Int(length), count)
      case 0x20, 0x30:
        // A chain that leads in a circle ends here; the data of one command fit in far fewer lists.
        lists += 1
        let isStrict = model.personality == .strict
        guard length >= 16, length % 16 == 0 || !isStrict, lists <= 64 else {
          return isStrict ? Status.invalidField : Status.internalError
        }
        // The driver takes both kinds of segment for the same.
        let isLast = isStrict && type == 0x30
        var chain: (UInt64, UInt64, UInt8)?
        for index in 0..<length / 16 {
          let place = address &+ 16 * index
          guard let where_ = try? memory.load(at: place, as: UInt64.self),
            let what = try? memory.load(at: place &+ 8, as: UInt64.self)
          else {
            return model.personality == .strict ? Status.dataTransferError : Status.internalError
          }
          let kind = UInt8(truncatingIfNeeded: what >> 56)
          let size = Int(UInt32(truncatingIfNeeded: what))
          if kind == 0x00 {
            if size > 0 { segments.append(Segment(address: where_, count: size)) }
            total += size
            guard total <= model.maximumTransfer else { return Status.invalidField }
          } else if index == length / 16 - 1, !isLast, kind == 0x20 || kind == 0x30 {
            chain = (where_, UInt64(UInt32(truncatingIfNeeded: what)), kind)
          } else {
            return Status.invalidSGLType
          }
        }
        guard let next = chain else { return finishSGL(total, count) }
        (address, length, type) = next
      default: return Status.invalidSGLType
      }
    }
  }

  /// - Source: NVM Express Base 2.1, 4.3.2: a total that is too short is Data SGL Length Invalid.
  private mutating func finishSGL(_ total: Int, _ count: Int) -> Status {
    if total != count, model.personality == .nvmetPCIEPF, has(.transferFailureSucceeds) {
      diagnose(
        "nvmet_pci_epf §12",
        "an SGL of \(total) bytes for \(count): the driver does not compare, and moves what the SGL says"
      )
      return Status.invalidSGLLength
    }
    guard total >= count else { return Status.invalidSGLLength }
    // What is beyond the command's length stays untouched.
    var left = count
    for index in segments.indices {
      segments[index].count = min(segments[index].count, left)
      left -= segments[index].count
    }
    segments.removeAll { $0.count == 0 }
    return Status.success
  }

  // MARK: Transfers

  /// Moves the blocks of a store from or to the host, piece by piece. The caller has checked that they lie inside.
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
    if model.windows != nil, let refusal = refuseTransfer() { return refusal }
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
    if model.windows != nil, let refusal = refuseTransfer() { return refusal }
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
