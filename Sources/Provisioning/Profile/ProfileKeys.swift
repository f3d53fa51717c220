// SPDX-License-Identifier: Apache-2.0

/// The words of the profile language, one list per kind of object.
///
/// The decoder takes its keys, required keys and suggestions from here, and a test holds the published JSON Schema
/// (`Configs/schema/profile.schema.json`) against it.
public enum ProfileKeys {
  /// One key of an object.
  public struct Key: Sendable, Hashable {
    public var name: String
    public var isRequired: Bool

    init(_ name: String, required: Bool = false) {
      self.name = name
      isRequired = required
    }
  }

  public static let document = keys(
    required: ["version", "name"],
    ["$schema", "description", "driver", "backings", "hosts", "subsystems", "ports", "functions"])
  public static let backing = keys(["nullBlock", "file", "block", "loopDevice"])
  public static let nullBlock = keys([
    "device", "sizeMiB", "blockSize", "memoryBacked", "discard", "cacheSizeMiB", "submitQueues",
    "hardwareQueueDepth", "completionNanoseconds", "irqMode", "mbps", "rotational", "zoned",
    "zoneSizeMiB", "zoneCapacityMiB", "maximumOpenZones", "maximumActiveZones", "attributes",
  ])
  public static let file = keys(required: ["path"], ["sizeMiB", "create"])
  public static let block = keys(required: ["path"], [])
  public static let loopDevice = keys(
    required: ["path"], ["sizeMiB", "create", "blockSize", "directIO", "offsetBytes"])
  public static let subsystem = keys(
    required: ["nqn"],
    [
      "model", "serial", "firmware", "ieeeOUI", "version", "vendorID", "subsystemVendorID",
      "maximumQueueID", "controllerIDMinimum", "controllerIDMaximum", "allowAnyHost",
      "allowedHosts", "namespaces", "attributes",
    ])
  public static let host = keys(required: ["nqn"], ["attributes"])
  public static let namespace = keys(
    required: ["id", "backing"],
    ["uuid", "nguid", "anaGroup", "bufferedIO", "reservations", "enabled", "attributes"])
  public static let port = keys(
    required: ["id", "transport"],
    [
      "addressFamily", "address", "service", "subsystems", "maximumQueueSize", "inlineDataSize",
      "mdts", "anaGroups", "attributes",
    ])
  public static let anaGroup = keys(required: ["id", "state"], [])
  public static let function = keys(
    required: ["name", "vendorID", "deviceID", "target"],
    [
      "revisionID", "subsystemVendorID", "subsystemID", "classCode", "interruptPin",
      "cacheLineSize", "msixVectors", "msiVectors", "mdtsKiB", "dma", "ioQueues", "queueSize",
      "controller", "start", "controllerFeatures", "attributes",
    ])
  public static let target = keys(["loop", "pci", "tcp"])
  public static let tcpTarget = keys(
    required: ["nqn", "address"],
    [
      "port", "hostNQN", "hostID", "hostAddress", "keepAliveSeconds", "reconnectDelaySeconds",
      "controllerLossSeconds",
    ])
  public static let controllerFeatures = keys([
    "msix", "msi", "outboundWindows", "maximumFunctions",
  ])

  /// Every list under the name that the schema's `$defs` gives it; the document itself is `profile`.
  public static let all: [(name: String, keys: [Key])] = [
    ("profile", document), ("backing", backing), ("nullBlock", nullBlock), ("file", file),
    ("block", block), ("loopDevice", loopDevice), ("host", host), ("subsystem", subsystem),
    ("namespace", namespace), ("port", port), ("anaGroup", anaGroup), ("function", function),
    ("target", target),
    ("tcpTarget", tcpTarget), ("controllerFeatures", controllerFeatures),
  ]

  private static func keys(required: [String] = [], _ optional: [String]) -> [Key] {
    required.map { Key($0, required: true) } + optional.map { Key($0) }
  }
}
