// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
public import SystemPackage

/// A directory of a configfs tree: a place with attributes, links and children.
public struct ConfigDirectory: Sendable {
  public let path: FilePath
  public let backend: any ConfigFSBackend

  public init(_ path: FilePath, on backend: any ConfigFSBackend) {
    self.path = path
    self.backend = backend
  }

  public subscript<Value>(name: String) -> Attribute<Value> {
    Attribute(path: path(of: name), backend: backend)
  }

  public subscript<Value>(readOnly name: String) -> ReadOnlyAttribute<Value> {
    ReadOnlyAttribute(path: path(of: name), backend: backend)
  }

  public subscript<Value>(writeOnly name: String) -> WriteOnlyAttribute<Value> {
    WriteOnlyAttribute(path: path(of: name), backend: backend)
  }

  /// A directory below this one; it is not accessed.
  public func child(_ name: String) -> ConfigDirectory {
    ConfigDirectory(path(of: name), on: backend)
  }

  /// The path of an entry, concatenated as text: `appending` parses its argument as a path.
  private func path(of name: String) -> FilePath { FilePath("\(path.string)/\(name)") }

  /// Whether the directory exists.
  public var exists: Bool { (try? backend.kind(of: path)) == .directory }

  /// Creates a child directory, which creates the kernel's object.
  public func create(_ name: String) throws(ConfigFSError) -> ConfigDirectory {
    let child = child(name)
    do { try backend.createDirectory(child.path) } catch {
      throw ConfigFSError(.create, child.path, .system(error))
    }
    return child
  }

  /// Removes this directory, which removes the kernel's object.
  public func remove() throws(ConfigFSError) {
    do { try backend.removeDirectory(path) } catch {
      throw ConfigFSError(.remove, path, .system(error))
    }
  }

  /// Creates a link in this directory to another one.
  public func link(_ name: String, to target: ConfigDirectory) throws(ConfigFSError) {
    let link = path.appending(name)
    do { try backend.createLink(at: link, to: target.path) } catch {
      throw ConfigFSError(.link, link, value: target.path.string, .system(error))
    }
  }

  /// Removes a link of this directory.
  public func unlink(_ name: String) throws(ConfigFSError) {
    let link = path.appending(name)
    do { try backend.removeLink(link) } catch {
      throw ConfigFSError(.unlink, link, .system(error))
    }
  }

  /// All names in the kernel's order, including unknown ones.
  public func entries() throws(ConfigFSError) -> [DirectoryEntry] {
    do { return try backend.entries(of: path) } catch {
      throw ConfigFSError(.list, path, .system(error))
    }
  }

  /// The child directories in the kernel's order.
  public func children() throws(ConfigFSError) -> [ConfigDirectory] {
    try entries().filter { $0.kind == .directory }.map { child($0.name) }
  }

  /// The links of this directory and where they lead.
  public func links() throws(ConfigFSError) -> [(name: String, target: FilePath)] {
    var found: [(name: String, target: FilePath)] = []
    for entry in try entries() where entry.kind == .link {
      let link = path.appending(entry.name)
      do { found.append((entry.name, try backend.linkTarget(of: link))) } catch {
        throw ConfigFSError(.read, link, .system(error))
      }
    }
    return found
  }

  /// The last component of the path.
  public var name: String { path.string.lastComponent ?? "" }

  /// The name of the directory above.
  public var parentName: String { path.string.parentPath.lastComponent ?? "" }
}
