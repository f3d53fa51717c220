// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// The attributes that processes hold open.
///
/// They are not saved with the kernel: a descriptor ends with its process.
struct OpenAttributes: Codable, Sendable {
  /// One descriptor.
  struct Descriptor: Sendable {
    var rule: AttributeRule
    var node: Int
    /// The module that owns the attribute, which it keeps in the kernel.
    var module: String?
    var isReadable: Bool
    var isWritable: Bool
    /// The text that the first read fetched, until a write.
    var text: [UInt8]?
    var position = 0
  }

  var descriptors: [Int: Descriptor] = [:]

  init() {}
  init(from decoder: any Decoder) throws {}
  func encode(to encoder: any Encoder) throws {}
}

/// System calls on an attribute that stays open.
/// - Source: `fs/configfs/file.c`, `__configfs_open_file`, `configfs_read_iter`, `configfs_write_iter`.
extension KernelState {
  /// Opens an attribute under the lowest free number.
  mutating func openAttribute(
    _ path: String, reading: Bool, writing: Bool
  ) throws(Errno) -> Int {
    guard case .attribute(let rule, let node) = try find(path, followsLast: true) else {
      // A directory can be opened, to be read as one only.
      throw .isDirectory
    }
    if writing, rule.mode == .readOnly { throw .permissionDenied }
    if reading, rule.mode == .writeOnly { throw .permissionDenied }
    guard machine.isPrivileged || !writing else { throw .permissionDenied }
    var open = openAttributes ?? OpenAttributes()
    let number = (0...).first { open.descriptors[$0] == nil } ?? 0
    open.descriptors[number] = .init(
      rule: rule, node: node, module: moduleOfAttributes(of: node), isReadable: reading,
      isWritable: writing)
    openAttributes = open
    return number
  }

  /// The module whose code is behind the attributes of a directory; nil if it is built in.
  private func moduleOfAttributes(of node: Int) -> String? {
    switch tree[node].kind {
    case .targetRoot, .subsystems, .subsystem, .namespaces, .namespace, .allowedHosts, .passthru,
      .ports, .port, .portSubsystems, .referrals, .referral, .anaGroups, .anaGroup, .hosts, .host:
      "nvmet"
    case .nullBlockRoot, .nullBlock, .faultGroup: "null_blk"
    case .nvmeGroup, .testGroup: functions[tree[node].parent]?.driver
    case .gone, .link, .root, .endpointRoot, .functions, .functionDriver, .function, .primary,
      .secondary, .controllers, .controller:
      nil
    }
  }

  /// Reads up to a page from the position of a descriptor.
  mutating func readOpenAttribute(_ number: Int) throws(Errno) -> [UInt8] {
    guard var open = openAttributes?.descriptors[number], open.isReadable else {
      throw .badFileDescriptor
    }
    if open.text == nil {
      guard tree.has(open.node) else { throw .noSuchFileOrDirectory }
      open.text = Array(open.rule.show(self, open.node).utf8)
    }
    let rest = Array((open.text ?? []).dropFirst(open.position))
    open.position += rest.count
    openAttributes?.descriptors[number] = open
    return rest
  }

  /// Writes a value; the text that was read before is stale, even when the value is refused.
  mutating func writeOpenAttribute(_ text: String, to number: Int) throws(Errno) -> Int {
    guard let open = openAttributes?.descriptors[number], open.isWritable else {
      throw .badFileDescriptor
    }
    openAttributes?.descriptors[number]?.text = nil
    let written = Written(text.utf8.prefix(4095))
    guard written.count > 0 else { throw .badAddress }
    guard tree.has(open.node) else { throw .noSuchFileOrDirectory }
    let taken = try store(written, by: open.rule, at: open.node)
    openAttributes?.descriptors[number]?.position += taken
    return taken
  }

  mutating func rewindOpenAttribute(_ number: Int) throws(Errno) {
    guard openAttributes?.descriptors[number] != nil else { throw .badFileDescriptor }
    openAttributes?.descriptors[number]?.position = 0
  }

  mutating func closeAttribute(_ number: Int) throws(Errno) {
    guard openAttributes?.descriptors.removeValue(forKey: number) != nil else {
      throw .badFileDescriptor
    }
    if openAttributes?.descriptors.isEmpty == true { openAttributes = nil }
  }
}

/// The result of `lstat(2)` for an entry of configfs.
package struct EntryStatus: Sendable, Hashable {
  /// Type and permissions, as in `st_mode`.
  package var mode: UInt32
  package var links: Int

  package init(mode: UInt32, links: Int) {
    self.mode = mode
    self.links = links
  }
}

extension KernelState {
  /// - Source: `fs/configfs/dir.c`, `configfs_create_dir`; `inode.c`; a page is 4096 bytes here.
  func status(of path: String) throws(Errno) -> EntryStatus {
    switch try find(path) {
    case .attribute(let rule, _):
      let permissions: UInt32 =
        switch rule.mode {
        case .readWrite: 0o644
        case .readOnly: 0o444
        case .writeOnly: 0o200
        }
      return EntryStatus(mode: 0o100000 | permissions, links: 1)
    case .node(let node):
      if tree[node].target != nil { return EntryStatus(mode: 0o120777, links: 1) }
      let directories = tree[node].children.filter { tree[$0].target == nil && isVisible($0) }
      return EntryStatus(mode: 0o040755, links: 2 + directories.count)
    }
  }
}
