// SPDX-License-Identifier: Apache-2.0

/// What a kernel can be asked about its modules: the live one through libkmod, or a simulated one.
public protocol ModuleControl: Sendable {
  /// Where a module stands. Names are compared with `-` and `_` alike.
  func state(of name: String) throws(ModuleError) -> ModuleState

  /// Loads a module and what it depends on.
  /// - Parameter parameters: `name=value` items.
  func load(_ name: String, parameters: [String]) throws(ModuleError)

  /// Unloads a module.
  func unload(_ name: String) throws(ModuleError)
}

/// Where a module stands.
public enum ModuleState: String, Sendable, Hashable, Codable {
  /// Part of the kernel image.
  case builtIn
  /// In the kernel now.
  case loaded
  /// On the disk, for this kernel.
  case loadable
  /// Nowhere.
  case missing
}
