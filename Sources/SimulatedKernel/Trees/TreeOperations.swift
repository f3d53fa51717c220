// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// The system calls on configfs, each with the kernel's order of checks.
/// - Source: `fs/configfs/dir.c`, `file.c`, `symlink.c`; `fs/namei.c`.
extension KernelState {
  /// The entry of a path: a directory or link, or an attribute of a directory.
  enum Place {
    case node(Int)
    case attribute(AttributeRule, of: Int)
  }

  /// Whether a directory is visible yet.
  func isVisible(_ node: Int) -> Bool { tree[node].appears <= clock }

  // MARK: Walking

  /// The components of a path below the mount point.
  func components(_ path: String) throws(Errno) -> [Substring] {
    guard path.utf8.count < 4096 else { throw .fileNameTooLong }
    let root = SimulatedKernel.defaultMountPoint
    guard path.hasPrefix(root),
      path.utf8.count == root.utf8.count
        || path.utf8[path.utf8.index(path.startIndex, offsetBy: root.utf8.count)]
          == UInt8(ascii: "/")
    else { throw .noSuchFileOrDirectory }
    return path.dropFirst(root.count).split(separator: "/")
  }

  /// Finds the entry at a path; every component except the last one may be a link.
  func find(_ path: String, followsLast: Bool = false) throws(Errno) -> Place {
    let names = try components(path)
    var node = 0
    for (index, name) in names.enumerated() {
      let isLast = index == names.count - 1
      if name == "." { continue }
      if name == ".." {
        node = tree[node].parent
        continue
      }
      guard name.utf8.count <= 255 else { throw .fileNameTooLong }
      guard isMounted else { throw .noSuchFileOrDirectory }
      if let rule = rule(String(name), of: node) {
        guard isLast else { throw .notDirectory }
        return .attribute(rule, of: node)
      }
      guard let child = tree.child(String(name), of: node), isVisible(child) else {
        throw .noSuchFileOrDirectory
      }
      node = child
      if !isLast || followsLast, let target = tree[child].target { node = target }
    }
    return .node(node)
  }

  /// The directory that holds a name, and the name; an empty one for the root.
  func parent(of path: String) throws(Errno) -> (Int, String) {
    guard let name = try components(path).last else { return (0, "") }
    let above = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    guard case .node(let parent) = try find(above, followsLast: true) else {
      throw .notDirectory
    }
    return (parent, String(name))
  }

  /// The entries of a directory in the kernel's order.
  func entries(of path: String) throws(Errno) -> [DirectoryEntry] {
    guard case .node(let node) = try find(path, followsLast: true) else { throw .notDirectory }
    guard isMounted else { return [] }
    let attributes = attributes(of: node).reversed().map {
      DirectoryEntry(name: $0.name, kind: .attribute)
    }
    let children = tree[node].children.filter(isVisible).map {
      DirectoryEntry(name: tree[$0].name, kind: tree[$0].target == nil ? .directory : .link)
    }
    // Older kernels add new entries to the front of the list.
    return kernelRelease.generation == .linux7_2
      ? attributes + children : children.reversed() + attributes
  }

  // MARK: Attributes

  func read(_ path: String) throws(Errno) -> String {
    switch try find(path, followsLast: true) {
    case .node: throw .isDirectory
    case .attribute(let rule, let node):
      guard rule.mode != .writeOnly else { throw .permissionDenied }
      return rule.show(self, node)
    }
  }

  func isWritable(_ path: String) throws(Errno) -> Bool {
    guard case .attribute(let rule, _) = try find(path, followsLast: true) else {
      throw .isDirectory
    }
    return rule.mode != .readOnly
  }

  mutating func write(_ text: String, to path: String) throws(Errno) -> Int {
    guard case .attribute(let rule, let node) = try find(path, followsLast: true) else {
      throw .isDirectory
    }
    guard rule.mode != .readOnly, machine.isPrivileged else { throw .permissionDenied }
    let written = Written(text.utf8.prefix(4095))
    guard written.count > 0 else { throw .badAddress }
    return try store(written, by: rule, at: node)
  }

  /// Calls an attribute's `store`.
  /// - Returns: the number of bytes that it accepts.
  mutating func store(
    _ written: Written, by rule: AttributeRule, at node: Int
  ) throws(Errno) -> Int {
    try rule.store(&self, node, written)
    return rule.countsFirstLine ? written.firstLine.utf8.count : written.count
  }

  // MARK: Directories

  mutating func createDirectory(_ path: String) throws(Errno) {
    let (parent, name) = try parent(of: path)
    guard !["", ".", ".."].contains(name) else { throw .fileExists }
    guard name.utf8.count <= 255 else { throw .fileNameTooLong }
    guard isMounted else { throw machine.isPrivileged ? .notPermitted : .permissionDenied }
    guard rule(name, of: parent) == nil, tree.child(name, of: parent) == nil else {
      throw .fileExists
    }
    guard machine.isPrivileged else { throw .permissionDenied }
    switch tree[parent].kind {
    case .functionDriver: makeFunction(name, in: parent)
    case .subsystems: try makeSubsystem(name, in: parent)
    case .namespaces: try makeNamespace(name, in: parent)
    case .ports: try makePort(name, in: parent)
    case .referrals: _ = tree.add(name, .referral, in: parent)
    case .anaGroups: try makeANAGroup(name, in: parent)
    case .hosts: _ = tree.add(name, .host, in: parent)
    case .nullBlockRoot: try makeNullBlock(name, in: parent)
    default: throw .notPermitted
    }
  }

