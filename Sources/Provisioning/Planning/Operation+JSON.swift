// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents

extension Operation {
  public var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("operation", .string(verb)), .init("path", .string(path)),
    ]
    func add(_ key: String, _ value: JSONValue) { members.append(.init(key, value)) }
    switch self {
    case .loadModule(_, let parameters):
      add("parameters", .array(parameters.map { .string($0) }))
    case .createFile(_, let bytes): add("bytes", JSONValue(bytes))
    case .attachLoop(let backing, let loop):
      add("backing", .string(backing))
      add("offset", JSONValue(loop.offset))
      add("blockSize", JSONValue(loop.blockSize))
      add("directIO", .bool(loop.usesDirectIO))
      add("readOnly", .bool(loop.isReadOnly))
    case .detachLoop(let backing, _, let device):
      add("backing", .string(backing))
      if let device { add("device", .string(device)) }
    case .write(_, let value, let shown):
      switch value {
      case .text(let text): add("value", .string(text))
      case .loopDevice(let backing): add("loopDeviceOf", .string(backing))
      }
      if let shown { add("shown", .string(shown)) }
    case .restoreDirectory(_, let attributes):
      add(
        "attributes",
        .array(
          attributes.map { Operation.write(path: $0.path, value: $0.value, shown: nil).json }))
    case .link(_, let target), .unlink(_, let target): add("target", .string(target))
    case .expectConnection(let address): add("to", address.json)
    case .disconnect(let address, let sparing):
      add("to", address.json)
      add("sparing", .array(sparing.map { .string($0) }))
    case .awaitDevice: add("kind", "device")
    case .awaitDirectory: add("kind", "directory")
    case .verifyController(_, let driver): add("driver", .string(driver))
    case .mountConfigFS, .unloadModule, .removeFile, .createDirectory, .removeDirectory: break
    }
    return .object(members)
  }

  /// As ``json``, which is the journal's, without secrets.
  var reportedJSON: JSONValue {
    if case .restoreDirectory(let path, let attributes) = self {
      return Operation.restoreDirectory(
        path: path,
        attributes: attributes.map { attribute in
          guard case .text(let text) = attribute.value else { return attribute }
          return AttributeText(
            path: attribute.path,
            value: .text(SecretAttribute.reported(text, at: attribute.path)))
        }
      ).json
    }
    guard case .write(let path, .text(let text), let shown) = self else { return json }
    return Operation.write(
      path: path, value: .text(SecretAttribute.reported(text, at: path)),
      shown: shown.map { SecretAttribute.reported($0, at: path) }
    ).json
  }

  /// nil if the value is not an operation of this version.
  init?(_ json: JSONValue) {
    guard let verb = json["operation"]?.stringValue, let path = json["path"]?.stringValue else {
      return nil
    }
    func string(_ key: String) -> String? { json[key]?.stringValue }
    func number<T: FixedWidthInteger>(_ key: String) -> T? {
      json[key]?.integerValue.flatMap { T(exactly: $0) }
    }
    switch verb {
    case "mount": self = .mountConfigFS(at: path)
    case "load module":
      self = .loadModule(
        path, parameters: json["parameters"]?.arrayValue?.compactMap(\.stringValue) ?? [])
    case "unload module": self = .unloadModule(path)
    case "create file":
      guard let bytes: UInt64 = number("bytes") else { return nil }
      self = .createFile(path: path, bytes: bytes)
    case "remove file": self = .removeFile(path: path)
    case "attach loop":
      guard let backing = string("backing") else { return nil }
      self = .attachLoop(
        backing: backing,
        LoopConfiguration(
          file: path, offset: number("offset") ?? 0, blockSize: number("blockSize") ?? 0,
          usesDirectIO: json["directIO"]?.boolValue ?? false,
          isReadOnly: json["readOnly"]?.boolValue ?? false))
    case "detach loop":
      guard let backing = string("backing") else { return nil }
      self = .detachLoop(backing: backing, file: path, device: string("device"))
    case "create": self = .createDirectory(path: path)
    case "remove": self = .removeDirectory(path: path)
    case "restore":
      let writes = (json["attributes"]?.arrayValue ?? []).map { Operation($0) }
      var attributes: [AttributeText] = []
      for write in writes {
        guard case .write(let path, let value, _)? = write else { return nil }
        attributes.append(AttributeText(path: path, value: value))
      }
      self = .restoreDirectory(path: path, attributes: attributes)
    case "write":
      if let text = string("value") {
        self = .write(path: path, value: .text(text), shown: string("shown"))
      } else if let backing = string("loopDeviceOf") {
        self = .write(path: path, value: .loopDevice(backing: backing), shown: string("shown"))
      } else {
        return nil
      }
    case "link", "unlink":
      guard let target = string("target") else { return nil }
      self =
        verb == "link" ? .link(path: path, target: target) : .unlink(path: path, target: target)
    case "expect connection", "disconnect":
      guard let address = json["to"].flatMap({ FabricsAddress($0) }) else { return nil }
      let sparing = json["sparing"]?.arrayValue?.compactMap(\.stringValue) ?? []
      self =
        verb == "disconnect"
        ? .disconnect(address, sparing: sparing) : .expectConnection(address)
    case "await":
      self =
        string("kind") == "device" ? .awaitDevice(path: path) : .awaitDirectory(path: path)
    case "verify":
      guard let driver = string("driver") else { return nil }
      self = .verifyController(function: path, driver: driver)
    default: return nil
    }
  }
}

extension FabricsAddress {
  fileprivate var json: JSONValue {
    [
      "transport": .string(transport), "nqn": .string(nqn), "address": JSONValue(address),
      "serviceID": JSONValue(serviceID),
    ]
  }

  fileprivate init?(_ json: JSONValue) {
    guard let transport = json["transport"]?.stringValue, let nqn = json["nqn"]?.stringValue else {
      return nil
    }
    self.init(
      transport: transport, nqn: nqn, address: json["address"]?.stringValue,
      serviceID: json["serviceID"]?.stringValue)
  }
}
