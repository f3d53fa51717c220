// SPDX-License-Identifier: Apache-2.0

/// The kind of a reset.
/// - Source: PCIe Base 5.0, 6.6.
public enum ResetKind: Hashable, Sendable {
  /// The host set the initiate bit of one function: the link and its settings stay.
  case functionLevel

  /// PERST#, a hot reset or loss of power: all registers get their initial values.
  case conventional
}
