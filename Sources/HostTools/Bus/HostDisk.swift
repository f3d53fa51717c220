// SPDX-License-Identifier: Apache-2.0
internal import Numbers
package import Provisioning
internal import SystemPackage

/// An NVMe controller on the bus, for output.
package struct HostDisk: Hashable, Sendable {
  package struct Namespace: Hashable, Sendable {
    package var path: String
    package var sizeBytes: UInt64?

    package init(path: String, sizeBytes: UInt64?) {
      self.path = path
      self.sizeBytes = sizeBytes
    }
  }

  /// `0000:01:00.0`
  package var name: String
  package var ids: DiskIDs
  package var driver: String?
  /// `nvme0`
  package var controller: String?
  /// The driver's state: `live`.
  package var state: String?
  package var namespaces: [Namespace]
  package var users: [String]
  /// Whether it has the requested IDs; nil if none were requested.
  package var isWanted: Bool?

  /// - Throws: ``HostViewError`` when the function no longer exists.
  package init(_ device: BusDevice, wanted: [DiskIDs]?) throws(HostViewError) {
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

  package var json: JSONValue {
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
