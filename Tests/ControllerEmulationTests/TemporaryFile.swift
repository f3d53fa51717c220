// SPDX-License-Identifier: Apache-2.0
import LibC

/// A file of zeroes, which goes with its owner.
final class TemporaryFile: Sendable {
  let path: String

  struct Failure: Error {
    var errno: CInt
  }

  /// - Parameter bytes: the size; the file is sparse.
  init(bytes: Int) throws {
    var template = Array("/tmp/epfnvme-namespace-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Failure(errno: errno) }
    defer { close(descriptor) }
    path = String(
      decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard ftruncate(descriptor, off_t(bytes)) == 0 else { throw Failure(errno: errno) }
  }

  deinit { unlink(path) }

  /// Truncates the file while it is open.
  func truncate(to bytes: Int) throws {
    guard LibC.truncate(path, off_t(bytes)) == 0 else { throw Failure(errno: errno) }
  }
}
