// SPDX-License-Identifier: Apache-2.0

/// An event for a function's device.
struct FunctionEvent: Codable, Sendable, Hashable {
  enum Kind: Codable, Sendable, Hashable {
    /// epc_init of a driver whose endpoint controller does not report its link: it polls from now on.
    case started
    case linkUp, linkDown
    /// The host's driver sets CC.EN, or clears it.
    case enable, disable
    /// The target's namespaces were added, removed or changed.
    case namespaces
    /// Unbound, or its endpoint controller was removed; the device.
    case removed(FunctionController)
  }
  /// The function's directory.
  var function: Int
  var kind: Kind

  init(_ function: Int, _ kind: Kind) {
    self.function = function
    self.kind = kind
  }
}
