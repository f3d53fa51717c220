// SPDX-License-Identifier: Apache-2.0

/// A change of the link that a user would want to know.
public enum LinkNotice: Hashable, Sendable {
  /// The board has started the controller.
  case started
  case stopped
  /// The board was reset, or has disconnected: nothing that it programmed is left.
  case boardReset
  case up
  case down
  /// The host has reset a function.
  case reset(function: Int, EndpointLink.ResetSignal?)
  /// The board has dealt with the host's reset.
  case resetCompleted
  /// The board did not deal with it in time.
  case resetTimedOut
  case boardConnected
  /// - Parameter reason: nil if it disconnected itself.
  case boardLeft(reason: String?)
  /// The host of a function has connected.
  case hostConnected(function: Int)
  case hostLeft(function: Int, reason: String?)
}
