// SPDX-License-Identifier: Apache-2.0

extension SimulatedKernel {
  /// A file, directory or device on the simulated machine.
  public struct StoredObject: Codable, Sendable, Hashable {
    public enum Kind: String, Codable, Sendable, Hashable {
      case regularFile, blockDevice, directory, characterDevice, other, symbolicLink
    }

    public var kind: Kind
    /// Bytes.
    public var size: UInt64
    /// Logical block size of a device, block size of a file's file system; bytes.
    public var blockSize: Int
    public var isReadOnly = false
    /// Whether a file can be opened with `O_DIRECT`.
    public var allowsDirectIO = true
    /// The mount point of a block device.
    public var mountPoint: String?
    /// The target of a symbolic link.
    public var target: String?
    /// The binding of a loop device.
    var loop: LoopBinding?
    /// The `nullb` directory that created the device; 0 for a device of the module.
    var nullBlock: Int?
    /// The zones of a zoned block device.
    var zones: Zones?

    public init(_ kind: Kind, size: UInt64 = 0, blockSize: Int? = nil, target: String? = nil) {
      self.kind = kind
      self.size = size
      self.blockSize = blockSize ?? (kind == .blockDevice ? 512 : 4096)
      self.target = target
    }
  }

  /// The zones of a block device, as far as nvmet looks at them.
  struct Zones: Codable, Sendable, Hashable {
    /// Sectors.
    var longestAppend: UInt64
    var hasConventional: Bool
    var hasSmallerLast: Bool
  }

  /// The binding of a loop device to a file.
  struct LoopBinding: Codable, Sendable, Hashable {
    var file: String
    /// Bytes.
    var offset: UInt64 = 0
    var usesDirectIO = false
    var clearsItself = false
  }
}
