// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import PCI

/// The guest's memory as announced by the client: regions that are mapped here, and regions that are accessed by messages.
@safe final class GuestMaps {
  @safe private struct Piece {
    var count: Int
    /// Nil when messages reach it.
    var start: UnsafeMutableRawPointer?
    var isWritable: Bool
  }

  private let memory: HostMemory
  private var pieces: [UInt64: Piece] = [:]
  /// Mappings that work in progress may still access.
  private var retired: [Piece] = []
  /// The number of regions that are accessed by messages. ROM does not count: QEMU announces its firmware without a descriptor, and queues
  /// or data in it are not supported.
  private(set) var remoteCount = 0

  /// At most so many pieces.
  let limit: Int

  /// The share of one client among several at a time: together, they cannot use up what the process can map.
  static func limit(among clients: Int) -> Int {
    min(Int(EPFNVME_GUEST_MAPPINGS), Int(EPFNVME_GUARDED_MAPPINGS) / clients)
  }
  /// Addresses, lengths and offsets are multiples of this.
  static let pageSize: UInt64 = 4096

  init(_ memory: HostMemory, limit: Int = limit(among: 1)) {
    self.memory = memory
    self.limit = limit
  }

  deinit {
    removeAll()
    releaseRetired()
  }

  /// - Throws: EINVAL for an invalid region, EEXIST for an overlap, ENOSPC for too many regions; errors of `mmap`.
  func add(_ request: DMAMap, descriptor: OpenDescriptor? = nil) throws(Refusal) {
    let page = Self.pageSize
    guard !request.access.isEmpty, request.count > 0, request.count <= UInt64(Int.max),
      request.address % page == 0, request.count % page == 0, request.offset % page == 0
    else { throw Refusal(EINVAL) }
    guard pieces.count < limit else { throw Refusal(ENOSPC) }
    let count = Int(request.count)
    guard let descriptor else {
      do { try memory.addRemote(at: request.address, count: count, access: request.access) } catch {
        throw refusal(error)
      }
      let isWritable = request.access.contains(.write)
      unsafe pieces[request.address] = Piece(count: count, start: nil, isWritable: isWritable)
      if isWritable { remoteCount += 1 }
      return
    }
    var start: UnsafeMutableRawPointer?
    let status = unsafe epfnvme_map_guest_memory(
      descriptor.number, request.offset, request.count, request.access.contains(.write) ? 1 : 0,
      &start)
    guard status == 0 else { throw Refusal(-status) }
    let piece = unsafe Piece(
      count: count, start: start, isWritable: request.access.contains(.write))
    do {
      try unsafe memory.add(
        at: request.address, backing: UnsafeMutableRawBufferPointer(start: start, count: count),
        access: request.access)
    } catch {
      release(piece)
      throw refusal(error)
    }
    pieces[request.address] = piece
  }

  /// - Throws: EINVAL for less or more than one region, ENOENT if there is none.
  func remove(at address: UInt64, count: UInt64) throws(Refusal) {
    guard let piece = pieces[address] else { throw Refusal(ENOENT) }
    guard UInt64(piece.count) == count else { throw Refusal(EINVAL) }
    remove(piece, at: address)
  }

  func removeAll() {
    for (address, piece) in pieces { remove(piece, at: address) }
  }

  private func remove(_ piece: Piece, at address: UInt64) {
    // It exists: mappings and regions are added and removed together.
    try? memory.remove(at: address, count: piece.count)
    pieces[address] = nil
    if unsafe piece.start != nil {
      retired.append(piece)
    } else if piece.isWritable {
      remoteCount -= 1
    }
  }

  /// Unmaps removed regions: no work in progress can access them.
  func releaseRetired() {
    guard !retired.isEmpty else { return }
    for piece in retired { release(piece) }
    retired = []
  }

  private func release(_ piece: Piece) {
    if let start = unsafe piece.start {
      unsafe epfnvme_unmap_guest_memory(start, UInt64(piece.count))
    }
  }

  private func refusal(_ error: HostMemoryError) -> Refusal {
    Refusal(error.cause == .overlapsRegion ? EEXIST : EINVAL)
  }
}
