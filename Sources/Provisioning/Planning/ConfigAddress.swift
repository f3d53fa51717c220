// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// The object that a path below configfs names: an object of `nullb`, `nvmet` or `pci_ep`, or an entry of one.
///
/// A path is parsed once; planner, journal and rules then compare kinds and names instead of components.
enum ConfigAddress: Hashable {
  case nullBlock(device: String)
  case host(nqn: String)
  case subsystem(nqn: String)
  case allowedHost(subsystem: String, name: String)
  case namespace(subsystem: String, id: String)
  case port(id: String)
  case anaGroup(port: String, id: String)
  /// The link that offers a subsystem through a port.
  case portLink(port: String, name: String)
  case function(driver: String, name: String)
  case controller(name: String)
  /// The link that binds a function to an endpoint controller.
  case binding(controller: String, name: String)

  /// The object itself, or the object of an attribute or a group; nil for other paths.
  init?(_ path: String, below mountPoint: FilePath) {
    let root = mountPoint.string + "/"
    guard path.hasPrefix(root) else { return nil }
    let parts = path.dropFirst(root.count).split(separator: "/").map(String.init)
    guard parts.count >= 2 else { return nil }
    switch (parts[0], parts[1]) {
    case ("nullb", let device) where device != "features": self = .nullBlock(device: device)
    case ("nvmet", "hosts") where parts.count >= 3: self = .host(nqn: parts[2])
    case ("nvmet", "subsystems") where parts.count >= 3:
      switch (parts.count, parts.dropFirst(3).first) {
      case (5..., "namespaces"?): self = .namespace(subsystem: parts[2], id: parts[4])
      case (5..., "allowed_hosts"?): self = .allowedHost(subsystem: parts[2], name: parts[4])
      default: self = .subsystem(nqn: parts[2])
      }
    case ("nvmet", "ports") where parts.count >= 3:
      switch (parts.count, parts.dropFirst(3).first) {
      case (5..., "ana_groups"?): self = .anaGroup(port: parts[2], id: parts[4])
      case (5..., "subsystems"?): self = .portLink(port: parts[2], name: parts[4])
      default: self = .port(id: parts[2])
      }
    case ("pci_ep", "functions") where parts.count >= 4:
      self = .function(driver: parts[2], name: parts[3])
    case ("pci_ep", "controllers") where parts.count >= 3:
      self =
        parts.count == 3 || parts[3] == "start"
        ? .controller(name: parts[2]) : .binding(controller: parts[2], name: parts[3])
    default: return nil
    }
  }

  /// The position in setup order; teardown uses the reverse order.
  ///
  /// - Source: the order of both drivers' documents; `drivers/nvme/target/configfs.c`, which refuses to remove what is linked.
  enum Rank: Int, Comparable {
    case kernel, file, loop, nullBlock, host, subsystem, allowedHost, namespace, port, portLink,
      function, connection, binding, start

    static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }
  }

  var rank: Rank {
    switch self {
    case .nullBlock: .nullBlock
    case .host: .host
    case .subsystem: .subsystem
    case .allowedHost: .allowedHost
    case .namespace: .namespace
    case .port, .anaGroup: .port
    case .portLink: .portLink
    case .function: .function
    case .binding: .binding
    case .controller: .start
    }
  }

  /// Whether profiles, and others, can have the object together: the last one to leave removes it.
  var isShareable: Bool {
    switch self {
    case .port, .host, .controller: true
    default: false
    }
  }

  /// Whether a path is that of an attribute which switches its object on and off.
  static func isSwitch(_ path: String) -> Bool {
    let parent = path.parentPath
    return switch path.dropFirst(parent.utf8.count + 1) {
    case "power": parent.parentPath.hasSuffix("/nullb")
    case "enable": parent.parentPath.hasSuffix("/namespaces")
    case "start": parent.parentPath.hasSuffix("/controllers")
    default: false
    }
  }

  /// The name for messages: `the subsystem NQN`.
  var description: String {
    switch self {
    case .nullBlock(let device): "the null_blk device \(device)"
    case .host(let nqn): "the host \(nqn)"
    case .subsystem(let nqn): "the subsystem \(nqn)"
    case .allowedHost(let subsystem, let name): "the allowed host \(name) of \(subsystem)"
    case .namespace(let subsystem, let id): "namespace \(id) of \(subsystem)"
    case .port(let id): "port \(id)"
    case .anaGroup(let port, let id): "ANA group \(id) of port \(port)"
    case .portLink(let port, let name): "the subsystem \(name) of port \(port)"
    case .function(_, let name): "the function \(name)"
    case .controller(let name): "the endpoint controller \(name)"
    case .binding(let controller, let name): "the binding of \(name) to \(controller)"
    }
  }
}

extension Operation {
  /// The position in setup order of an operation, or of the operation that it undoes.
  func rank(below mountPoint: FilePath) -> ConfigAddress.Rank {
    switch self {
    case .mountConfigFS, .loadModule, .unloadModule: .kernel
    case .createFile, .removeFile: .file
    case .attachLoop, .detachLoop: .loop
    case .expectConnection, .disconnect: .connection
    default: ConfigAddress(path, below: mountPoint)?.rank ?? .kernel
    }
  }
}
