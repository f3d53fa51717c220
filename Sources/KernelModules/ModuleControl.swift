// SPDX-License-Identifier: Apache-2.0

/// Access to the modules of a kernel: the live one through libkmod, or a simulated one.
public protocol ModuleControl: Sendable {
  /// The state of a module. `-` and `_` are equal in names.
  func state(of name: String) throws(ModuleError) -> ModuleState

  /// Loads a module and its dependencies.
  /// - Parameter parameters: `name=value` items.
  func load(_ name: String, parameters: [String]) throws(ModuleError)

  /// The values of a module's parameters: the current ones, or those that the machine's configuration sets at load. Empty if unknown.
  func parameters(of name: String) -> [String: String]

  /// Unloads a module.
  func unload(_ name: String) throws(ModuleError)
}

/// The options that a module is loaded with.
public enum ModuleOptions {
  /// Parameter → value. The last item for a parameter counts; a name alone is a switch that is on.
  /// - Parameter items: `name=value` or `name`.
  public static func values(of items: some Sequence<some StringProtocol>) -> [String: String] {
    var values: [String: String] = [:]
    for item in items {
      let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first else { continue }
      values[String(name)] = parts.count == 2 ? String(parts[1]) : "Y"
    }
    return values
  }
}

/// The state of a module.
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
