// SPDX-License-Identifier: Apache-2.0

/// The limits of this implementation for data in messages, bytes.
enum TransferLimit {
  /// The most data that one message may carry either way, as offered in VERSION.
  static let data = 1 << 20
  /// The least that a peer may offer.
  static let minimum = 4096
  /// The maximum data in one reply of the client: QEMU (11.1) sends a reply with one nonblocking call, and drops bytes for which its
  /// socket has no room. This size fits into one buffer of the kernel, so it is sent completely or not at all.
  static let reply = 1 << 16
  /// The maximum size of a message: the maximum data and its headers.
  static let message = data + 4096
}
