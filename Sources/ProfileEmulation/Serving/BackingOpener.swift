// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import ControllerEmulation
internal import LibC
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// Opens the backings of namespaces.
final class BackingOpener {
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
