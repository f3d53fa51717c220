// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import SystemPackage

/// Preconditions on the machine before the first write: privileges, backings that open, sizes of at least one block.
struct Preflight {
  let machine: Machine

  /// - Throws: ``ProvisioningError`` of kind `needsPrivileges`, `inputMissing` or `impossible`.
  func check(_ profile: Profile) throws(ProvisioningError) {
    for subsystem in profile.subsystems {
      for namespace in subsystem.namespaces {
        guard let backing = profile.backing(named: namespace.backing) else { continue }
        try check(backing, of: namespace)
      }
    }
  }

  func checkPrivileges() throws(ProvisioningError) {
    guard machine.facts.isPrivileged else {
      throw ProvisioningError(
        .needsPrivileges, "only root may configure \(machine.label)", errno: .notPermitted,
        hint: "run it with sudo; to try it without a kernel, use --kernel simulated")
    }
  }

  private func check(
    _ backing: Profile.Backing, of namespace: Profile.Namespace
  ) throws(ProvisioningError) {
    let name = "backings.\(backing.name)"
    switch backing.store {
    case .nullBlock: break
    case .block(let path):
      guard let found = try describe(path, name) else {
        throw missing(path, name, BackingHint.missingDevice)
      }
      guard found.kind == .blockDevice else {
        throw wrong(
          path, name, "is \(Self.words[found.kind] ?? "not a block device")",
          "use the backing \"file\" for a regular file")
      }
      if found.isReadOnly {
        throw wrong(
          path, name, "is read-only", "nvmet opens it for writing: blockdev --setrw \(path)")
      }
      if let mountPoint = found.mountPoint {
        throw wrong(
          path, name, "is mounted at \(mountPoint)",
          "a host would write beneath a mounted file system: umount \(mountPoint)")
      }
      try checkSize(found, path, name)
    case .file(let file):
      guard let found = try checkFile(file, name) else { return }
      if !found.allowsDirectIO, namespace.bufferedIO != true {
        throw wrong(
          file.path, name, "is on a file system without O_DIRECT",
          "set \"bufferedIO\": true for namespace \(namespace.id)")
      }
    case .loopDevice(let loop):
      guard let found = try checkFile(loop.file, name) else { return }
      try checkOffset(loop, found, name)
    }
  }

  /// nil if the file does not exist yet.
  private func checkFile(
    _ file: Profile.File, _ name: String
  ) throws(ProvisioningError) -> BackingDescription? {
    guard let found = try describe(file.path, name) else {
      guard file.create else {
        throw missing(file.path, name, BackingHint.missingFile)
      }
      try checkDirectory(of: file, name)
      return nil
    }
    guard found.kind == .regularFile else {
      throw wrong(
        file.path, name, "is \(Self.words[found.kind] ?? "not a regular file")",
        found.kind == .blockDevice ? "use the backing \"block\" for a device" : nil)
    }
    if found.isReadOnly { throw wrong(file.path, name, "is read-only", nil) }
    try checkSize(found, file.path, name)
    return found
  }

  /// A file is created, its directory is not.
  private func checkDirectory(
    of file: Profile.File, _ name: String
  ) throws(ProvisioningError) {
    let directory = FilePath(file.path).parent.string
    guard let found = try describe(directory, name) else {
      throw wrong(
        file.path, name, "cannot be created: there is no directory \(directory)",
        "mkdir -p \(directory)", .noSuchFileOrDirectory)
    }
    guard found.kind == .directory else {
      throw wrong(
        file.path, name, "cannot be created: \(directory) is not a directory", nil, .notDirectory)
    }
  }

  private func checkSize(
    _ found: BackingDescription, _ path: String, _ name: String
  ) throws(ProvisioningError) {
    let block = max(512, min(found.blockSize, 4096))
    guard found.size >= UInt64(block) else {
      throw wrong(path, name, "has \(found.size) bytes, less than one block of \(block)", nil)
    }
  }

  /// A disk that begins at the end of its file has no blocks, but the kernel accepts it.
  private func checkOffset(
    _ loop: Profile.LoopDevice, _ found: BackingDescription, _ name: String
  ) throws(ProvisioningError) {
    let left = found.size - min(found.size, loop.offset)
    let block = UInt64(max(loop.blockSize ?? 512, 512))
    guard left < block else { return }
    throw wrong(
      loop.file.path, name,
      "has \(found.size) bytes, so that a disk from byte \(loop.offset) on has no block of \(block)",
      "use a smaller \"offsetBytes\", or a larger file: truncate --size")
  }

  private func describe(
    _ path: String, _ name: String
  ) throws(ProvisioningError) -> BackingDescription? {
    do { return try machine.storage.describe(FilePath(path)) } catch .noSuchFileOrDirectory {
      return nil
    } catch {
      throw ProvisioningError(
        .inputMissing, "\(name): cannot open \(path): \(error.nameAndText)", operation: "open",
        path: path, errno: error)
    }
  }

  private func missing(_ path: String, _ name: String, _ hint: String) -> ProvisioningError {
    ProvisioningError(
      .inputMissing, "\(name): \(path) does not exist", operation: "open", path: path,
      errno: .noSuchFileOrDirectory, hint: hint)
  }

  private func wrong(
    _ path: String, _ name: String, _ what: String, _ hint: String?, _ errno: Errno? = nil
  ) -> ProvisioningError {
    ProvisioningError(
      .inputMissing, "\(name): \(path) \(what)", operation: "open", path: path, errno: errno,
      hint: hint)
  }

  private static let words: [BackingDescription.Kind: String] = [
    .regularFile: "a regular file", .blockDevice: "a block device", .directory: "a directory",
    .characterDevice: "a character device", .other: "neither a file nor a block device",
  ]
}

/// The hint for a missing backing.
package enum BackingHint {
  package static let missingDevice = "name an existing block device; lsblk lists them"
  package static let missingFile =
    "create it, or set \"create\": true and \"sizeMiB\" in the profile"
}