  mutating func removeDirectory(_ path: String) throws(Errno) {
    switch try parent(of: path).1 {
    case ".": throw .invalidArgument
    case "..": throw .directoryNotEmpty
    default: break
    }
    guard case .node(let node) = try find(path), tree[node].target == nil else {
      throw .notDirectory
    }
    guard node != 0 else { throw isMounted ? .resourceBusy : .notPermitted }
    guard machine.isPrivileged else { throw .permissionDenied }
    guard !tree[node].isDefault else { throw .notPermitted }
    try checkRemoval(of: node)
    switch tree[node].kind {
    case .function: dropFunction(node)
    case .namespace: disableNamespace(node)
    case .subsystem: dropSubsystem(node)
    case .nullBlock: dropNullBlock(node)
    case .anaGroup: setANAState("inaccessible", ofGroupsLike: node)
    default: break
    }
    tree.remove(node)
  }

  /// The walk that decides between EBUSY and ENOTEMPTY: the first problem wins.
  /// - Source: `fs/configfs/dir.c`, `configfs_detach_prep`.
  private func checkRemoval(of node: Int) throws(Errno) {
    guard tree[node].incomingLinks == 0 else { throw .resourceBusy }
    let children = tree[node].children
    for child in kernelRelease.generation == .linux7_2 ? children : children.reversed() {
      guard tree[child].isDefault else { throw .directoryNotEmpty }
      try checkRemoval(of: child)
    }
  }

  // MARK: Links

  mutating func createLink(at path: String, to target: String) throws(Errno) {
    let (parent, name) = try parent(of: path)
    guard !["", ".", ".."].contains(name) else { throw .fileExists }
    guard name.utf8.count <= 255 else { throw .fileNameTooLong }
    guard isMounted else { throw machine.isPrivileged ? .notPermitted : .permissionDenied }
    guard rule(name, of: parent) == nil, tree.child(name, of: parent) == nil else {
      throw .fileExists
    }
    guard machine.isPrivileged else { throw .permissionDenied }
    let kind = tree[parent].kind
    switch kind {
    case .controller, .primary, .secondary, .function, .portSubsystems, .allowedHosts: break
    default: throw .notPermitted
    }
    let destination = try linkDestination(target)
    switch kind {
    case .portSubsystems: try linkSubsystem(destination, into: parent)
    case .allowedHosts: try linkHost(destination, into: parent)
    default: try linkEndpoint(destination, into: parent)
    }
    guard crashes.isEmpty else { return }
    var link = Node(name: name, kind: .link, parent: parent)
    link.target = destination
    _ = tree.add(link)
    tree[destination].incomingLinks += 1
  }

  /// Resolves the target of a new link: any directory of configfs but its root.
  private func linkDestination(_ target: String) throws(Errno) -> Int {
    let root = SimulatedKernel.defaultMountPoint
    guard target == root || target.hasPrefix(root + "/") else {
      // A directory that is not on configfs, or that does not exist.
      guard let object = storage[target] else { throw .noSuchFileOrDirectory }
      throw object.kind == .directory ? .notPermitted : .notDirectory
    }
    guard case .node(let node) = try find(target, followsLast: true) else { throw .notDirectory }
    guard node != 0 else { throw .noSuchFileOrDirectory }
    return node
  }

  mutating func removeLink(_ path: String) throws(Errno) {
    if [".", ".."].contains(try parent(of: path).1) { throw .isDirectory }
    guard case .node(let node) = try find(path) else { throw .notPermitted }
    guard let target = tree[node].target else { throw .isDirectory }
    guard machine.isPrivileged else { throw .permissionDenied }
    let parent = tree[node].parent
    switch tree[parent].kind {
    case .portSubsystems: unlinkSubsystem(target, from: parent)
    case .controller, .primary, .secondary, .function: unlinkEndpoint(target, from: parent)
    default: break
    }
    guard crashes.isEmpty else { return }
    tree.remove(node)
  }

  func linkTarget(of path: String) throws(Errno) -> String {
    // realpath(3): works on anything.
    let root = SimulatedKernel.defaultMountPoint
    switch try find(path, followsLast: true) {
    case .node(let node): return node == 0 ? root : root + "/" + tree.path(of: node)
    case .attribute(let rule, let node): return root + "/" + tree.path(of: node) + "/" + rule.name
    }
  }

  /// The result of `readlink(2)`: a relative path through the root.
  func linkText(of path: String) throws(Errno) -> String {
    guard case .node(let node) = try find(path), let target = tree[node].target else {
      throw .invalidArgument
    }
    let depth = tree.path(of: tree[node].parent).split(separator: "/").count
    return String(repeating: "../", count: depth) + tree.path(of: target)
  }

  func kind(of path: String) throws(Errno) -> EntryKind {
    switch try find(path) {
    case .node(let node): tree[node].target == nil ? .directory : .link
    case .attribute: .attribute
    }
  }

  // MARK: Snapshot

  /// The whole tree, sorted: `path dir`, `path = text`, `path -> target`.
  func snapshot() -> [String] {
    guard isMounted else { return [] }
    var lines: [String] = []
    var open = tree[0].children
    while let node = open.popLast() {
      guard isVisible(node) else { continue }
      let path = tree.path(of: node)
      if let target = tree[node].target {
        lines.append("\(path) -> \(tree.path(of: target))")
        continue
      }
      lines.append("\(path) dir")
      for rule in attributes(of: node) {
        guard rule.mode != .writeOnly else {
          lines.append("\(path)/\(rule.name) (write only)")
          continue
        }
        let text = rule.show(self, node)
        let line = text.last == "\n" ? text.dropLast() : text[...]
        let shown = line.split(separator: "\n", omittingEmptySubsequences: false)
        lines.append("\(path)/\(rule.name) = \(shown.joined(separator: "\\n"))")
      }
      open += tree[node].children
    }
    return lines.sorted()
  }
}
