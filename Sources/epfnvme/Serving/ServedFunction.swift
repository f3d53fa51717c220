// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import ControllerEmulation
internal import LibC
internal import PCI
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// A function for a host outside of this process: the emulated controller with this machine's files and devices.
struct ServedFunction {
  /// The emulated function.
  enum Controller {
    case driver
    case reference(mapsDoorbells: Bool)
  }

  let name: String
  let function: NVMeFunction
  let memory: HostMemory
  /// Backings that are served from memory although the profile names a file or a device.
  var notes: [String] = []

  /// From a profile: set up on a simulated kernel, with the files and devices that it names.
  /// - Throws: ``ProvisioningError``.
  init(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release, quirks: Set<Quirk>?,
    named wanted: String?, as controller: Controller
  ) throws(ProvisioningError) {
    let files = try BackingFiles(located.profile)
    let emulation = try Emulation(located, kernelRelease, quirks: quirks, adjust: files.describe)
    try self.init(
      emulation.kernel, emulation.functions, named: wanted, as: controller, files)
  }

  /// From a simulated kernel on which something was set up.
  /// - Throws: ``ProvisioningError``.
  init(
    _ kernel: SimulatedKernel, named wanted: String?, as controller: Controller
  ) throws(ProvisioningError) {
    try self.init(
      kernel, kernel.controllers.keys.sorted(), named: wanted, as: controller,
      BackingFiles())
  }

  private init(
    _ kernel: SimulatedKernel, _ functions: [String], named wanted: String?,
    as controller: Controller, _ files: BackingFiles
  ) throws(ProvisioningError) {
    let path = try Self.choose(wanted, among: functions)
    name = Emulation.name(path)
    memory = HostMemory()
    let opener = BackingOpener(files)
    guard
      let bound = try kernel.makeDevice(
        of: path, memory: memory, tableKeeper: .monitor, backend: opener.open)
    else {
      throw ProvisioningError(
        .inputMissing, "the driver of \(name) has not created a controller", operation: "serve",
        path: path, hint: "run epfnvme setup; its errors give the reason")
    }
    function =
      switch controller {
      case .driver: bound
      case .reference(let mapsDoorbells):
        bound.reference(memory: memory, tableKeeper: .monitor, mapsDoorbells: mapsDoorbells)
      }
    notes = opener.notes
  }

  /// The name of the function that is served from a kernel.
  /// - Throws: ``ProvisioningError`` when there is no function, or several.
  static func name(
    _ wanted: String?, on kernel: SimulatedKernel
  ) throws(ProvisioningError) -> String {
    Emulation.name(try choose(wanted, among: kernel.controllers.keys.sorted()))
  }

  private static func choose(
    _ wanted: String?, among paths: [String]
  ) throws(ProvisioningError) -> String {
    let names = paths.map(Emulation.name)
    if let wanted {
      guard let index = names.firstIndex(of: wanted) else {
        throw ProvisioningError(
          .inputMissing, "there is no bound function \(wanted)", operation: "serve", value: wanted,
          hint: names.isEmpty ? "set one up first" : "there is: \(names.joined(separator: ", "))")
      }
      return paths[index]
    }
    guard let first = paths.first else {
      throw ProvisioningError(
        .inputMissing, "no function is bound", operation: "serve",
        hint: "epfnvme setup first, or serve a profile")
    }
    guard paths.count == 1 else {
      throw ProvisioningError(
        .impossible, "there are several functions, but a socket serves one", operation: "serve",
        hint: "--function \(names.joined(separator: " or ")); run one process for each")
    }
    return first
  }
}

/// The files and devices of a profile, as this machine has them.
private struct BackingFiles {
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
      case .file(let file): try add(file)
      case .block(let path):
        try add(path, created: nil, BackingHint.missingDevice)
      case .loopDevice(let loop):
        try add(loop.file)
        offsets[loop.file.path] = loop.offset
      }
    }
  }

  private mutating func add(_ file: Profile.File) throws(ProvisioningError) {
    try add(
      file.path, created: file.create ? (file.sizeMiB ?? 1024) << 20 : nil,
      BackingHint.missingFile)
  }

  /// - Parameter hint: the hint for a missing file.
  private mutating func add(
    _ path: String, created size: UInt64?, _ hint: String
  ) throws(ProvisioningError) {
    let store = LiveBackingStore()
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
        description.kind == .blockDevice ? .blockDevice : .regularFile, size: description.size,
        blockSize: description.blockSize)
      object.isReadOnly = description.isReadOnly
      object.allowsDirectIO = description.allowsDirectIO
      object.mountPoint = description.mountPoint?.string
      machine.storage[path] = object
    }
  }

  func offset(of file: String) -> UInt64 { offsets[file] ?? 0 }
}

/// Opens the backings of namespaces.
private final class BackingOpener {
  private let files: BackingFiles
  private(set) var notes: [String] = []

  init(_ files: BackingFiles) { self.files = files }

  func open(_ backing: SimulatedKernel.Backing) throws(ProvisioningError) -> Backend {
    switch backing.kind {
    case .nullBlock(let isMemoryBacked):
      return isMemoryBacked ? memory(backing) : .null(size: backing.size)
    case .remote:
      notes.append("\(backing.path): 1 GiB of memory replaces the remote disk")
      return memory(backing)
    case .file: return try store(backing.path, 0, backing)
    case .blockDevice: return try store(backing.path, 0, backing)
    case .loop(let file): return try store(file, files.offset(of: file), backing)
    }
  }

  private func memory(_ backing: SimulatedKernel.Backing) -> Backend {
    .memory(MemoryStore(count: Int(clamping: backing.size)))
  }

  private func store(
    _ path: String, _ offset: UInt64, _ backing: SimulatedKernel.Backing
  ) throws(ProvisioningError) -> Backend {
    do {
      return .file(try FileStore(path: path, offset: offset, isExclusive: true))
    } catch  where error.errno == ENOENT {
      notes.append("\(path) exists on the simulated machine only: memory replaces it")
      return memory(backing)
    } catch {
      let errno = Errno(rawValue: error.errno)
      throw ProvisioningError(
        errno == .permissionDenied ? .needsPrivileges : .inputMissing,
        "cannot open \(path) for reading and writing: \(errno.nameAndText)", operation: "open",
        path: path, errno: errno,
        hint: errno == .resourceBusy ? "it is mounted or in use: unmount or release it first" : nil)
    }
  }
}
