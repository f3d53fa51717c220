// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// A typed view of one directory.
public protocol ConfigItem: Sendable {
  var directory: ConfigDirectory { get }

  /// Accesses nothing: the directory need not exist.
  init(directory: ConfigDirectory)
}

extension ConfigItem {
  /// The directory's name, the last component of its path.
  public var name: String { directory.name }

  /// Whether the directory exists.
  public var exists: Bool { directory.exists }

  /// Removes the directory, which removes the kernel's object.
  public func remove() throws(ConfigFSError) { try directory.remove() }
}

/// A directory in which `mkdir` creates items of one kind.
public struct ConfigGroup<Item: ConfigItem>: Sendable {
  public let directory: ConfigDirectory

  public init(_ directory: ConfigDirectory) { self.directory = directory }

  /// The item of a name; it need not exist.
  public subscript(name: String) -> Item { Item(directory: directory.child(name)) }

  /// Creates an item.
  public func create(_ name: String) throws(ConfigFSError) -> Item {
    Item(directory: try directory.create(name))
  }

  /// All items in the kernel's order, which differs between kernels.
  public func all() throws(ConfigFSError) -> [Item] {
    try directory.children().map { Item(directory: $0) }
  }

  /// Whether the group exists.
  public var exists: Bool { directory.exists }
}

/// A directory whose links point to items of one kind. The kernel ignores the names of links.
public struct ConfigLinks<Item: ConfigItem>: Sendable {
  public let directory: ConfigDirectory

  public init(_ directory: ConfigDirectory) { self.directory = directory }

  /// Links an item, under its name unless another one is given.
  public func link(_ item: Item, as name: String? = nil) throws(ConfigFSError) {
    try directory.link(name ?? item.name, to: item.directory)
  }

  /// Removes every link that leads to an item.
  /// - Returns: whether there was one.
  @discardableResult
  public func unlink(_ item: Item) throws(ConfigFSError) -> Bool {
    var found = false
    for link in try directory.links() where link.target == item.directory.path {
      try directory.unlink(link.name)
      found = true
    }
    return found
  }

  /// The names of the links and their targets, in the kernel's order.
  public func all() throws(ConfigFSError) -> [(name: String, item: Item)] {
    try directory.links().map {
      ($0.name, Item(directory: ConfigDirectory($0.target, on: directory.backend)))
    }
  }

  /// Whether an item is linked, under any name.
  public func contains(_ item: Item) throws(ConfigFSError) -> Bool {
    try directory.links().contains { $0.target == item.directory.path }
  }

  /// Whether the directory exists.
  public var exists: Bool { directory.exists }
}
