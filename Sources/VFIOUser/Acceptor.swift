// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// Accepts connections. After a failure, for which a listening socket stays readable, it pauses: descriptors or memory have run out.
struct Acceptor {
  static let pause = Duration.milliseconds(100)

  /// The system call: a descriptor or a negative errno.
  private let call: (CInt) -> CInt
  private var end: ContinuousClock.Instant?

  init(call: @escaping (CInt) -> CInt = epfnvme_unix_accept) { self.call = call }

  /// - Returns: nil if there is no connection, or none can be accepted.
  mutating func accept(_ listener: OpenDescriptor) -> OpenDescriptor? {
    let number = call(listener.number)
    guard number < 0 else { return OpenDescriptor(number) }
    // The others say that this client has gone.
    if [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(-number) { end = .now + Self.pause }
    return nil
  }

  /// Nanoseconds until the end of the pause; nil without one, or after its end.
  mutating func takePause() -> UInt64? {
    guard let end else { return nil }
    let left = (end - .now).components
    guard left.seconds > 0 || left.attoseconds > 0 else {
      self.end = nil
      return nil
    }
    return UInt64(left.seconds) * 1_000_000_000 + UInt64(left.attoseconds / 1_000_000_000) + 1
  }
}
