// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// A directory or a link of the simulated configfs.
struct Node: Codable, Sendable, Hashable {
  /// The kind of directory: its attributes, and the entries that may be created or linked in it.
  enum Kind: String, Codable, Sendable, Hashable {
    case gone, link, root
    // pci_ep
    case endpointRoot, functions, functionDriver, function, primary, secondary
    case nvmeGroup, testGroup, controllers, controller
    // nvmet
    case targetRoot, subsystems, subsystem, namespaces, namespace, allowedHosts, passthru
    case ports, port, portSubsystems, referrals, referral, anaGroups, anaGroup, hosts, host
    // nullb
    case nullBlockRoot, nullBlock, faultGroup
  }

  var name: String
  var kind: Kind
  var parent: Int
  /// Directories and links in the order of their creation.
  var children: [Int] = []
  /// Created or registered by the kernel: `rmdir` gives EPERM.
  var isDefault = false
  /// The target of a link.
  var target: Int?
  /// The number of links to this node.
  var incomingLinks = 0
  /// Virtual time from which on the directory is visible, in nanoseconds.
  var appears: Int64 = 0
  /// The texts of attributes, without the line feed, if they differ from the default.
  var values: [String: String] = [:]
  /// The number that the driver read from the name or gave to the object: NSID, port, ANA group.
  var number = 0

  /// The contents of a removed node, which is unreachable.
  static let gone = Node(name: "", kind: .gone, parent: 0)
}

/// All nodes by number; 0 is the root.
struct Tree: Codable, Sendable, Hashable {
  private var nodes: [Int: Node] = [0: Node(name: "", kind: .root, parent: 0)]
  private var next = 1

  subscript(_ id: Int) -> Node {
    get { nodes[id] ?? .gone }
    _modify { yield &nodes[id, default: .gone] }
  }

  mutating func add(_ node: Node) -> Int {
    let id = next
    next += 1
    nodes[id] = node
    nodes[node.parent]?.children.append(id)
    return id
  }

  /// Adds a directory, as created by the kernel or a user.
  mutating func add(
    _ name: String, _ kind: Node.Kind, in parent: Int, isDefault: Bool = false, number: Int = 0,
    appears: Int64 = 0
  ) -> Int {
    var node = Node(name: name, kind: kind, parent: parent)
    node.isDefault = isDefault
    node.number = number
    node.appears = appears
    return add(node)
  }

  /// Removes a node and everything below; links below stop counting at their targets.
  mutating func remove(_ id: Int) {
    for child in self[id].children { remove(child) }
    if let target = self[id].target { self[target].incomingLinks -= 1 }
    nodes[self[id].parent]?.children.removeAll { $0 == id }
    nodes[id] = nil
  }

  var count: Int { nodes.count }
  func has(_ id: Int) -> Bool { nodes[id] != nil }

  /// Everything that is counted, and the numbers of nodes; all from 0.
  var numbers: [Int] {
    nodes.flatMap { id, node in
      [
        id, node.parent, node.incomingLinks, node.number, Int(clamping: node.appears),
        node.target ?? 0,
      ]
    } + [next]
  }

  /// Whether the next node gets a number that no node has.
  var isNextFree: Bool { nodes.keys.allSatisfy { $0 < next } }

  func child(_ name: String, of id: Int) -> Int? {
    self[id].children.first { sameBytes(self[$0].name, name) }
  }

  func child(_ kind: Node.Kind, of id: Int) -> Int? {
    self[id].children.first { self[$0].kind == kind }
  }

  func children(_ kind: Node.Kind, of id: Int) -> [Int] {
    self[id].children.filter { self[$0].kind == kind }
  }

  /// The path from the configfs root, without a leading slash.
  func path(of id: Int) -> String {
    var names: [String] = []
    var id = id
    while id != 0, self[id].kind != .gone {
      names.append(self[id].name)
      id = self[id].parent
    }
    return names.reversed().joined(separator: "/")
  }

  /// All nodes of a kind, oldest first.
  func all(_ kind: Node.Kind) -> [Int] {
    nodes.filter { $0.value.kind == kind }.keys.sorted()
  }

  /// The next time after `now` at which a directory appears.
  func nextAppearance(after now: Int64) -> Int64? {
    nodes.values.lazy.map(\.appears).filter { $0 > now }.min()
  }
}
