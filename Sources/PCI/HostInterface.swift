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

  /// Whether the host's side takes an assertion of the line later, so that ``isLinePending`` can be true.
  var takesLineLater: Bool { get }

  /// Whether the last assertion of the line has yet to be taken.
  var isLinePending: Bool { get }
}

extension HostInterface {
  public var takesLineLater: Bool { false }
  public var isLinePending: Bool { false }
}
