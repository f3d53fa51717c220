// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import FoundationEssentials
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// A state file that cannot be used.
public struct StateFileError: Error, Hashable, Sendable, CustomStringConvertible {
  public var file: FilePath
  public var reason: String

  public var description: String { "cannot use the simulated kernel's state \(file): \(reason)" }
}

/// The file of a persistent kernel, and its lock.
///
/// The file is replaced atomically, so a reader sees one state or the next, also after SIGKILL.
struct StateFile: Sendable {
  let path: FilePath

  /// The identity of a version of the file.
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

  /// Takes the lock that serializes changes of processes.
  /// - Parameter failure: the error to throw if it cannot be opened or locked: without it no change is made.
  func lock<Failure: Error>(
    orThrow failure: (Errno) -> Failure
  ) throws(Failure) -> FileLock {
    do {
      let lock = try FileLock(FilePath(lockPath))
      try lock.lock()
      return lock
    } catch { throw failure(error) }
  }

  /// The state in the file; nil when there is no file.
  func load() throws(StateFileError) -> KernelState? {
    let bytes: [UInt8]
    do { bytes = try readBytes(path) } catch .noSuchFileOrDirectory { return nil } catch {
      throw failure("read", error)
    }
    let data = Data(bytes)
    struct Header: Decodable { var version: Int }
    do {
      let header = try JSONDecoder().decode(Header.self, from: data)
      guard header.version == KernelState.currentVersion else {
        throw StateFileError(
          file: path,
          reason: "it has version \(header.version), this tool supports version "
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
    do { try AtomicFile.replace(path, with: bytes, by: FilePath(newPath)) } catch {
      throw failure(error.operation, error.errno)
    }
  }

  func failure(_ operation: String, _ error: Errno) -> StateFileError {
    StateFileError(file: path, reason: "cannot \(operation) it: \(error.nameAndText)")
  }
}
