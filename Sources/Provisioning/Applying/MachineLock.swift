// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import LinuxFiles
internal import SystemPackage

/// The one lock for changes of a machine; the kernel drops it when the process ends, however it ends.
struct MachineLock: ~Copyable {
  private let file: Descriptor

  /// - Parameter limit: how long to wait for another run.
  init(_ run: RunDirectory, waitingUpTo limit: Duration) throws(ProvisioningError) {
    try run.create()
    let path = run.lockPath.string
    let file = try Self.open(run.lockPath)
    let descriptor = file.number
    let start = ContinuousClock.now
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let error = Errno.current
      guard error == .wouldBlock || error == .interrupted else {
        throw ProvisioningError(
          .cannotCreate, "cannot lock \(path): \(error.nameAndText)", operation: "lock", path: path,
          errno: error, hint: "nothing is changed without the lock")
      }
      let waited = ContinuousClock.now - start
      guard waited < limit, Signals.caught == nil else {
        let holder = Self.holder(descriptor)
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
    self.file = file
    var pid = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = unsafe pwrite(descriptor, &pid, pid.count, 0)
  }

  // Closing the descriptor alone would leave the lock to a child that another thread has forked and that has not called exec yet.
  // - Source: flock(2).
  deinit { _ = flock(file.number, LOCK_UN) }

  private static func open(_ path: FilePath) throws(ProvisioningError) -> Descriptor {
    do {
      return try Descriptor(opening: path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
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
