// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// The listening socket: created at a path, or passed by systemd.
public final class Listener {
  /// The reason why there is no socket.
  public struct Failure: Error, Hashable, Sendable {
    /// The attempted operation, as in "cannot create the socket".
    public var operation: String
    public var path: String
    public var errno: CInt?
    public var reason: String
    public var hint: String?
  }

  let descriptor: OpenDescriptor
  /// Nil for an inherited socket, which is not removed.
  public let path: String?

  /// The socket's path, also of an inherited one; nil for a socket without a name.
  public var name: String? {
    if let path { return path }
    var buffer = [CChar](repeating: 0, count: 110)
    let status = unsafe buffer.withUnsafeMutableBufferPointer {
      unsafe epfnvme_unix_name(descriptor.number, $0.baseAddress)
    }
    guard status == 0, buffer[0] != 0 else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private init(_ descriptor: OpenDescriptor, path: String?) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { if let path { _ = unsafe unlink(path) } }

  /// Creates a socket that only its owner can access, unless a mode and a group are given.
  ///
  /// A socket without a listener is replaced.
  /// - Parameter mode: permission bits; 0600 by default.
  /// - Throws: ``Failure`` if others could replace the socket, if another file or a listening socket exists, or for errors of the kernel.
  public init(path: String, mode: UInt32 = 0o600, group: UInt32? = nil) throws(Failure) {
    try Self.checkDirectory(of: path)
    try Self.removeStale(path)
    let number = unsafe epfnvme_unix_bind(path)
    guard number >= 0 else {
      throw Failure(
        operation: "create the socket", path: path, errno: -number,
        reason: Self.text(-number),
        hint: number == -ENAMETOOLONG ? "a socket's path has at most 107 bytes" : nil)
    }
    descriptor = OpenDescriptor(number)
    self.path = path
    // The group first: it must not be open to the wrong one.
    if let group, unsafe chown(path, uid_t.max, gid_t(group)) != 0 {
      throw Self.failure("change the socket's group to \(group)", path, hint: nil)
    }
    if unsafe chmod(path, mode_t(mode)) != 0 {
      throw Self.failure("set the socket's mode", path, hint: nil)
    }
    guard epfnvme_unix_listen(number) == 0 else {
      throw Self.failure("listen on the socket", path, hint: nil)
    }
  }

  /// The first socket that systemd passed to this process; nil if there is none.
  /// - Throws: ``Failure`` for something that is no listening Unix stream socket.
  /// - Source: `sd_listen_fds(3)`.
  public static func inherited() throws(Failure) -> Listener? {
    func number(_ name: String) -> Int? {
      unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) }
    }
    guard number("LISTEN_PID") == Int(getpid()), let count = number("LISTEN_FDS"), count > 0 else {
      return nil
    }
    let first: CInt = 3
    guard count == 1, epfnvme_is_unix_listener(first) != 0 else {
      throw Failure(
        operation: "use the socket that systemd passed", path: "descriptor 3", errno: nil,
        reason: count == 1 ? "it is not a listening Unix stream socket" : "there are \(count)",
        hint: "one ListenStream= with a path")
    }
    _ = fcntl(first, F_SETFD, FD_CLOEXEC)
    _ = fcntl(first, F_SETFL, O_NONBLOCK)
    return Listener(OpenDescriptor(first), path: nil)
  }

  /// In a directory that others can write to, they can replace the socket.
  private static func checkDirectory(of path: String) throws(Failure) {
    let directory = path.lastIndex(of: "/").map {
      $0 == path.startIndex ? "/" : String(path[..<$0])
    }
    let name = directory ?? "."
    var facts = stat()
    guard unsafe stat(name, &facts) == 0 else {
      throw failure("create the socket", path, hint: "create the directory \(name), mode 0700")
    }
    let isOurs = facts.st_uid == geteuid() || facts.st_uid == 0
    guard isOurs, facts.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      throw Failure(
        operation: "create the socket", path: path, errno: nil,
        reason: "others can write to its directory \(name)",
        hint: "use a private directory: mkdir -m 700 DIRECTORY")
    }
  }

  private static func removeStale(_ path: String) throws(Failure) {
    var facts = stat()
    guard unsafe lstat(path, &facts) == 0 else { return }
    guard facts.st_mode & S_IFMT == S_IFSOCK else {
      throw Failure(
        operation: "create the socket", path: path, errno: EEXIST,
        reason: "another file exists", hint: "use a path that does not exist")
    }
    let peer = unsafe epfnvme_unix_connect(path)
    if peer >= 0 { close(peer) }
    guard peer == -ECONNREFUSED else {
      throw Failure(
        operation: "create the socket", path: path, errno: EADDRINUSE,
        reason: "another process listens on it", hint: "stop that server, or use another path")
    }
    guard unsafe unlink(path) == 0 else {
      throw failure("remove the socket that an earlier server left", path, hint: nil)
    }
  }

  private static func failure(_ operation: String, _ path: String, hint: String?) -> Failure {
    let error = errno
    return Failure(
      operation: operation, path: path, errno: error, reason: text(error), hint: hint)
  }

  private static func text(_ error: CInt) -> String { unsafe String(cString: strerror(error)) }
}
