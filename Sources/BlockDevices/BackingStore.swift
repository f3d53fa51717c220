// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Access to files and block devices of namespaces.
public protocol BackingStore: Sendable {
  /// Opens nothing for writing; follows links.
  func describe(_ path: FilePath) throws(Errno) -> BackingDescription

  /// Creates a sparse file of a size in bytes, mode 0600. EEXIST if the name exists.
  func createFile(_ path: FilePath, size: UInt64) throws(Errno)

  func removeFile(_ path: FilePath) throws(Errno)

  /// Binds a free `/dev/loopN` to a file, asking again when another process was faster.
  func attachLoop(_ loop: LoopConfiguration) throws(Errno) -> FilePath

  /// Unbinds a loop device. ENXIO when it is not bound.
  func detachLoop(_ device: FilePath) throws(Errno)

  /// The binding of a loop device in the kernel; nil if it is unbound.
  /// - Throws: ENODEV or ENOTTY for a path that is not a loop device.
  func loopConfiguration(of device: FilePath) throws(Errno) -> LoopConfiguration?

  /// All bound loop devices and their files.
  func boundLoops() throws(Errno) -> [(device: FilePath, file: FilePath)]

  /// The store of a path, independent of its name; follows links and opens nothing.
  func identity(of path: FilePath) throws(Errno) -> StoreIdentity
}

extension BackingStore {
  /// The file of a loop device; nil if it is unbound.
  public func loopFile(of device: FilePath) throws(Errno) -> FilePath? {
    try loopConfiguration(of: device).map { FilePath($0.file) }
  }

  /// Whether two paths name one file. The kernel names a loop device's file by its resolved path, a profile by any.
  public func isSameFile(_ a: FilePath, _ b: FilePath) -> Bool {
    // A deleted file has no identity.
    // The bytes count: as texts, other spellings of one character would be equal.
    if a == b || a.lexicallyNormalized() == b.lexicallyNormalized() { return true }
    guard let first = try? identity(of: a), let second = try? identity(of: b) else { return false }
    return first == second
  }

  /// The first loop device of a file; nil if none is bound to it.
  public func loopDevice(of file: FilePath) throws(Errno) -> FilePath? {
    try boundLoops().first { isSameFile($0.file, file) }?.device
  }

  /// All stores that a write to a path changes: its own and, for a loop device, that of its file.
  public func stores(behind path: FilePath) -> [StoreIdentity] {
    guard let own = try? identity(of: path) else { return [] }
    guard let file = (try? loopFile(of: path)) ?? nil, file != path,
      let behind = try? identity(of: file)
    else { return [own] }
    return [own, behind]
  }
}

/// The identity of a store: equal for every name of one file or device.
public struct StoreIdentity: Sendable, Hashable {
  /// A block device's number, or a file's device and inode number.
  public var number: String
  /// The number of the disk that a partition belongs to.
  public var disk: String?

  public init(number: String, disk: String? = nil) {
    self.number = number
    self.disk = disk
  }

  /// Whether a write to one changes the other: the same store, or a disk and its partition.
  public func overlaps(_ other: StoreIdentity) -> Bool {
    number == other.number || disk == other.number || number == other.disk
  }
}

/// The kind of file of a path, as needed for namespaces.
public struct BackingDescription: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, Codable {
    case regularFile, blockDevice, directory, characterDevice, other
  }

  public var kind: Kind
  /// Bytes.
  public var size: UInt64
  /// Logical block size of a device, block size of a file's file system; bytes.
  public var blockSize: Int
  public var isReadOnly: Bool
  /// Whether the file can be opened with `O_DIRECT`, which nvmet does unless `buffered_io` is set.
  public var allowsDirectIO: Bool
  /// The mount point of the device, if it is mounted.
  public var mountPoint: FilePath?

  public init(
    kind: Kind, size: UInt64, blockSize: Int, isReadOnly: Bool = false,
    allowsDirectIO: Bool = true, mountPoint: FilePath? = nil
  ) {
    self.kind = kind
    self.size = size
    self.blockSize = blockSize
    self.isReadOnly = isReadOnly
    self.allowsDirectIO = allowsDirectIO
    self.mountPoint = mountPoint
  }
}

/// The binding of a loop device.
public struct LoopConfiguration: Sendable, Hashable, Codable {
  public var file: String
  /// Bytes into the file.
  public var offset: UInt64
  /// Logical block size; 0 leaves it to the kernel.
  public var blockSize: UInt32
  public var usesDirectIO: Bool
  public var isReadOnly: Bool

  public init(
    file: String, offset: UInt64 = 0, blockSize: UInt32 = 0, usesDirectIO: Bool = false,
    isReadOnly: Bool = false
  ) {
    self.file = file
    self.offset = offset
    self.blockSize = blockSize
    self.usesDirectIO = usesDirectIO
    self.isReadOnly = isReadOnly
  }
}

extension LoopConfiguration {
  /// As text: `/srv/x.img, offset 4096, blocks of 512 bytes, direct I/O`.
  public var summary: String {
    var text = file
    if offset != 0 { text += ", offset \(offset)" }
    if blockSize != 0 { text += ", blocks of \(blockSize) bytes" }
    if usesDirectIO { text += ", direct I/O" }
    if isReadOnly { text += ", read-only" }
    return text
  }
}
