// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// An open file that is closed with its last reference.
final class OpenDescriptor: Sendable {
  let number: CInt

  init(_ number: CInt) { self.number = number }

  /// A duplicate of a descriptor with another owner; nil if there are no descriptors left.
  convenience init?(duplicating other: CInt) {
    let number = fcntl(other, F_DUPFD_CLOEXEC, 0)
    guard number >= 0 else { return nil }
    self.init(number)
  }

  deinit { close(number) }

  /// Whether it is an event counter: others could block, or be harmed, when they are signalled.
  var isEvent: Bool {
    var target = [CChar](repeating: 0, count: 32)
    let count = unsafe readlink("/proc/self/fd/\(number)", &target, target.count)
    let name = target.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
    return String(decoding: name, as: UTF8.self) == "anon_inode:[eventfd]"
  }

  /// Makes writes nonblocking: the owner of an event counter could fill it.
  func preventWaiting() {
    let flags = fcntl(number, F_GETFL)
    if flags >= 0, flags & O_NONBLOCK == 0 { _ = fcntl(number, F_SETFL, flags | O_NONBLOCK) }
  }

  /// Adds 1 to an event counter. A full counter has been signalled already.
  func signal() { add(1) }

  /// The value of a full event counter.
  static let fullEvent = UInt64.max - 1

  /// Fills an event counter: it becomes writable when its owner reads it.
  func fill() { add(Self.fullEvent) }

  private func add(_ value: UInt64) {
    var value = value
    _ = unsafe write(number, &value, 8)
  }

  /// Whether an event counter that was filled has been read.
  var isRead: Bool {
    var polled = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&polled, 1, 0) != 0
  }
}
