// SPDX-License-Identifier: Apache-2.0

/// The operations of a function on its host.
public protocol HostInterface: AnyObject {
  /// The host's memory. A function uses it only as a bus master in D0.
  var memory: HostMemory { get }

  /// Sends the message of an MSI or MSI-X vector.
  ///
  /// The function has checked masks and enable bits before.
  func interrupt(vector: Int)

  /// Brings the function's INTx line to a level.
  func intx(asserted: Bool)
}
