// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import LinuxFiles
internal import SystemPackage

/// The one lock for changes of a machine; the kernel drops it when the process ends, however it ends.
struct MachineLock: ~Copyable {
  private let lock: FileLock

  /// - Parameter limit: how long to wait for another run.
  init(_ run: RunDirectory, waitingUpTo limit: Duration) throws(ProvisioningError) {
    try run.create()
    let path = run.lockPath.string
    let lock = try Self.open(run.lockPath)
    let start = ContinuousClock.now
    while !(try Self.isTaken(lock, path)) {
      let waited = ContinuousClock.now - start
      guard waited < limit, Signals.caught == nil else {
        let holder = Self.holder(lock.file.number)
        if let signal = Signals.caught, waited < limit {
          throw .interrupted(
            by: signal, "nothing was changed: another run\(holder) is changing this machine",
            operation: "lock")
        }
        throw ProvisioningError(
          .timedOut, "another run\(holder) is changing this machine", operation: "lock", path: path,
          errno: .wouldBlock, hint: "wait for it, or use --timeout SECONDS to wait here")
      }
      // Locks have no descriptor to wait on, so poll.
      _ = poll(nil, 0, 20)
    }
    var pid = Array("\(getpid())\n".utf8)
    _ = ftruncate(lock.file.number, 0)
    _ = unsafe pwrite(lock.file.number, &pid, pid.count, 0)
    self.lock = lock
  }

  private static func isTaken(
    _ lock: borrowing FileLock, _ path: String
  ) throws(ProvisioningError) -> Bool {
    do { return try lock.tryLock() } catch {
      throw ProvisioningError(
        .cannotCreate, "cannot lock \(path): \(error.nameAndText)", operation: "lock", path: path,
        errno: error, hint: "nothing is changed without the lock")
    }
  }

  private static func open(_ path: FilePath) throws(ProvisioningError) -> FileLock {
    do {
      return try FileLock(path)
    } catch {
      throw ProvisioningError(
        error == .permissionDenied ? .needsPrivileges : .cannotCreate,
        "cannot open the lock \(path): \(error.nameAndText)", operation: "create",
        path: path.string, errno: error,
        hint: error == .permissionDenied ? "run as root" : "nothing is changed without the lock")
    }
  }

  private static func holder(_ descriptor: CInt) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return "" }
    let text = String(decoding: bytes[..<count], as: UTF8.self).withoutTrailingNewline
    return UInt32(text) == nil ? "" : " (process \(text))"
  }
}
