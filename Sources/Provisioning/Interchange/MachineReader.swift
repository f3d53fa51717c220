// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Reads the objects of a machine as texts, all of them or those of some profiles; the common half of every export.
final class MachineReader {
  let machine: Machine
  /// The objects of the chosen profiles, or of all profiles if none is chosen.
  let owned: Ledger
  /// Shows secrets as they are.
  let showsSecrets: Bool
  private(set) var warnings: [ProfileIssue] = []

  private let isWhole: Bool

  init(_ machine: Machine, owned: Ledger, isWhole: Bool, showsSecrets: Bool) {
    self.machine = machine
    self.owned = owned
    self.isWhole = isWhole
    self.showsSecrets = showsSecrets
  }

  /// Whether the selection includes an object or a part of it.
  func isChosen(_ directory: ConfigDirectory) -> Bool {
    if isWhole { return true }
    let path = directory.path.string
    return owned.directories.contains(path)
      || owned.entries.contains { $0.operation.path.hasPrefix(path + "/") }
  }

  /// Reports an omission from the export.
  func warn(_ directory: ConfigDirectory, _ message: String, hint: String? = nil) {
    warn(directory.path.string, message, hint: hint)
  }

  func warn(_ path: String, _ message: String, hint: String? = nil) {
    let root = machine.configFS.mountPoint.string + "/"
    warnings.append(
      ProfileIssue(
        .warning, path: path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path,
        message: message, hint: hint))
  }

  func add(_ issues: [ProfileIssue]) { warnings += issues }

  /// The attributes of a directory that can be read and written, without line feeds; secrets are hidden unless requested.
  ///
  /// Read-only attributes, such as the statistics of an out-of-tree driver, cannot be set up again.
  func texts(of directory: ConfigDirectory, prefix: String = "") throws(ConfigFSError)
    -> [Profile.RawAttribute]
  {
    var found: [Profile.RawAttribute] = []
    for entry in try directory.entries() where entry.kind == .attribute {
      // Commands cannot be read; attributes that disappear meanwhile are omitted.
      let path = directory.path.appending(entry.name)
      guard let shown = try? machine.configFS.read(path),
        (try? machine.configFS.isWritable(path)) == true
      else { continue }
      let text = shown.withoutTrailingNewline
      if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
        if entry.name != "badblocks" {
          warn(path.string, "has more than a line of text: left out")
        }
        continue
      }
      found.append(
        Profile.RawAttribute(
          name: prefix + entry.name,
          text: showsSecrets ? text : SecretAttribute.reported(text, at: entry.name)))
    }
    return found
  }

  /// The text of an attribute; nil when it cannot be read.
  func text(_ directory: ConfigDirectory, _ name: String) -> String? {
    guard let text = try? machine.configFS.read(directory.path.appending(name)) else { return nil }
    return text.withoutTrailingNewline
  }

  /// The last components of the link targets in a directory, sorted.
  func linkTargets(_ directory: ConfigDirectory) throws(ConfigFSError) -> [String] {
    guard directory.exists else { return [] }
    return try directory.links().map(\.target.name).sorted()
  }

  /// The items of a group with numeric names, in numeric order.
  func numbered<Item: ConfigItem, Number: FixedWidthInteger>(
    _ group: ConfigGroup<Item>, as type: Number.Type
  ) throws(ConfigFSError) -> [(number: Number, item: Item)] {
    guard group.exists else { return [] }
    return try group.all().compactMap { item in
      item.name.kernelInteger(Number.self).map { ($0, item) }
    }.sorted { $0.0 < $1.0 }
  }

  /// The items of a group that belong to the chosen profiles, or all items.
  func chosen<Item: ConfigItem>(_ group: ConfigGroup<Item>) throws(ConfigFSError) -> [Item] {
    guard group.exists else { return [] }
    return try group.all().filter { isChosen($0.directory) }.map { ($0.name, $0) }
      .sorted { $0.0 < $1.0 }.map(\.1)
  }
}
