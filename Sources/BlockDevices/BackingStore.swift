// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// What a kernel can be asked about files and block devices that namespaces store to.
public protocol BackingStore: Sendable {
  /// Opens nothing for writing; follows links.
  func describe(_ path: FilePath) throws(Errno) -> BackingDescription

  /// Makes a sparse file of a size in bytes, mode 0600. EEXIST when the name is taken.
  func createFile(_ path: FilePath, size: UInt64) throws(Errno)

  func removeFile(_ path: FilePath) throws(Errno)

  /// Binds a free `/dev/loopN` to a file, asking again when another process was faster.
  func attachLoop(_ loop: LoopConfiguration) throws(Errno) -> FilePath

  /// Unbinds a loop device. ENXIO when it is not bound.
  func detachLoop(_ device: FilePath) throws(Errno)

  /// The file behind a loop device; nil when it is unbound.
  func loopFile(of device: FilePath) throws(Errno) -> FilePath?

  /// All bound loop devices and their files.
  func boundLoops() throws(Errno) -> [(device: FilePath, file: FilePath)]
}

/// What a path is, as far as a namespace cares.
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
  /// Where the device is mounted, when it is.
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

/// How a loop device is bound.
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
