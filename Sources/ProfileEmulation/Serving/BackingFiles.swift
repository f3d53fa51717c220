// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// The files and devices of a profile, as this machine has them.
struct BackingFiles {
  private var found: [String: BackingDescription] = [:]
  /// The offset of a loop device in its file.
  private var offsets: [String: UInt64] = [:]

  /// Backings of a simulated kernel, which describes them.
  init() {}

  /// Creates files for backings with `create`.
  /// - Throws: ``ProvisioningError`` for one that is missing or in use.
  init(_ profile: Profile) throws(ProvisioningError) {
    for backing in profile.backings {
      switch backing.store {
      case .nullBlock: break
      case .file(let file): try add(file, backing.name)
      case .block(let path):
        try add(path, backing.name, created: nil, BackingHint.missingDevice(path))
      case .loopDevice(let loop):
        try add(loop.file, backing.name)
        offsets[loop.file.path] = loop.offset
      }
    }
  }

  private mutating func add(_ file: Profile.File, _ name: String) throws(ProvisioningError) {
    try add(
      file.path, name, created: file.create ? (file.sizeMiB ?? 1024) << 20 : nil,
      BackingHint.missing(file.path))
  }

  /// - Parameter hint: the hint for a missing file.
  private mutating func add(
    _ path: String, _ name: String, created size: UInt64?, _ hint: String
  ) throws(ProvisioningError) {
    let store = LiveBackingStore()
    if let refusal = CharacterDevice.refusal(path, backing: name),
      (try? store.describe(FilePath(path))) == nil
    {
      throw refusal
    }
    func failure(_ operation: String, _ error: Errno, _ hint: String?) -> ProvisioningError {
      ProvisioningError(
        .inputMissing, "cannot \(operation) \(path): \(error.nameAndText)", operation: operation,
        path: path, errno: error, hint: hint)
    }
    if let size {
      do { try store.createFile(FilePath(path), size: size) } catch {
        guard error == .fileExists else {
          let directory = FilePath(path).removingLastComponent()
          throw failure(
            "create", error, error == .noSuchFileOrDirectory ? "mkdir -p \(directory)" : nil)
        }
      }
    }
    do { found[path] = try store.describe(FilePath(path)) } catch {
      throw failure(
        "open", error, error == .noSuchFileOrDirectory ? hint : nil)
    }
  }

  /// Shows them to a simulated machine.
  func describe(_ machine: inout SimulatedKernel.Machine) {
    for (path, description) in found {
      var object = SimulatedKernel.StoredObject(
        Self.kind(description.kind), size: description.size, blockSize: description.blockSize)
      object.isReadOnly = description.isReadOnly
      object.allowsDirectIO = description.allowsDirectIO
      object.mountPoint = description.mountPoint?.string
      machine.storage[path] = object
    }
  }

  private static func kind(
    _ kind: BackingDescription.Kind
  ) -> SimulatedKernel.StoredObject.Kind {
    switch kind {
    case .regularFile: .regularFile
    case .blockDevice: .blockDevice
    case .directory: .directory
    case .characterDevice: .characterDevice
    case .other: .other
    }
  }

  func offset(of file: String) -> UInt64 { offsets[file] ?? 0 }
}
