// SPDX-License-Identifier: Apache-2.0

/// A function that does things by itself as the machine's time passes.
public protocol RealTimeFunction: Function {
  /// Nanoseconds until ``catchUp()`` has something to do that the host could notice; nil when it never has, unless the host acts first.
  var nanosecondsToWork: UInt64? { get }

  /// Does what has fallen due.
  func catchUp()
}
