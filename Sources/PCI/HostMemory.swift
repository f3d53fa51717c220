// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// The memory of a host as a function reaches it: regions of guest physical addresses, each with its backing.
///
/// An access is checked completely before the first byte is transferred, may cross adjacent regions, and does not allocate. A region
/// without a mapping is accessed through ``remote``; during such an access, regions may be added and removed. The memory belongs to one
/// thread. It does not order accesses: a caller that publishes an entry by its last word writes that word separately, after a fence.
@safe public final class HostMemory {
  /// The permitted access to a region.
  public struct Access: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let read = Self(rawValue: 1 << 0)
    public static let write = Self(rawValue: 1 << 1)
  }

  @safe private struct Region {
    let first: UInt64
    let last: UInt64
    /// Nil when the bytes are elsewhere.
    let start: UnsafeMutableRawPointer?
    let access: Access
    let isOwned: Bool

    /// The number of bytes of an access in the region, up to its count, which is not 0; 0 if its first byte is outside.
    func available(at address: UInt64, count: Int, for access: Access) -> Int {
      guard address >= first, address <= last, self.access.isSuperset(of: access) else { return 0 }
      return Int(min(UInt64(count) - 1, last - address)) + 1
    }

    var isLocal: Bool { unsafe start != nil }

    func pointer(to address: UInt64) -> UnsafeMutableRawPointer? {
      unsafe start.map { unsafe $0 + Int(address - first) }
    }

    func release() {
      if isOwned { unsafe start?.deallocate() }
    }
  }

  /// In the order of their addresses; no two overlap.
  private var regions: [Region] = []

  /// The index of the region that was used last, because accesses are clustered.
  private var latest = 0

  /// The accessor of regions without a mapping; without it they cannot be accessed.
  public weak var remote: (any RemoteMemory)?

  /// Creates a memory without regions.
  public init() {}

  /// Creates a memory of zeroes from address 0 on.
  /// - Precondition: there is at least one byte.
  public convenience init(count: Int) {
    precondition(count > 0, "memory has at least one byte")
    self.init()
    unsafe insert(at: 0, last: UInt64(count) - 1, backing: nil, access: [.read, .write])
  }

  deinit {
    for region in regions { region.release() }
  }

  // MARK: Regions

  /// Adds a region of zeroes that the memory owns.
  /// - Throws: if it is empty, overlaps another one or ends beyond 64 bits of address.
  public func add(
    at address: UInt64, count: Int, access: Access = [.read, .write]
  ) throws(HostMemoryError) {
    let last = try vacancy(at: address, count: count)
    unsafe insert(at: address, last: last, backing: nil, access: access)
  }

  /// Adds a region of memory that the caller keeps alive until the region is removed.
  /// - Throws: if it is empty, overlaps another one or ends beyond 64 bits of address.
  @unsafe public func add(
    at address: UInt64, backing: UnsafeMutableRawBufferPointer, access: Access = [.read, .write]
  ) throws(HostMemoryError) {
    let last = try vacancy(at: address, count: backing.count)
    unsafe insert(at: address, last: last, backing: backing.baseAddress, access: access)
  }

  /// Adds a region whose bytes only ``remote`` can reach.
  /// - Throws: if it is empty, overlaps another one or ends beyond 64 bits of address.
  public func addRemote(
    at address: UInt64, count: Int, access: Access = [.read, .write]
  ) throws(HostMemoryError) {
    let last = try vacancy(at: address, count: count)
    insert(
      unsafe Region(first: address, last: last, start: nil, access: access, isOwned: false))
  }

  /// Removes the region that has exactly these bytes, and frees it if the memory owns it.
  /// - Throws: if no region matches it exactly.
  public func remove(at address: UInt64, count: Int) throws(HostMemoryError) {
    let index = firstRegion(endingFrom: address)
    guard index < regions.count, count > 0, regions[index].first == address,
      regions[index].last - address == UInt64(count) - 1
    else { throw HostMemoryError(address: address, count: count, cause: .noSuchRegion) }
    latest = 0
    regions.remove(at: index).release()
  }

  /// The last address of a region that can be added.
  private func vacancy(at address: UInt64, count: Int) throws(HostMemoryError) -> UInt64 {
    func error(_ cause: HostMemoryError.Cause) -> HostMemoryError {
      HostMemoryError(address: address, count: count, cause: cause)
    }
    guard count > 0 else { throw error(.emptyRegion) }
    let (last, overflow) = address.addingReportingOverflow(UInt64(count) - 1)
    guard !overflow else { throw error(.beyondAddressSpace) }
    let next = firstRegion(endingFrom: address)
    guard next == regions.count || regions[next].first > last else { throw error(.overlapsRegion) }
    return last
  }

  private func insert(
    at address: UInt64, last: UInt64, backing: UnsafeMutableRawPointer?, access: Access
  ) {
    let start = unsafe backing ?? Self.zeroes(count: Int(last - address) + 1)
    insert(
      unsafe Region(
        first: address, last: last, start: start, access: access, isOwned: backing == nil))
  }

  private func insert(_ region: Region) {
    latest = 0
    regions.insert(region, at: firstRegion(endingFrom: region.first))
  }

  private static func zeroes(count: Int) -> UnsafeMutableRawPointer {
    let start = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
    unsafe memset(start, 0, count)
    return unsafe start
  }

  /// The index of the first region that ends at or after the address.
  private func firstRegion(endingFrom address: UInt64) -> Int {
    var range = 0..<regions.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range =
        regions[middle].last < address ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }

  // MARK: Accesses

  /// Fills a buffer from an address on.
  /// - Throws: if a byte is not mapped for reading; the buffer is as before.
  public func read(
    at address: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HostMemoryError) {
    try unsafe forEachPart(of: address, buffer.count, for: .read) {
      (start, part) throws(HostMemoryError) in
      let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[part])
      guard let start = unsafe start else {
        guard let remote else { throw denied(address, buffer.count, .read) }
        return try unsafe remote.read(at: address + UInt64(part.lowerBound), into: target)
      }
      unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: start, count: part.count))
    }
  }

  /// Writes a buffer from an address on.
  /// - Throws: if a byte is not mapped for writing; the memory is as before.
  public func write(
    at address: UInt64, from buffer: UnsafeRawBufferPointer
  ) throws(HostMemoryError) {
    try unsafe forEachPart(of: address, buffer.count, for: .write) {
      (start, part) throws(HostMemoryError) in
      let source = unsafe UnsafeRawBufferPointer(rebasing: buffer[part])
      guard let start = unsafe start else {
        guard let remote else { throw denied(address, buffer.count, .write) }
        return try unsafe remote.write(at: address + UInt64(part.lowerBound), from: source)
      }
      unsafe UnsafeMutableRawBufferPointer(start: start, count: part.count)
        .copyMemory(from: source)
    }
  }

  /// Copies bytes of this memory to another one, or to other bytes of this one.
  /// - Throws: if a byte is not mapped, or is mapped elsewhere only; some of the bytes may have been written then.
  public func copy(
    from address: UInt64, count: Int, to target: HostMemory, at targetAddress: UInt64
  ) throws(HostMemoryError) {
    guard count > 0 else { return }
    _ = try target.firstRegion(of: targetAddress, count, for: .write)
    try unsafe forEachPart(of: address, count, for: .read) {
      (start, part) throws(HostMemoryError) in
      guard let start = unsafe start else { throw denied(address, count, .read) }
      try unsafe target.write(
        at: targetAddress + UInt64(part.lowerBound),
        from: UnsafeRawBufferPointer(start: start, count: part.count))
    }
  }

  /// Loads a little-endian integer; one access of that width if it is aligned and in one region.
  /// - Throws: if a byte is not mapped for reading.
  @inlinable public func load<T: FixedWidthInteger & BitwiseCopyable>(
    at address: UInt64, as type: T.Type
  ) throws(HostMemoryError) -> T {
    if let pointer = unsafe pointer(to: address, count: MemoryLayout<T>.size, for: .read) {
      return unsafe T(littleEndian: pointer.loadUnaligned(as: T.self))
    }
    var value: T = 0
    try unsafe withUnsafeMutableBytes(of: &value) { (bytes) throws(HostMemoryError) in
      try unsafe read(at: address, into: bytes)
    }
    return T(littleEndian: value)
  }

  /// Stores a little-endian integer; one access of that width if it is aligned and in one region.
  /// - Throws: if a byte is not mapped for writing; the memory is as before.
  @inlinable public func store<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at address: UInt64
  ) throws(HostMemoryError) {
    if let pointer = unsafe pointer(to: address, count: MemoryLayout<T>.size, for: .write) {
      return unsafe pointer.storeBytes(of: value.littleEndian, as: T.self)
    }
    try unsafe withUnsafeBytes(of: value.littleEndian) { (bytes) throws(HostMemoryError) in
      try unsafe write(at: address, from: bytes)
    }
  }

  /// Calls a closure with bytes in place; nil, without a call, unless one region has them all, for reading.
  ///
  /// The closure must not remove that region.
  @inlinable public func withBytes<Result, Failure: Error>(
    at address: UInt64, count: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let pointer = unsafe pointer(to: address, count: count, for: .read) else { return nil }
    return try body(unsafe UnsafeRawBufferPointer(start: pointer, count: count).bytes)
  }

  /// Calls a closure with bytes in place; nil, without a call, unless one region has them all, for reading and writing.
  ///
  /// The closure must not remove that region.
  @inlinable public func withMutableBytes<Result, Failure: Error>(
    at address: UInt64, count: Int, _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let pointer = unsafe pointer(to: address, count: count, for: [.read, .write]) else {
      return nil
    }
    var bytes = unsafe UnsafeMutableRawBufferPointer(start: pointer, count: count).mutableBytes
    return try body(&bytes)
  }

  /// The pointer to bytes, if one mapped region has all of them; nil also if there are none.
  @usableFromInline func pointer(
    to address: UInt64, count: Int, for access: Access
  ) -> UnsafeMutableRawPointer? {
    guard count > 0, let index = region(of: address),
      regions[index].available(at: address, count: count, for: access) == count
    else { return nil }
    return unsafe regions[index].pointer(to: address)
  }

  /// The index of the region that has an address.
  private func region(of address: UInt64) -> Int? {
    if latest < regions.count, regions[latest].first <= address, address <= regions[latest].last {
      return latest
    }
    let index = firstRegion(endingFrom: address)
    guard index < regions.count, regions[index].first <= address else { return nil }
    latest = index
    return index
  }

  /// Calls a closure with every region's part of an access: where it is, nil for elsewhere, and which of the access's bytes.
  /// - Throws: before the first call, if a byte is not mapped; later, errors of the closure, or if a byte is no longer mapped.
  private func forEachPart(
    of address: UInt64, _ count: Int, for access: Access,
    _ body: (UnsafeMutableRawPointer?, Range<Int>) throws(HostMemoryError) -> Void
  ) throws(HostMemoryError) {
    guard count > 0 else { return }
    var index = try firstRegion(of: address, count, for: access)
    var done = 0
    while done < count {
      let next = address + UInt64(done)
      let isLocal = regions[index].isLocal
      let part = regions[index].available(at: next, count: count - done, for: access)
      guard part > 0 else { throw denied(address, count, access) }
      try unsafe body(regions[index].pointer(to: next), done..<done + part)
      done += part
      if isLocal {
        index += 1
      } else if done < count {
        // The regions may be others now.
        index = try firstRegion(of: address + UInt64(done), count - done, for: access)
      }
    }
  }

  /// The index of the first region of an access of at least one byte.
  /// - Throws: if a byte is not mapped.
  private func firstRegion(
    of address: UInt64, _ count: Int, for access: Access
  ) throws(HostMemoryError) -> Int {
    guard let first = region(of: address) else { throw denied(address, count, access) }
    var index = first
    var done = 0
    while done < count {
      // A sum that wraps is below every region that is left.
      let next = address &+ UInt64(done)
      guard index < regions.count,
        case let part = regions[index].available(at: next, count: count - done, for: access),
        part > 0
      else { throw denied(address, count, access) }
      done += part
      index += 1
    }
    return first
  }

  private func denied(_ address: UInt64, _ count: Int, _ access: Access) -> HostMemoryError {
    HostMemoryError(
      address: address, count: count,
      cause: access.contains(.write) ? .notWritable : .notReadable)
  }
}
