// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// Which disks a command means, by their ids.
package struct DiskQuery {
  /// An object with IDs: a profile's function, or the options.
  struct Item {
    var name: String
    package var ids: DiskIDs
  }

  var items: [Item]
  /// Their name in messages.
  package var words: String
  package var ids: [DiskIDs] { items.map(\.ids) }

  package init(_ profile: Profile) {
    words = "the IDs of this profile"
    items = profile.functions.map {
      Item(name: $0.name, ids: DiskIDs(vendorID: $0.vendorID, deviceID: $0.deviceID))
    }
  }

  package init(_ ids: DiskIDs) {
    words = "the IDs \(ids.text)"
    items = [Item(name: "the disk", ids: ids)]
  }
}

extension HostBus {
  /// The selected disk: a PCI function, a node of the driver, or `auto`.
  /// - Throws: ``ProvisioningError`` when it is not there, or when several are meant.
  package func device(_ name: String, with query: DiskQuery) throws(ProvisioningError) -> BusDevice
  {
    var several: (name: String, disks: [String])?
    do throws(HostViewError) {
      guard name == "auto" else { return try device(name) }
      for item in query.items {
        // A controller whose hardware has another class code is still found.
        var names = try functions([item.ids])
        if names.isEmpty { names = try functions([item.ids], ofAnyClass: true) }
        if names.count == 1 { return try device(names[0]) }
        several = names.isEmpty ? nil : (item.name, names)
        if several != nil { break }
      }
    } catch { throw ProvisioningError(error) }
    if let several {
      throw ProvisioningError(
        .impossible,
        "several disks have the IDs of \(several.name): \(several.disks.joined(separator: ", "))",
        operation: "find", hint: "name one of them")
    }
    throw Self.notThere(query)
  }

  package static func notThere(_ query: DiskQuery) -> ProvisioningError {
    ProvisioningError(
      .inputMissing, "no disk with \(query.words) is on this machine's bus",
      operation: "find",
      hint: "start the board before this machine, or rescan the bus: epfnvme host rescan")
  }

  /// NVMe controllers.
  /// - Parameters:
  ///   - ids: which ones; all without.
  ///   - wanted: which of them are marked.
  package func disks(_ ids: [DiskIDs]?, wanted: [DiskIDs]?) throws(ProvisioningError) -> [HostDisk]
  {
    do throws(HostViewError) {
      // A disk that disappears meanwhile is omitted.
      return try functions(ids).compactMap { name in
        (try? BusDevice(name, on: machine)).flatMap { try? HostDisk($0, wanted: wanted) }
      }
    } catch { throw ProvisioningError(error) }
  }

  package func disks(named name: String) throws(ProvisioningError) -> [HostDisk] {
    try disks(nil, wanted: nil).filter { $0.name == name }
  }
}
