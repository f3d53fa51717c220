// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// The kernel's behaviour for one attribute: its mode, its initial value, its `show` and its `store`.
///
/// A value is kept as the text that is shown, without the line feed.
struct AttributeRule: Sendable {
  enum Mode: String { case readWrite, readOnly, writeOnly }
  typealias Show = @Sendable (KernelState, Int) -> String
  typealias Store = @Sendable (inout KernelState, Int, Written) throws(Errno) -> Void
  /// Converts the written text to the text that is shown.
  typealias Parse = @Sendable (Written, Release) throws(Errno) -> String
  /// Throws when the attribute cannot be written now.
  typealias Lock = @Sendable (inout KernelState, Int) throws(Errno) -> Void

  var name: String
  var mode = Mode.readWrite
  var initial = ""
  var show: Show
  var store: Store
  /// `store` returns the length of the first line, without the line feed (`nvmet/discovery_nqn` only).
  var countsFirstLine = false
  /// Which kernels have it.
  var exists: @Sendable (KernelState) -> Bool = { _ in true }

  /// An attribute whose value is its text.
  static func plain(
    _ name: String, _ initial: String, lock: Lock? = nil, after: Lock? = nil,
    _ parse: @escaping Parse
  ) -> AttributeRule {
    AttributeRule(
      name: name, initial: initial, show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        if let lock { try lock(&state, node) }
        let text = try parse(written, state.kernelRelease)
        if let after { try after(&state, node) }
        state.set(name, text, of: node)
      })
  }

  /// The same attribute, only on some kernels.
  func when(_ condition: @escaping @Sendable (KernelState) -> Bool) -> AttributeRule {
    var rule = self
    rule.exists = condition
    return rule
  }

  func readOnly() -> AttributeRule {
    var rule = self
    rule.mode = .readOnly
    return rule
  }

  func writeOnly() -> AttributeRule {
    var rule = self
    rule.mode = .writeOnly
    return rule
  }
}

/// Parsers that many attributes share.
enum Parse {
  static let bool: AttributeRule.Parse = { (written, kernelRelease) throws(Errno) in
    try written.bool(kernelRelease) ? "1" : "0"
  }

  /// An unsigned number shown in decimal; the errno is that of `kstrto*`.
  static func unsigned(upTo limit: UInt64) -> AttributeRule.Parse {
    { (written, _) throws(Errno) in String(try written.unsigned(upTo: limit)) }
  }

  /// An unsigned number; every failure is EINVAL.
  static func strict(
    upTo limit: UInt64, _ show: @escaping @Sendable (UInt64) -> String = { String($0) }
  ) -> AttributeRule.Parse {
    { (written, _) throws(Errno) in
      guard let value = try? written.unsigned(upTo: limit) else { throw .invalidArgument }
      return show(value)
    }
  }
}

/// Every attribute of the three trees, by kind of directory, in the order in which the kernel declares them.
struct AttributeTable: Sendable {
  private var rules: [Node.Kind: [AttributeRule]]
  private var byName: [Node.Kind: [String: AttributeRule]]

  private init(_ kernelRelease: Release) {
    rules = Self.endpointRules(kernelRelease)
    rules.merge(Self.targetRules(kernelRelease)) { first, _ in first }
    rules.merge(Self.nullBlockRules(kernelRelease)) { first, _ in first }
    byName = rules.mapValues { rules in
      Dictionary(rules.map { ($0.name, $0) }) { first, _ in first }
    }
  }

  private static let linux7_2 = AttributeTable(.linux7_2)
  private static let linux6_12 = AttributeTable(.linux6_12)

  static func of(_ kernelRelease: Release) -> AttributeTable {
    switch kernelRelease.generation {
    case .linux7_2: linux7_2
    case .linux6_12: linux6_12
    }
  }

  func rule(_ name: String, in kind: Node.Kind) -> AttributeRule? { byName[kind]?[name] }

  /// The rules of a directory in the kernel's order of declaration.
  func rules(in kind: Node.Kind) -> [AttributeRule] { rules[kind] ?? [] }
}

extension KernelState {
  func rule(_ name: String, of node: Int) -> AttributeRule? {
    guard let rule = AttributeTable.of(kernelRelease).rule(name, in: tree[node].kind),
      rule.exists(self)
    else { return nil }
    return rule
  }

  /// The names of a directory's attributes in the order of declaration.
  func attributes(of node: Int) -> [AttributeRule] {
    AttributeTable.of(kernelRelease).rules(in: tree[node].kind).filter { $0.exists(self) }
  }
}
