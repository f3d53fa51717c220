// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import SystemPackage

/// One effect in the journal, with the undo as known before the effect.
public struct JournalEntry: Hashable, Sendable {
  public var operation: Operation
  /// nil if no undo is needed: the object is removed with its directory, or is kept.
  public var undo: Operation?
  public var state: State

  public enum State: String, Sendable, Hashable {
    /// Written before the effect; the effect may not have happened.
    case intended
    case done
  }
}

/// The objects that this tool created and the values that it replaced: a journal without withdrawn entries.
struct Ledger: Hashable {
  var entries: [JournalEntry] = []

  init(_ entries: [JournalEntry] = []) {
    self.entries = entries
    for entry in entries {
      switch entry.operation {
      case .write(let path, let value, _):
        written[path] = value
        if case .text(let text) = value { lastWritten[path] = text }
        attributes[path.parentPath, default: []].append(path)
      case .createDirectory(let path): directories.insert(path)
      case .link(let path, let target): links[path] = target
      case .expectConnection(let address): connections.insert(address)
      case .attachLoop(let backing, let loop):
        configurations[backing] = loop
        if case .detachLoop(_, _, let device?)? = entry.undo { loops[backing] = device }
      default: break
      }
    }
  }

  /// The text last written to an attribute.
  private(set) var lastWritten: [String: String] = [:]
  private(set) var directories: Set<String> = []
  /// Link → target.
  private(set) var links: [String: String] = [:]
  /// Connections that binding functions has opened.
  private(set) var connections: Set<FabricsAddress> = []
  /// Backing → loop device.
  private(set) var loops: [String: String] = [:]
  /// Backing → how its loop device was attached.
  private(set) var configurations: [String: LoopConfiguration] = [:]
  private var written: [String: TextValue] = [:]
  /// Directory → attributes that were written in it, in the order of writing.
  private var attributes: [String: [String]] = [:]

  /// The undo of the removal of a directory: its values, except switches, which are separate steps.
  func restoration(of directory: String) -> Operation {
    var seen: Set<String> = []
    // Includes the groups that the kernel creates with a function and a port.
    let paths = ["", "/nvme", "/ana_groups/1"].flatMap { attributes[directory + $0] ?? [] }
    let texts = paths.filter { seen.insert($0).inserted && !ConfigAddress.isSwitch($0) }
    return .restoreDirectory(
      path: directory,
      attributes: texts.compactMap { path in
        written[path].map { AttributeText(path: path, value: $0) }
      })
  }

  /// The connections of others to an address when this tool's connection was opened.
  func spared(_ address: FabricsAddress) -> [String] {
    for entry in entries {
      if case .disconnect(let undone, let sparing)? = entry.undo, undone == address {
        return sparing
      }
    }
    return []
  }

  /// The ids of the created ports.
  func portIDs(below path: FilePath) -> [UInt16] {
    directories.compactMap { directory in
      let port = FilePath(directory)
      guard port.parent == path else { return nil }
      return UInt16(port.name)
    }.sorted()
  }

  /// The entries in setup order, independent of the order of changes: undoing them in reverse is safe.
  func ordered(below mountPoint: FilePath) -> [JournalEntry] {
    entries.enumerated().sorted { a, b in
      let ranks = (rank(of: a.element, mountPoint), rank(of: b.element, mountPoint))
      return ranks.0 == ranks.1 ? a.offset < b.offset : ranks.0 < ranks.1
    }.map(\.element)
  }

  private func rank(of entry: JournalEntry, _ mountPoint: FilePath) -> ConfigAddress.Rank {
    // A controller that others use is restarted last.
    if entry.isRestart { return .kernel }
    return entry.operation.rank(below: mountPoint)
  }

  /// Without objects that are left to other profiles.
  func without(_ released: Set<String>) -> Ledger {
    guard !released.isEmpty else { return self }
    return Ledger(
      entries.filter { entry in
        let path = entry.operation.path
        return !released.contains(path) && !released.contains(path.parentPath)
      })
  }
}

extension JournalEntry {
  /// Whether it stops a controller that is started again at the end.
  var isRestart: Bool {
    guard case .write(let path, .text(let text), _) = operation else { return false }
    return path.hasSuffix("/start") && ConfigAddress.isSwitch(path)
      && Bool(attributeText: text) == false
  }
}

extension Ledger {
  /// The same state with the shortest undo: without objects that were created and removed again; a value that was replaced twice is
  /// restored to the first one.
  func compacted() -> Ledger {
    var compaction = Compaction()
    for entry in entries { compaction.add(entry) }
    return Ledger(compaction.entries)
  }
}

