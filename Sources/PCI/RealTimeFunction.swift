// SPDX-License-Identifier: Apache-2.0

/// A function that does work as the machine's time passes.
public protocol RealTimeFunction: Function {
  /// Nanoseconds until ``catchUp()`` has something to do that the host could notice; nil when it never has, unless the host acts first.
  ///
  /// Called between two work items: it must not access the host's memory.
  var nanosecondsToWork: UInt64? { get }

  /// Does the work that is due.
  func catchUp()
}
