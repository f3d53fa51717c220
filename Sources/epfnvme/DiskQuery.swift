// SPDX-License-Identifier: Apache-2.0
internal import Checks
internal import ConfigFS
internal import Provisioning
internal import SystemPackage

/// Which disks a command means, by their ids.
struct DiskQuery {
  /// An object with IDs: a profile's function, or the options.
  struct Item {
    var name: String
    var ids: DiskIDs
  }

  var items: [Item]
  /// Their name in messages.
  var words: String
  var ids: [DiskIDs] { items.map(\.ids) }

  init(_ profile: Profile) {
    words = "the IDs of this profile"
    items = profile.functions.map {
      Item(name: $0.name, ids: DiskIDs(vendorID: $0.vendorID, deviceID: $0.deviceID))
    }
  }

  init(_ ids: DiskIDs) {
    words = "the IDs \(ids.text)"
    items = [Item(name: "the disk", ids: ids)]
  }
}

extension HostBus {
  /// The selected disk: a PCI function, a node of the driver, or `auto`.
  /// - Throws: ``ProvisioningError`` when it is not there, or when several are meant.
  func device(_ name: String, with query: DiskQuery) throws(ProvisioningError) -> BusDevice {
    var several: (name: String, disks: [String])?
    do throws(HostViewError) {
      guard name == "auto" else { return try device(name) }
      for item in query.items {
        let names = try functions([item.ids])
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

  static func notThere(_ query: DiskQuery) -> ProvisioningError {
    ProvisioningError(
      .inputMissing, "no disk with \(query.words) is on this machine's bus",
      operation: "find",
      hint: "start the board before this machine, or rescan the bus: epfnvme host rescan")
  }
}

extension ProvisioningError {
  /// Converts an error from accessing a disk.
  init(_ error: HostViewError) {
    switch error {
    case .unavailable(let attempt, let path, let errno, let hint):
      let isDenied = errno == .permissionDenied || errno == .notPermitted
      // A failed change is a failed operation; a failed read means that the object is missing.
      let isFailed = attempt.hasPrefix("write") && errno != .noSuchFileOrDirectory
      self.init(
        isDenied ? .needsPrivileges : isFailed ? .operationFailed : .inputMissing,
        "cannot \(attempt) \(path): \(errno.nameAndText)", operation: attempt, path: path,
        errno: errno, hint: hint)
    case .inUse(let attempt, let path, let users, let hint):
      self.init(
        .disruptive, "will not \(attempt) \(path): \(users.joined(separator: ", "))",
        operation: attempt, path: path, errno: .resourceBusy, hint: hint)
    case .refused, .failed:
      self.init(.operationFailed, "\(error)", operation: "check")
    }
  }
}
