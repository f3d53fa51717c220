// SPDX-License-Identifier: Apache-2.0

/// A function that does things by itself as the machine's time passes.
public protocol RealTimeFunction: Function {
  /// Nanoseconds until ``catchUp()`` has something to do that the host could notice; nil when it never has, unless the host acts first.
  ///
  /// Asked between two pieces of work: it must not reach into the host's memory.
  var nanosecondsToWork: UInt64? { get }

  /// Does what has fallen due.
  func catchUp()
}
