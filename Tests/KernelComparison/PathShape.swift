// SPDX-License-Identifier: Apache-2.0

/// The kind of a directory of the three trees, by its path from the root of configfs.
enum DirectoryKind: Hashable {
  case root, endpointRoot, functions, driver, function, interface, group, controllers, controller
  case targetRoot, subsystems, subsystem, namespaces, namespace, allowedHosts, passthru
  case ports, port, portSubsystems, referrals, referral, anaGroups, anaGroup, hosts, host
  case nullBlockRoot, nullBlock, other

  init(_ path: String) {
    let names = path.split(separator: "/").map(String.init)
    self =
      switch (names.first, names.count) {
      case (nil, _): .root
      case ("pci_ep"?, _): Self.endpoint(names)
      case ("nvmet"?, 1): .targetRoot
      case ("nvmet"?, _): Self.target(names)
      case ("nullb"?, 1): .nullBlockRoot
      case ("nullb"?, 2): .nullBlock
      default: .other
      }
  }

  private static func endpoint(_ names: [String]) -> Self {
    switch (names.dropFirst().first, names.count) {
    case (nil, _): .endpointRoot
    case ("functions"?, 2): .functions
    case ("functions"?, 3): .driver
    case ("functions"?, 4): .function
    case ("functions"?, 5): ["primary", "secondary"].contains(names[4]) ? .interface : .group
    case ("controllers"?, 2): .controllers
    case ("controllers"?, 3): .controller
    default: .other
    }
  }

  private static func target(_ names: [String]) -> Self {
    switch (names[1], names.count) {
    case ("subsystems", 2): .subsystems
    case ("subsystems", 3): .subsystem
    case ("subsystems", 4):
      ["namespaces": .namespaces, "allowed_hosts": .allowedHosts, "passthru": .passthru][names[3]]
        ?? .other
    case ("subsystems", 5): names[3] == "namespaces" ? .namespace : .other
    case ("ports", 2): .ports
    case ("ports", 3): .port
    case ("ports", 4):
      [
        "subsystems": .portSubsystems, "referrals": .referrals, "ana_groups": .anaGroups,
      ][names[3]] ?? .other
    case ("ports", 5):
      ["referrals": .referral, "ana_groups": .anaGroup][names[3]] ?? .other
    case ("hosts", 2): .hosts
    case ("hosts", 3): .host
    default: .other
    }
  }

  /// Directories in which users make others.
  var makes: Bool {
    switch self {
    case .driver, .subsystems, .namespaces, .ports, .referrals, .anaGroups, .hosts, .nullBlockRoot:
      true
    default: false
    }
  }

  /// Directories that users made.
  var isMade: Bool {
    switch self {
    case .function, .subsystem, .namespace, .port, .referral, .anaGroup, .host, .nullBlock: true
    default: false
    }
  }

  /// Directories that hold links, and what they link to.
  var linked: DirectoryKind? {
    switch self {
    case .controller, .function: .function
    case .interface: .controller
    case .portSubsystems: .subsystem
    case .allowedHosts: .host
    default: nil
    }
  }
}

/// A path with `*` for each name that a user chose: what a difference is about.
enum PathShape {
  static func shape(of path: String) -> String {
    var names = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    var above = ""
    for index in names.indices {
      let name = names[index]
      if DirectoryKind(above).makes || name.utf8.count > 60 { names[index] = "*" }
      above += (index == 0 ? "" : "/") + name
    }
    if names.count > 1, DirectoryKind(names.dropLast().joined(separator: "/")).linked != nil,
      !Grammar.isAttribute(names.last ?? "")
    {
      names[names.count - 1] = "*"
    }
    return names.joined(separator: "/")
  }
}
