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
    // One message for all, since they usually have one reason.
    var missing: [Failure] = []
    var withoutDirectIO: [Failure] = []
    for subsystem in profile.subsystems {
      for namespace in subsystem.namespaces {
        guard let backing = profile.backing(named: namespace.backing) else { continue }
        do { try check(backing, of: namespace) } catch {
          switch error {
          case .refused(let error): throw error
          case .missing(let failure): missing.append(failure)
          case .withoutDirectIO(let failure): withoutDirectIO.append(failure)
          }
        }
      }
    }
    if let first = missing.first {
      throw wrong(first, missing.count, "does not exist", "do not exist", .noSuchFileOrDirectory)
    }
    if let first = withoutDirectIO.first {
      throw wrong(
        first, withoutDirectIO.count, "is on a file system without O_DIRECT",
        "are on file systems without O_DIRECT", nil)
    }
  }

  /// A backing that cannot be used.
  private struct Failure {
    var name: String
    var path: String
    var hint: String
  }

  private enum Refusal: Error {
    case refused(ProvisioningError)
    case missing(Failure)
    case withoutDirectIO(Failure)
  }

  private func wrong(
    _ first: Failure, _ count: Int, _ one: String, _ several: String, _ errno: Errno?
  ) -> ProvisioningError {
    guard count > 1 else { return wrong(first.path, first.name, one, first.hint, errno) }
    return ProvisioningError(
      .inputMissing,
      "\(first.name): \(first.path) and the paths of \(count - 1) more backing\(count > 2 ? "s" : "") \(several)",
      operation: "open", path: first.path, errno: errno, hint: first.hint)
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
  ) throws(Refusal) {
    let failure: Refusal?
    do { failure = try refusal(backing, of: namespace) } catch { throw .refused(error) }
    if let failure { throw failure }
  }

  /// Nil for a backing that can be used.
  private func refusal(
    _ backing: Profile.Backing, of namespace: Profile.Namespace
  ) throws(ProvisioningError) -> Refusal? {
    let name = "backings.\(backing.name)"
    switch backing.store {
    case .nullBlock: break
    case .block(let path):
      guard let found = try describe(path, name) else {
        if let refusal = CharacterDevice.refusal(path, backing: name) { throw refusal }
        return .missing(
          Failure(name: name, path: path, hint: BackingHint.missingDevice(path)))
      }
      guard found.kind == .blockDevice else { throw notABlockDevice(found, path, name) }
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
      if try isMissing(file, name) { return .missing(missing(file, name)) }
      guard let found = try checkFile(file, name) else { return nil }
      if !found.allowsDirectIO, namespace.bufferedIO != true {
        return .withoutDirectIO(
          Failure(
            name: name, path: file.path,
            hint:
              "set \"bufferedIO\": true for namespace \(namespace.id), and for the others on such a file system"
          ))
      }
    case .loopDevice(let loop):
      if try isMissing(loop.file, name) { return .missing(missing(loop.file, name)) }
      guard let found = try checkFile(loop.file, name) else { return nil }
      try checkOffset(loop, found, name)
    }
    return nil
  }

  private func isMissing(
    _ file: Profile.File, _ name: String
  ) throws(ProvisioningError) -> Bool {
    guard try describe(file.path, name) == nil else { return false }
    if let refusal = CharacterDevice.refusal(file.path, backing: name) { throw refusal }
    return !file.create
  }

  private func missing(_ file: Profile.File, _ name: String) -> Failure {
    Failure(
      name: name, path: file.path,
      hint: BackingHint.missing(file.path))
  }

  private func notABlockDevice(
    _ found: BackingDescription, _ path: String, _ name: String
  ) -> ProvisioningError {
    switch found.kind {
    case .characterDevice:
      wrong(
        path, name,
        CharacterDevice.description(of: path) ?? "is a character device, not a block device",
        CharacterDevice.hint)
    case .regularFile:
      wrong(path, name, "is a regular file", "use the backing \"file\" for a regular file")
    default:
      wrong(
        path, name, "is \(Self.words[found.kind] ?? "not a block device")",
        "name a block device; lsblk lists them")
    }
  }

  /// nil if the file does not exist yet.
  private func checkFile(
    _ file: Profile.File, _ name: String
  ) throws(ProvisioningError) -> BackingDescription? {
    guard let found = try describe(file.path, name) else {
      try checkDirectory(of: file, name)
      return nil
    }
    guard found.kind != .characterDevice else {
      throw notABlockDevice(found, file.path, name)
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
