// SPDX-License-Identifier: Apache-2.0
internal import Numbers
public import Provisioning
internal import SystemPackage

/// An NVMe controller on the bus, for output.
public struct HostDisk: Hashable, Sendable {
  public struct Namespace: Hashable, Sendable {
    public var path: String
    public var sizeBytes: UInt64?

    public init(path: String, sizeBytes: UInt64?) {
      self.path = path
      self.sizeBytes = sizeBytes
    }
  }

  /// `0000:01:00.0`
  public var name: String
  public var ids: DiskIDs
  public var driver: String?
  /// `nvme0`
  public var controller: String?
  /// The driver's state: `live`.
  public var state: String?
  public var namespaces: [Namespace]
  public var users: [String]
  /// Whether it has the requested IDs; nil if none were requested.
  public var isWanted: Bool?

  /// - Throws: ``HostViewError`` when the function no longer exists.
  public init(_ device: BusDevice, wanted: [DiskIDs]?) throws(HostViewError) {
    name = device.name
    let ids = DiskIDs(
      vendorID: UInt16(truncatingIfNeeded: try device.configuration(at: 0, count: 2)),
      deviceID: UInt16(truncatingIfNeeded: try device.configuration(at: 2, count: 2)))
    self.ids = ids
    driver = device.driver
    controller = device.controllerName
    state = device.controllerState
    namespaces = device.disks.map { Namespace(path: $0.string, sizeBytes: device.size(of: $0)) }
    users = device.users
    isWanted = wanted.map { $0.contains(ids) }
  }

  public var json: JSONValue {
    [
      "name": .string(name), "vendorID": .string(hexadecimal(ids.vendorID, digits: 4)),
      "deviceID": .string(hexadecimal(ids.deviceID, digits: 4)),
      "driver": JSONValue(driver), "controller": JSONValue(controller), "state": JSONValue(state),
      "namespaces": .array(
        namespaces.map { space in
          [
            "path": .string(space.path),
            "sizeBytes": space.sizeBytes.map { JSONValue($0) } ?? .null,
          ]
        }), "inUse": .array(users.map { .string($0) }),
      "wanted": isWanted.map { .bool($0) } ?? .null,
    ]
  }
}
