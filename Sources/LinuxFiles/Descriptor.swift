// SPDX-License-Identifier: Apache-2.0
package import LibC
package import SystemPackage

/// An open file that is closed at its deinitialisation.
package struct Descriptor: ~Copyable {
  package let number: CInt

  package init(opening path: FilePath, _ flags: CInt, mode: mode_t = 0) throws(Errno) {
    while true {
      let number = unsafe open(path.string, flags | O_CLOEXEC, mode)
      if number >= 0 {
        self.number = number
        return
      }
      let error = Errno.current
      if error != .interrupted { throw error }
    }
  }

  /// Takes ownership of the descriptor of a call; a negative number is the call's error.
  package init(_ opened: CInt) throws(Errno) {
    number = CInt(try Errno.check(Int64(opened)))
  }

  deinit { LibC.close(number) }

  /// Closes it.
  /// - Throws: errors that the file system reports only at close: ENOSPC, EDQUOT, EIO.
  package consuming func close() throws(Errno) {
    let number = number
    discard self
    // After EINTR the descriptor is also closed.
    guard LibC.close(number) == 0 || Errno.current == .interrupted else { throw .current }
  }

  /// Everything from here to the end.
  /// - Throws: also EFBIG for more than 64 MiB, since no file that is read completely is larger, and `/dev/zero` never ends.
  package func readToEnd() throws(Errno) -> [UInt8] { try Self.readToEnd(number) }

  static func readToEnd(_ number: CInt) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe read(number, $0.baseAddress, $0.count)
      }
      if count < 0 {
        let error = Errno.current
        if error == .interrupted { continue }
        throw error
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      if bytes.count > 64 << 20 { throw .fileTooLarge }
    }
  }

  /// Writes everything, in as many calls as necessary.
  package func writeAll(_ bytes: [UInt8]) throws(Errno) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      let error = count == 0 ? Errno.ioError : .current
      if error != .interrupted { throw error }
    }
  }

  /// Appends everything to a file. After a failure the file is truncated to its previous length.
  package func append(_ bytes: [UInt8]) throws(Errno) {
    let end = lseek(number, 0, SEEK_END)
    do { try writeAll(bytes) } catch {
      if end >= 0, ftruncate(number, end) == 0 { _ = lseek(number, end, SEEK_SET) }
      throw error
    }
  }

  /// Returns when the written data survives a crash of the machine.
  package func synchronize() throws(Errno) {
    guard fdatasync(number) == 0 else { throw .current }
  }

  /// The type of the file: a `S_IFMT` value.
  package func kind() throws(Errno) -> mode_t {
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { throw .current }
    return status.st_mode & S_IFMT
  }
}
