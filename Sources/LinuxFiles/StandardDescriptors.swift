// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
package import SystemPackage

/// The three descriptors that a process is started with.
package enum StandardDescriptors {
  /// Opens those of descriptors 0, 1 and 2 that are closed on `/dev/null`, before any file can get their numbers.
  ///
  /// Closed descriptors still fail: descriptor 0 cannot be read and 1 cannot be written, so that both return EBADF. Messages to 2 are
  /// dropped. Without `/dev/null` the root directory is opened instead.
  /// - Source: gnulib, `stdopen.c`.
  package static func openMissing() {
    for (number, access) in [(CInt(0), O_WRONLY), (1, O_RDONLY), (2, O_RDWR)]
    where fcntl(number, F_GETFD) < 0 {
      // The lowest free number is this one: those below are open. Children have them, too, so no O_CLOEXEC.
      if unsafe open("/dev/null", access) < 0 { _ = unsafe open("/", O_RDONLY | O_DIRECTORY) }
    }
  }

  /// All of standard input, which may be a pipe or a socket.
  /// - Throws: EBADF when it was closed at the start; EFBIG for more than 64 MiB.
  package static func readInput() throws(Errno) -> [UInt8] {
    try Descriptor.readToEnd(STDIN_FILENO)
  }

  /// Writes everything to descriptor 1 or 2.
  ///
  /// After a signal has been remembered (`epfnvme_remember_signals`), a reader that does not read delays the process by at most a second.
  /// - Throws: ETIMEDOUT for such a reader; EPIPE if the reader has closed the pipe.
  package static func write(_ bytes: [UInt8], to number: CInt) throws(Errno) {
    var rest = bytes[...]
    while !rest.isEmpty {
      var piece = rest
      if epfnvme_caught_signal() != 0 {
        guard isWritable(number, within: 1000) else { throw .timedOut }
        // That many bytes never block a pipe which can be written to.
        piece = rest.prefix(4096)
      }
      let count = unsafe piece.withUnsafeBytes {
        unsafe LibC.write(number, $0.baseAddress, $0.count)
      }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      let error = count == 0 ? Errno.ioError : .current
      switch error {
      case .interrupted: break
      case .resourceTemporarilyUnavailable: _ = isWritable(number, within: 1000)
      default: throw error
      }
    }
  }

  /// Whether the other end of a pipe, a socket or a terminal is closed.
  package static func hasReader(_ number: CInt) -> Bool {
    var request = pollfd(fd: number, events: 0, revents: 0)
    return unsafe poll(&request, 1, 0) <= 0 || request.revents & Int16(POLLERR) == 0
  }

  /// - Parameter limit: milliseconds.
  private static func isWritable(_ number: CInt, within limit: CInt) -> Bool {
    var request = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    // Do not wait for a descriptor in an error state: write reports the error.
    return unsafe poll(&request, 1, limit) != 0
  }
}