/// Entries with an index by object.
private struct Compaction {
  private var kept: [JournalEntry?] = []
  /// Object → index of its entry.
  private var places: [String: Int] = [:]
  /// Directory → entries in it.
  private var contents: [String: [String]] = [:]

  var entries: [JournalEntry] {
    kept.compactMap { entry in
      guard var entry else { return nil }
      if case .write(let path, _, _) = entry.operation, vanishes(path) { entry.undo = nil }
      return entry
    }
  }

  /// Whether an attribute belongs to an object that was created: its old value then need not be restored. A switch has a separate undo, and
  /// the header of a function belongs to its driver.
  private func vanishes(_ path: String) -> Bool {
    guard !ConfigAddress.isSwitch(path) else { return false }
    let parent = path.parentPath
    if isHeader(path) { return false }
    if places["directory \(parent)"] != nil { return true }
    if parent.hasSuffix("/nvme") { return places["directory \(parent.parentPath)"] != nil }
    guard parent.hasSuffix("/ana_groups/1") else { return false }
    return places["directory \(parent.parentPath.parentPath)"] != nil
  }

  /// Whether an attribute is a field of the configuration header, which all functions of a driver share.
  private func isHeader(_ path: String) -> Bool {
    path.parentPath.parentPath.parentPath.hasSuffix("/pci_ep/functions")
  }

  mutating func add(_ entry: JournalEntry) {
    switch entry.operation {
    case .removeDirectory(let path):
      guard take("directory \(path)") != nil else { return }
      forget(path)
    case .unlink(let path, let target):
      replace("link \(path)", with: entry, unlessUndoing: .link(path: path, target: target))
    case .link(let path, let target):
      replace("link \(path)", with: entry, unlessUndoing: .unlink(path: path, target: target))
    case .write(let path, _, _): write(path, entry)
    case .detachLoop(let backing, _, _): _ = take("loop \(backing)")
    case .attachLoop(let backing, _): keep("loop \(backing)", entry)
    case .removeFile(let path): _ = take("file \(path)")
    case .createFile(let path, _):
      // After a successful run the file holds a host's data and must not be removed.
      var entry = entry
      entry.undo = nil
      keep("file \(path)", entry)
    case .disconnect(let address, _): _ = take("connection \(address)")
    case .expectConnection(let address): keep("connection \(address)", entry)
    case .createDirectory(let path): keep("directory \(path)", entry)
    case .loadModule, .unloadModule, .mountConfigFS: kept.append(entry)
    case .restoreDirectory, .awaitDirectory, .awaitDevice, .verifyController: break
    }
  }

  private mutating func write(_ path: String, _ entry: JournalEntry) {
    var entry = entry
    if let first = take("attribute \(path)") {
      entry.undo = first.undo
      // The value is the original one: there is nothing to undo. The values with which a function was bound are still needed.
      if case .write(_, let old, _)? = first.undo, case .write(_, let new, _) = entry.operation,
        old == new, !isHeader(path)
      {
        return
      }
    }
    keep("attribute \(path)", entry)
  }

  private mutating func replace(
    _ key: String, with entry: JournalEntry, unlessUndoing operation: Operation
  ) {
    if let place = places[key], kept[place]?.operation == operation {
      _ = take(key)
    } else {
      keep(key, entry)
    }
  }

  private mutating func keep(_ key: String, _ entry: JournalEntry) {
    places[key] = kept.count
    kept.append(entry)
    contents[entry.operation.path.parentPath, default: []].append(key)
  }

  private mutating func take(_ key: String) -> JournalEntry? {
    guard let place = places.removeValue(forKey: key) else { return nil }
    defer { kept[place] = nil }
    return kept[place]
  }

  /// Groups that the kernel creates with a directory, so that they have no separate entries.
  private static let groups = [
    "", "/nvme", "/namespaces", "/allowed_hosts", "/subsystems", "/ana_groups", "/ana_groups/1",
  ]

  /// All that vanished with a directory.
  private mutating func forget(_ directory: String) {
    for group in Self.groups {
      for key in contents.removeValue(forKey: directory + group) ?? [] {
        guard let entry = take(key) else { continue }
        if case .createDirectory(let path) = entry.operation { forget(path) }
      }
    }
  }
}

extension Operation {
  func isWrite(to path: String) -> Bool {
    if case .write(path, _, _) = self { true } else { false }
  }
}
