// SPDX-License-Identifier: Apache-2.0
internal import LibC
package import SystemPackage

/// A program that is run to its end.
///
/// It has its own process group, so that it is killed together with the programs that it started. It cannot read from the terminal, and
/// keys of the terminal do not reach it.
package struct ChildProcess {
  /// The program's path and its arguments.
  package var arguments: [String]
  /// `NAME=value`; nil is a small one in the C locale.
  package var environment: [String]?
  /// The input of the program.
  package var input = ""
  /// Whether the output includes standard error; otherwise it is inherited.
  package var takesErrors = true
  /// After this it is killed, with the programs that it started; nil is never.
  package var limit: Duration?
  /// Called four times a second; if false, the program is killed.
  package var isUnwanted: () -> Bool = { false }

  package init(_ arguments: [String]) { self.arguments = arguments }

  /// The environment of this process.
  package static var ownEnvironment: [String] {
    var result: [String] = []
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
      result.append(unsafe String(cString: text))
      unsafe entry += 1
    }
    return result
  }

  /// The first directory of PATH that has a program of a name.
  package static func path(of name: String) -> String? {
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").lazy.map { "\($0)/\(name)" }
      .first { unsafe access($0, X_OK) == 0 }
  }

  /// The result of a program.
  package struct Ending {
    /// The exit status, or 128 and the signal.
    package var status: CInt
    package var output: String
    /// Whether it was killed because its time was up.
    package var ranOutOfTime: Bool
  }

  /// - Throws: why the program could not be started.
  package func run() throws(Errno) -> Ending {
    var toChild: [CInt] = [-1, -1]
    var fromChild: [CInt] = [-1, -1]
    guard unsafe pipe(&toChild) == 0 else { throw .current }
    guard unsafe pipe(&fromChild) == 0 else {
      let error = Errno.current
      for end in toChild { close(end) }
      throw error
    }
    for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
    if takesErrors { unsafe posix_spawn_file_actions_adddup2(&actions, fromChild[1], 2) }
    // Signals that this process ignores (SIGPIPE, SIGXFSZ) are reset for the program.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
    var defaults = sigset_t()
    unsafe sigemptyset(&defaults)
    for signal in [SIGPIPE, SIGXFSZ] { unsafe sigaddset(&defaults, signal) }
    unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    let variables = environment ?? ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
    var vector: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var values: [UnsafeMutablePointer<CChar>?] = unsafe variables.map { unsafe strdup($0) } + [nil]
    defer {
      for index in unsafe vector.indices { unsafe free(vector[index]) }
      for index in unsafe values.indices { unsafe free(values[index]) }
    }
    var process = pid_t()
    let status = unsafe posix_spawn(
      &process, arguments[0], &actions, &attributes, &vector, &values)
    close(toChild[0])
    close(fromChild[1])
    guard status == 0 else {
      close(toChild[1])
      close(fromChild[0])
      throw Errno(rawValue: status)
    }
    let (output, isLate) = converse(process, to: toChild[1], from: fromChild[0])
    var result: CInt = 0
    while unsafe waitpid(process, &result, 0) < 0 {
      let error = Errno.current
      if error != .interrupted { throw error }
    }
    let signal = result & 0x7f
    return Ending(
      status: signal == 0 ? (result >> 8) & 0xff : 128 + signal, output: output,
      ranOutOfTime: isLate)
  }

  /// Writes the input, reads the output, and kills the program on a timeout.
  private func converse(
    _ process: pid_t, to input: CInt, from output: CInt
  ) -> (output: String, isLate: Bool) {
    let end = limit.map { ContinuousClock.now + $0 }
    var pending = Array(self.input.utf8)[...]
    var isWriting = true
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    _ = fcntl(input, F_SETFL, O_NONBLOCK)
    _ = fcntl(output, F_SETFL, O_NONBLOCK)
    func endWriting() {
      close(input)
      isWriting = false
    }
    defer {
      if isWriting { close(input) }
      close(output)
    }
    while true {
      if isWriting, pending.isEmpty { endWriting() }
      let isLate = end.map { $0 <= .now } ?? false
      if isLate || isUnwanted() {
        kill(-process, SIGKILL)
        // A program that left the group may keep the pipe open.
        return (String(decoding: bytes, as: UTF8.self).trimmed, isLate)
      }
      var waits = [
        pollfd(fd: output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isWriting ? input : -1, events: Int16(POLLOUT), revents: 0),
      ]
      _ = unsafe poll(&waits, 2, 250)
      if waits[1].revents != 0 {
        // The process ignores SIGPIPE; writing ends when the reader closes the pipe.
        let count = unsafe pending.withUnsafeBytes {
          unsafe write(input, $0.baseAddress, $0.count)
        }
        if count > 0 {
          pending = pending.dropFirst(count)
        } else if Errno.current != .resourceTemporarilyUnavailable, Errno.current != .interrupted {
          endWriting()
        }
      }
      guard waits[0].revents != 0 else { continue }
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe read(output, $0.baseAddress, $0.count)
      }
      if count > 0 {
        bytes += chunk[..<count]
      } else if count == 0 {
        break
      } else if Errno.current != .resourceTemporarilyUnavailable, Errno.current != .interrupted {
        break
      }
    }
    return (String(decoding: bytes, as: UTF8.self).trimmed, false)
  }
}
