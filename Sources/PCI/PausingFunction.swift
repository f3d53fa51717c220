// SPDX-License-Identifier: Apache-2.0

/// A function that can complete an access later.
public protocol PausingFunction: Function {
  /// Whether the last access of the host is not complete. Its reply, and all later accesses of the host, wait.
  var isPaused: Bool { get }
}
