// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// Files, block devices and loop devices of the simulated machine.
extension KernelState {
  /// Follows symbolic links; returns an absolute path and its entry.
  func resolve(_ path: String) throws(Errno) -> (String, SimulatedKernel.StoredObject) {
    guard path.utf8.count < 4096, path.split(separator: "/").allSatisfy({ $0.utf8.count <= 255 })
    else { throw .fileNameTooLong }
    var path = path.lexicallyNormalizedPath
    for _ in 0..<40 {
      guard path.hasPrefix("/") else { throw .noSuchFileOrDirectory }
      guard let object = storage[path] else {
        let above = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        if let parent = storage[above], parent.kind != .directory { throw .notDirectory }
        throw .noSuchFileOrDirectory
      }
      guard object.kind == .symbolicLink, let target = object.target else { return (path, object) }
      path =
        (target.hasPrefix("/") ? target : "\(path.parentPath)/\(target)").lexicallyNormalizedPath
    }
    throw .tooManySymbolicLinkLevels
  }

  func describe(_ path: String) throws(Errno) -> BackingDescription {
    let (_, object) = try resolve(path)
    let kind: BackingDescription.Kind =
      switch object.kind {
      case .regularFile: .regularFile
      case .blockDevice: .blockDevice
      case .directory: .directory
      case .characterDevice: .characterDevice
      case .other, .symbolicLink: .other
      }
    return BackingDescription(
      kind: kind, size: object.size, blockSize: object.blockSize,
      isReadOnly: object.isReadOnly, allowsDirectIO: object.allowsDirectIO,
      mountPoint: object.mountPoint.map { FilePath($0) })
  }

  mutating func createFile(_ path: String, size: UInt64) throws(Errno) {
    let path = path.lexicallyNormalizedPath
    guard path.hasPrefix("/") else { throw .noSuchFileOrDirectory }
    guard storage[path] == nil else { throw .fileExists }
    let parent = path.parentPath.isEmpty ? "/" : path.parentPath
    guard let directory = storage[parent] else { throw .noSuchFileOrDirectory }
    guard directory.kind == .directory else { throw .notDirectory }
    guard !directory.isReadOnly else { throw .readOnlyFileSystem }
    guard machine.isPrivileged else { throw .permissionDenied }
    var file = SimulatedKernel.StoredObject(.regularFile, size: size)
    file.allowsDirectIO = directory.allowsDirectIO
    file.blockSize = directory.blockSize
    storage[path] = file
  }

  mutating func removeFile(_ path: String) throws(Errno) {
    let path = path.lexicallyNormalizedPath
    guard let object = storage[path] else { throw .noSuchFileOrDirectory }
    guard object.kind != .directory else { throw .isDirectory }
    guard machine.isPrivileged else { throw .permissionDenied }
    storage[path] = nil
  }

  /// `LOOP_CTL_GET_FREE` and `LOOP_CONFIGURE`.
  /// - Source: `drivers/block/loop.c`.
  mutating func attachLoop(_ loop: LoopConfiguration) throws(Errno) -> String {
    guard machine.isPrivileged else { throw .permissionDenied }
    // Opening /dev/loop-control loads the module.
    if !isModulePresent("loop") { try? loadModule("loop", parameters: []) }
    guard isModulePresent("loop") else { throw .noSuchFileOrDirectory }
    let (path, file) = try resolve(loop.file)
    guard file.kind == .regularFile || file.kind == .blockDevice else { throw .invalidArgument }
    if file.isReadOnly, !loop.isReadOnly { throw .readOnlyFileSystem }
    if path.hasPrefix("/dev/loop"), file.loop == nil { throw .invalidArgument }
    guard loop.offset <= UInt64(Int64.max) else { throw .overflow }
    let blockSize = loop.blockSize
    guard
      blockSize == 0
        || (blockSize >= 512 && blockSize <= 65536 && blockSize.nonzeroBitCount == 1)
    else { throw .invalidArgument }
    let index = (0...).first { storage["/dev/loop\($0)"]?.loop == nil } ?? 0
    let device = "/dev/loop\(index)"
    var object = SimulatedKernel.StoredObject(.blockDevice)
    object.size = file.size > loop.offset ? (file.size - loop.offset) / 512 * 512 : 0
    object.blockSize = blockSize == 0 ? 512 : Int(blockSize)
    object.isReadOnly = loop.isReadOnly || file.isReadOnly
    object.loop = SimulatedKernel.LoopBinding(
      file: path, offset: loop.offset, usesDirectIO: loop.usesDirectIO)
    storage[device] = object
    log(
      .info, "loop\(index): detected capacity change from 0 to \(object.size / 512)")
    return device
  }

  /// `LOOP_CLR_FD`: immediately, or when the last user closes the device.
  mutating func detachLoop(_ device: String) throws(Errno) {
    let (path, object) = try resolve(device)
    guard machine.isPrivileged else { throw .permissionDenied }
    guard path.hasPrefix("/dev/loop") else { throw .inappropriateIOCTLForDevice }
    guard object.loop != nil else { throw .noSuchAddressOrDevice }
    storage[path]?.loop?.clearsItself = true
    closeLoop(path)
  }

  /// Unbinds a loop device with autoclear after its last close.
  mutating func closeLoop(_ device: String) {
    guard storage[device]?.loop?.clearsItself == true,
      storage[device]?.mountPoint == nil,
      !openNamespaces.values.contains(where: { $0.path == device })
    else { return }
    storage[device] = SimulatedKernel.StoredObject(.blockDevice)
  }

  func loopConfiguration(of device: String) throws(Errno) -> LoopConfiguration? {
    let (path, object) = try resolve(device)
    guard path.hasPrefix("/dev/loop"), object.kind == .blockDevice else {
      throw .inappropriateIOCTLForDevice
    }
    guard let loop = object.loop else { return nil }
    return LoopConfiguration(
      file: loop.file, offset: loop.offset,
      blockSize: UInt32(clamping: object.blockSize), usesDirectIO: loop.usesDirectIO,
      isReadOnly: object.isReadOnly)
  }

  /// The disk that a partition belongs to, by its name: `/dev/sda` of `/dev/sda1`, `/dev/nvme0n1` of `/dev/nvme0n1p2`.
  func disk(ofPartition path: String) -> String? {
    let digits = path.reversed().prefix { $0.isASCII && $0.isNumber }.count
    guard digits > 0, storage[path]?.kind == .blockDevice else { return nil }
    var name = String(path.dropLast(digits))
    if name.hasSuffix("p"), name.dropLast().last?.isNumber == true { name.removeLast() }
    return storage[name]?.kind == .blockDevice ? name : nil
  }

  func boundLoops() -> [(device: FilePath, file: FilePath)] {
    storage.filter { $0.value.loop != nil }
      .sorted { ($0.key.utf8.count, $0.key) < ($1.key.utf8.count, $1.key) }
      .map { (FilePath($0.key), FilePath($0.value.loop?.file ?? "")) }
  }
}
