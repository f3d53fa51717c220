// SPDX-License-Identifier: Apache-2.0
public import BlockDevices
internal import ConfigFS
public import KernelEvents
internal import LinuxFiles

/// One effect on the machine, as data.
public enum Operation: Hashable, Sendable {
  case mountConfigFS(at: String)
  case loadModule(String, parameters: [String])
  case unloadModule(String)
  case createFile(path: String, bytes: UInt64)
  case removeFile(path: String)
  /// Binds a free loop device for a backing; later values name it by the backing.
  case attachLoop(backing: String, LoopConfiguration)
  case detachLoop(backing: String, file: String, device: String?)
  case createDirectory(path: String)
  case removeDirectory(path: String)
  /// Recreates a directory that was removed, with its written attributes.
  case restoreDirectory(path: String, attributes: [AttributeText])
  /// Writes an attribute. `shown` is the text that the kernel must show afterwards; nil if it cannot be compared.
  case write(path: String, value: TextValue, shown: String?)
  /// Records the existing connections of this machine, so that the connection that binding opens can be identified.
  case expectConnection(FabricsAddress)
  /// Disconnects connections to the target, except those of others.
  case disconnect(FabricsAddress, sparing: [String])
  case link(path: String, target: String)
  case unlink(path: String, target: String)
  /// Waits for a directory that the kernel creates late.
  case awaitDirectory(path: String)
  /// Waits for a device node.
  case awaitDevice(path: String)
  /// Verifies that the NVMe controller behind a bound function exists.
  case verifyController(function: String, driver: String)
}

/// A text that may be known only once a loop device has been bound.
public enum TextValue: Hashable, Sendable {
  /// The exact bytes of the write.
  case text(String)
  /// The path of the loop device of a backing, and a line feed.
  case loopDevice(backing: String)

  /// For output: without the line feed.
  public var shown: String {
    switch self {
    case .text(let text): text.withoutTrailingNewline
    case .loopDevice(let backing): "the loop device of \"\(backing)\""
    }
  }
}

/// An attribute and the bytes to write into it.
public struct AttributeText: Hashable, Sendable {
  public var path: String
  public var value: TextValue

  public init(path: String, value: TextValue) {
    self.path = path
    self.value = value
  }
}

extension Operation {
  /// The verb: the same word in plans, errors and JSON.
  public var verb: String {
    switch self {
    case .mountConfigFS: "mount"
    case .loadModule: "load module"
    case .unloadModule: "unload module"
    case .createFile: "create file"
    case .removeFile: "remove file"
    case .attachLoop: "attach loop"
    case .detachLoop: "detach loop"
    case .createDirectory: "create"
    case .removeDirectory: "remove"
    case .restoreDirectory: "restore"
    case .write: "write"
    case .link: "link"
    case .unlink: "unlink"
    case .expectConnection: "expect connection"
    case .disconnect: "disconnect"
    case .awaitDirectory, .awaitDevice: "await"
    case .verifyController: "verify"
    }
  }

  /// The object of the operation.
  public var path: String {
    switch self {
    case .mountConfigFS(let path), .createFile(let path, _), .removeFile(let path),
      .createDirectory(let path), .removeDirectory(let path), .restoreDirectory(let path, _),
      .write(let path, _, _), .link(let path, _), .unlink(let path, _), .awaitDirectory(let path),
      .awaitDevice(let path), .verifyController(let path, _):
      path
    case .loadModule(let name, _), .unloadModule(let name): name
    case .attachLoop(_, let loop): loop.file
    case .detachLoop(_, let file, _): file
    case .expectConnection(let address), .disconnect(let address, _): address.nqn
    }
  }

  /// The second half: a value, a target, parameters.
  public var value: String? {
    switch self {
    case .loadModule(_, let parameters):
      parameters.isEmpty ? nil : parameters.joined(separator: " ")
    case .createFile(_, let bytes): "\(bytes) bytes"
    case .write(let path, let value, _):
      SecretAttribute.reported(value.shown, at: path)
    case .link(_, let target): target
    case .verifyController(_, let driver): driver
    case .expectConnection(let address), .disconnect(let address, _): address.route
    default: nil
    }
  }

  /// One line of text: `write 0x15b7 to …`.
  public var sentence: String {
    switch self {
    case .mountConfigFS: "mount configfs at \(path)"
    case .loadModule: "load module \(path)" + (value.map { " \($0)" } ?? "")
    case .unloadModule: "unload module \(path)"
    case .createFile(_, let bytes): "create file \(path) (\(bytes >> 20) MiB, sparse)"
    case .removeFile: "remove file \(path)"
    case .attachLoop: "attach a loop device to \(path)"
    case .detachLoop: "detach the loop device of \(path)"
    case .createDirectory: "create \(path)"
    case .removeDirectory: "remove \(path)"
    case .restoreDirectory: "recreate \(path) with its previous values"
    case .write(_, .text(SecretAttribute.clearing), _): "clear \(path)"
    case .write: "write \(value ?? "") to \(path)"
    case .link: "link \(path) to \(value ?? "")"
    case .unlink: "unlink \(path)"
    case .expectConnection: "expect a connection to \(path) by \(value ?? "")"
    case .disconnect: "disconnect from \(path) by \(value ?? "")"
    case .awaitDirectory, .awaitDevice: "wait for \(path)"
    case .verifyController(_, let driver): "verify the controller of \(driver) behind \(path)"
    }
  }

  /// Whether it changes the machine; waits and verifications do not.
  public var isEffect: Bool {
    switch self {
    case .awaitDirectory, .awaitDevice, .verifyController: false
    default: true
    }
  }
}

extension FabricsAddress {
  /// `loop`, `tcp 192.0.2.10:4420`.
  var route: String {
    guard let address else { return transport }
    return "\(transport) \(address)" + (serviceID.map { ":\($0)" } ?? "")
  }
}
