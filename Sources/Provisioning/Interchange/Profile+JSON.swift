// SPDX-License-Identifier: Apache-2.0

/// Profiles as JSON: the inverse of decoding. Unset values and the decoder's defaults are omitted.
extension Profile {
  public var json: JSONValue {
    var object = ObjectBuilder()
    object.add("version", .integer(1))
    object.add("name", .string(name))
    object.add("description", description)
    if driver != .auto { object.add("driver", driver.rawValue) }
    if identity != .machine { object.add("identity", identity.rawValue) }
    object.add("identitySeed", identitySeed)
    object.add(
      "backings", object: backings.map { JSONValue.Member($0.name, $0.store.json) })
    object.add("hosts", array: hosts.map(\.json))
    object.add("subsystems", array: subsystems.map(\.json))
    object.add("ports", array: ports.map(\.json))
    object.add("functions", array: functions.map(\.json))
    return object.json
  }
}

/// Collects the members of an object that are not empty.
struct ObjectBuilder {
  private var members: [JSONValue.Member] = []

  var json: JSONValue { .object(members) }

  mutating func add(_ key: String, _ value: JSONValue) { members.append(.init(key, value)) }
  mutating func add(_ key: String, _ value: String?) {
    if let value { add(key, .string(value)) }
  }
  mutating func add(_ key: String, _ value: Bool?) {
    if let value { add(key, .bool(value)) }
  }
  mutating func add(_ key: String, _ value: (some BinaryInteger)?) {
    if let value { add(key, JSONValue(value)) }
  }
  mutating func add(_ key: String, array: [JSONValue]) {
    if !array.isEmpty { add(key, .array(array)) }
  }
  mutating func add(_ key: String, object: [JSONValue.Member]) {
    if !object.isEmpty { add(key, .object(object)) }
  }
}

extension SchemaObject {
  /// An object of a profile, in the order of the rows.
  /// - Parameter parts: the values of the keys that are not settings; null for those that are not set.
  fileprivate func json(_ settings: Settings, _ parts: [String: JSONValue] = [:]) -> JSONValue {
    var object = ObjectBuilder()
    for row in keyed {
      if let part = parts[row.name] {
        if part != .null { object.add(row.name, part) }
      } else if let setting = settings[row.name] {
        object.add(row, setting)
      }
    }
    return object.json
  }
}

extension ObjectBuilder {
  fileprivate mutating func add(_ row: SchemaRow, _ setting: Setting) {
    switch setting {
    case .boolean(let value): add(row.name, value)
    case .text(let text): add(row.name, text)
    case .integer(let value):
      if let digits = row.hexDigits {
        add(row.name, .hexadecimal(value, digits: digits))
      } else {
        add(row.name, value)
      }
    }
  }
}

/// Parts that an object has or, if they are empty, has not.
private func part(_ elements: [JSONValue]) -> JSONValue {
  elements.isEmpty ? .null : .array(elements)
}
private func part(_ attributes: [Profile.RawAttribute]) -> JSONValue {
  attributes.isEmpty ? .null : .object(attributes.map { .init($0.name, .string($0.text)) })
}

extension Profile.Backing.Store {
  fileprivate var json: JSONValue {
    switch self {
    case .block(let path): ["block": ["path": .string(path)]]
    case .file(let file):
      ["file": ProfileSchema.file.json(file.settings, ["path": .string(file.path)])]
    case .loopDevice(let device):
      [
        "loopDevice": ProfileSchema.loopDevice.json(
          device.settings.merging(device.file.settings), ["path": .string(device.file.path)])
      ]
    case .nullBlock(let device):
      [
        "nullBlock": ProfileSchema.nullBlock.json(
          device.settings, ["attributes": part(device.attributes)])
      ]
    }
  }
}

extension Profile.Host {
  fileprivate var json: JSONValue {
    ProfileSchema.host.json(
      Settings(), ["nqn": .string(nqn), "attributes": part(attributes)])
  }
}

extension Profile.Subsystem {
  fileprivate var json: JSONValue {
    ProfileSchema.subsystem.json(
      settings,
      [
        "nqn": .string(nqn), "allowedHosts": part(allowedHosts.map { .string($0) }),
        "attributes": part(attributes), "namespaces": part(namespaces.map(\.json)),
      ])
  }
}

extension Profile.Namespace {
  fileprivate var json: JSONValue {
    ProfileSchema.namespace.json(
      settings,
      ["id": JSONValue(id), "backing": .string(backing), "attributes": part(attributes)])
  }
}

extension Profile.Port {
  fileprivate var json: JSONValue {
    ProfileSchema.port.json(
      settings,
      [
        "id": JSONValue(id), "transport": .string(transport.rawValue),
        "subsystems": part(subsystems.map { .string($0) }),
        "anaGroups": part(
          anaGroups.map { ["id": JSONValue($0.id), "state": .string($0.state)] }),
        "attributes": part(attributes),
      ])
  }
}

extension Profile.Function {
  fileprivate var json: JSONValue {
    ProfileSchema.function.json(
      settings,
      [
        "name": .string(name), "vendorID": .hexadecimal(vendorID),
        "deviceID": .hexadecimal(deviceID),
        "target": target.json,
        "controllerFeatures": controllerFeatures.map {
          ProfileSchema.controllerFeatures.json($0.settings)
        } ?? .null,
        "attributes": part(attributes),
      ])
  }
}

extension Profile.FunctionTarget {
  fileprivate var json: JSONValue {
    switch self {
    case .local(let nqn, let spelled):
      .object([.init(spelled == .pci ? "pci" : "loop", .string(nqn))])
    case .tcp(let target):
      [
        "tcp": ProfileSchema.tcpTarget.json(
          target.settings, ["nqn": .string(target.nqn), "address": .string(target.address)])
      ]
    }
  }
}
