// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import Glibc
public import SystemPackage

/// A state file that cannot be used.
public struct StateFileError: Error, Hashable, Sendable, CustomStringConvertible {
  public var file: FilePath
  public var reason: String

  public var description: String { "cannot use the simulated kernel's state \(file): \(reason)" }
}

/// The file that holds a persistent kernel, and the lock that goes with it.
///
/// The file is replaced as a whole, so a reader sees one state or the next, also after SIGKILL.
struct StateFile: Sendable {
  let path: FilePath

  /// What tells one version of the file from the next.
  struct Version: Equatable, Sendable {
    var inode: UInt64
    var size: Int64
    var seconds: Int
    var nanoseconds: Int
  }

  private var lockPath: String { path.string + ".lock" }
  private var newPath: String { path.string + ".new" }

  /// The file's present version; nil when there is no file.
  func version() -> Version? {
    var status = stat()
    guard unsafe stat(path.string, &status) == 0 else { return nil }
    return Version(
      inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
  }

  /// Runs a change while no other process can make one.
  func locked<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result where Failure: Error {
    let descriptor = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { if descriptor >= 0 { _ = close(descriptor) } }
    if descriptor >= 0 {
      while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
    }
    return try body()
  }

  /// The state in the file; nil when there is no file.
  func load() throws(StateFileError) -> KernelState? {
    let descriptor = unsafe open(path.string, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw failure(Errno(rawValue: errno))
    }
    defer { _ = close(descriptor) }
    var bytes: [UInt8] = []
    while true {
      let piece = 65536
      let start = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: piece))
      let count = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe read(descriptor, buffer.baseAddress.map { unsafe $0 + start }, piece)
      }
      if count < 0, errno == EINTR {
        bytes.removeLast(piece)
        continue
      }
      guard count >= 0 else { throw failure(Errno(rawValue: errno)) }
      bytes.removeLast(piece - count)
      if count == 0 { break }
    }
    let data = Data(bytes)
    struct Header: Decodable { var version: Int }
    do {
      let header = try JSONDecoder().decode(Header.self, from: data)
      guard header.version == KernelState.currentVersion else {
        throw StateFileError(
          file: path,
          reason: "it has version \(header.version), this tool knows version "
            + "\(KernelState.currentVersion)")
      }
      let state = try JSONDecoder().decode(KernelState.self, from: data)
      if let damage = state.damage() {
        throw StateFileError(file: path, reason: "it is damaged (\(damage))")
      }
      return state
    } catch let error as StateFileError {
      throw error
    } catch {
      throw StateFileError(file: path, reason: "it is damaged (\(error))")
    }
  }

  /// Replaces the file.
  func save(_ state: KernelState) throws(StateFileError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let bytes: [UInt8]
    do { bytes = [UInt8](try encoder.encode(state)) } catch {
      throw StateFileError(file: path, reason: "\(error)")
    }
    let descriptor = unsafe open(newPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure(Errno(rawValue: errno)) }
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(
          descriptor, buffer.baseAddress.map { unsafe $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let error = Errno(rawValue: errno)
        _ = close(descriptor)
        throw failure(error)
      }
      written += count
    }
    _ = close(descriptor)
    guard unsafe rename(newPath, path.string) == 0 else { throw failure(Errno(rawValue: errno)) }
  }

  private func failure(_ error: Errno) -> StateFileError {
    StateFileError(file: path, reason: "\(error)")
  }
}
