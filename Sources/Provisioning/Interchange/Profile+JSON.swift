// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// Profiles as JSON: the inverse of decoding. Unset values and the decoder's defaults are omitted.
extension Profile {
  public var json: JSONValue {
    var object = ObjectBuilder()
    object.add("version", .integer(1))
    object.add("name", .string(name))
    object.add("description", description)
    if driver != .auto { object.add("driver", driver.rawValue) }
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
  /// Identifiers are read in hexadecimal everywhere else, too.
  mutating func add(_ key: String, hex value: (some BinaryInteger)?, digits: Int = 4) {
    guard let value else { return }
    add(key, .string(hexadecimal(value, digits: digits)))
  }
  mutating func add(_ key: String, array: [JSONValue]) {
    if !array.isEmpty { add(key, .array(array)) }
  }
  mutating func add(_ key: String, object: [JSONValue.Member]) {
    if !object.isEmpty { add(key, .object(object)) }
  }
  mutating func add(_ attributes: [Profile.RawAttribute]) {
    add("attributes", object: attributes.map { .init($0.name, .string($0.text)) })
  }
}

extension Profile.Backing.Store {
  fileprivate var json: JSONValue {
    switch self {
    case .block(let path): return ["block": ["path": .string(path)]]
    case .file(let file):
      var object = ObjectBuilder()
      file.add(to: &object)
      return ["file": object.json]
    case .loopDevice(let device):
      var object = ObjectBuilder()
      device.file.add(to: &object)
      object.add("blockSize", device.blockSize)
      if device.directIO { object.add("directIO", true) }
      if device.offset > 0 { object.add("offsetBytes", device.offset) }
      return ["loopDevice": object.json]
    case .nullBlock(let device): return ["nullBlock": device.json]
    }
  }
}

extension Profile.File {
  fileprivate func add(to object: inout ObjectBuilder) {
    object.add("path", path)
    object.add("sizeMiB", sizeMiB)
    if create { object.add("create", true) }
  }
}

extension Profile.NullBlock {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("device", device)
    object.add("sizeMiB", sizeMiB)
    object.add("blockSize", blockSize)
    object.add("memoryBacked", memoryBacked)
    object.add("discard", discard)
    object.add("cacheSizeMiB", cacheSizeMiB)
    object.add("submitQueues", submitQueues)
    object.add("hardwareQueueDepth", hardwareQueueDepth)
    object.add("completionNanoseconds", completionNanoseconds)
    object.add("irqMode", irqMode)
    object.add("mbps", mbps)
    object.add("rotational", rotational)
    object.add("zoned", zoned)
    object.add("zoneSizeMiB", zoneSizeMiB)
    object.add("zoneCapacityMiB", zoneCapacityMiB)
    object.add("maximumOpenZones", maximumOpenZones)
    object.add("maximumActiveZones", maximumActiveZones)
    object.add(attributes)
    return object.json
  }
}

extension Profile.Host {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("nqn", nqn)
    object.add(attributes)
    return object.json
  }
}

extension Profile.Subsystem {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("nqn", nqn)
    object.add("model", model)
    object.add("serial", serial)
    object.add("firmware", firmware)
    object.add("ieeeOUI", hex: ieeeOUI, digits: 6)
    object.add("version", version)
    object.add("vendorID", hex: vendorID)
    object.add("subsystemVendorID", hex: subsystemVendorID)
    object.add("maximumQueueID", maximumQueueID)
    object.add("controllerIDMinimum", controllerIDMinimum)
    object.add("controllerIDMaximum", controllerIDMaximum)
    object.add("allowAnyHost", allowAnyHost)
    object.add("allowedHosts", array: allowedHosts.map { .string($0) })
    object.add(attributes)
    object.add("namespaces", array: namespaces.map(\.json))
    return object.json
  }
}

extension Profile.Namespace {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("id", id)
    object.add("backing", backing)
    object.add("uuid", uuid)
    object.add("nguid", nguid)
    object.add("anaGroup", anaGroup)
    object.add("bufferedIO", bufferedIO)
    object.add("reservations", reservations)
    if !enabled { object.add("enabled", false) }
    object.add(attributes)
    return object.json
  }
}

extension Profile.Port {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("id", id)
    object.add("transport", transport.rawValue)
    object.add("addressFamily", addressFamily)
    object.add("address", address)
    object.add("service", service)
    object.add("subsystems", array: subsystems.map { .string($0) })
    object.add("maximumQueueSize", maximumQueueSize)
    object.add("inlineDataSize", inlineDataSize)
    object.add("mdts", mdts)
    object.add(
      "anaGroups",
      array: anaGroups.map { ["id": JSONValue($0.id), "state": .string($0.state)] })
    object.add(attributes)
    return object.json
  }
}

extension Profile.Function {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("name", name)
    object.add("vendorID", hex: vendorID)
    object.add("deviceID", hex: deviceID)
    if revisionID != 0 { object.add("revisionID", hex: revisionID, digits: 2) }
    object.add("subsystemVendorID", hex: subsystemVendorID)
    object.add("subsystemID", hex: subsystemID)
    if classCode != 0x01_0802 { object.add("classCode", hex: classCode, digits: 6) }
    if interruptPin != 1 { object.add("interruptPin", interruptPin) }
    if cacheLineSize != 0 { object.add("cacheLineSize", cacheLineSize) }
    if msixVectors != 0 { object.add("msixVectors", msixVectors) }
    if msiVectors != 0 { object.add("msiVectors", msiVectors) }
    object.add("mdtsKiB", mdtsKiB)
    object.add("dma", dma)
    object.add("target", target.json)
    object.add("ioQueues", ioQueues)
    object.add("queueSize", queueSize)
    if controller != "auto" { object.add("controller", controller) }
    if !start { object.add("start", false) }
    if let controllerFeatures { object.add("controllerFeatures", controllerFeatures.json) }
    object.add(attributes)
    return object.json
  }
}

extension Profile.FunctionTarget {
  fileprivate var json: JSONValue {
    switch self {
    case .local(let nqn, let spelled):
      return .object([.init(spelled == .pci ? "pci" : "loop", .string(nqn))])
    case .tcp(let target):
      var object = ObjectBuilder()
      object.add("nqn", target.nqn)
      object.add("address", target.address)
      object.add("port", target.port)
      object.add("hostNQN", target.hostNQN)
      object.add("hostID", target.hostID)
      object.add("hostAddress", target.hostAddress)
      object.add("keepAliveSeconds", target.keepAliveSeconds)
      object.add("reconnectDelaySeconds", target.reconnectDelaySeconds)
      object.add("controllerLossSeconds", target.controllerLossSeconds)
      return ["tcp": object.json]
    }
  }
}

extension Profile.ControllerFeatures {
  fileprivate var json: JSONValue {
    var object = ObjectBuilder()
    object.add("msix", msix)
    object.add("msi", msi)
    object.add("outboundWindows", outboundWindows)
    object.add("maximumFunctions", maximumFunctions)
    return object.json
  }
}
