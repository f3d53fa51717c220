// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// A value that one of the drivers cannot carry out, although the other one could.
///
/// A profile that names the driver is malformed by it (65). A profile that leaves the choice to the machine is refused by
/// the machine that has the driver (78), before the first write.
struct DriverLimit {
  var path: String
  var message: String
  var hint: String?

  /// - Parameter driver: not `auto`.
  static func all(of profile: Profile, with driver: Profile.DriverChoice) -> [DriverLimit] {
    var found: [DriverLimit] = []
    for (index, function) in profile.functions.enumerated() {
      let path = "functions[\(index)]"
      let values: [(key: String, value: Int?)] = [
        ("ioQueues", function.ioQueues.map { Int($0) }),
        ("mdtsKiB", function.mdtsKiB.map { Int($0) }),
      ]
      for (key, value) in values {
        guard let value, let row = ProfileSchema.function.row(key), let range = row.range,
          let largest = row.upperBound(with: driver), value > largest
        else { continue }
        found.append(
          DriverLimit(
            path: "\(path).\(key)",
            message:
              "\(value) is out of range with \(driver.rawValue): \(range.lowerBound) to \(largest)",
            hint: row.reason))
      }
      if driver == .nvmetPCIEPF { found += limitsOfNVMetPCIEPF(function, path) }
    }
    if driver == .nvmetPCIEPF { found += vendorIDs(of: profile) }
    return found
  }

  private static func limitsOfNVMetPCIEPF(
    _ function: Profile.Function, _ path: String
  ) -> [DriverLimit] {
    guard case .tcp = function.target else { return [] }
    return [
      DriverLimit(
        path: "\(path).target.tcp",
        message: "nvmet_pci_epf serves only subsystems of the same machine",
        hint: "a remote target needs the driver pci_epf_nvme")
    ]
  }

  /// The function's vendor ID is the subsystem's with `nvmet_pci_epf`.
  private static func vendorIDs(of profile: Profile) -> [DriverLimit] {
    guard let row = ProfileSchema.function.row("vendorID"), let range = row.range else { return [] }
    return profile.subsystems.enumerated().compactMap { index, subsystem in
      guard let vendor = subsystem.vendorID, !range.contains(Int(vendor)),
        profile.functions.contains(where: { $0.target.localNQN == subsystem.nqn })
      else { return nil }
      return DriverLimit(
        path: "subsystems[\(index)].vendorID",
        message:
          "\(hexadecimal(vendor, digits: 4)) would be the vendor ID of the function with nvmet_pci_epf",
        hint: row.reason)
    }
  }
}

extension Profile.FunctionTarget {
  /// The NQN of a subsystem of this profile; nil for a remote one.
  var localNQN: String? {
    if case .local(let nqn, _) = self { nqn } else { nil }
  }
}

extension Profile {
  /// The values of a function's configuration header, of which a driver keeps one for all functions.
  func header(of function: Function, with driver: DriverChoice) -> [Int] {
    let ids =
      driver == .nvmetPCIEPF
      ? vendorIDs(of: function) : (function.vendorID, function.subsystemVendorID ?? 0)
    return [
      Int(ids.0), Int(function.deviceID), Int(function.revisionID), Int(ids.1),
      Int(function.subsystemID ?? 0), Int(function.classCode), Int(function.interruptPin),
      Int(function.cacheLineSize),
    ]
  }

  /// The vendor ID and the subsystem vendor ID that `nvmet_pci_epf` uses: those of the subsystem, which setup sets to those of the first
  /// function if they are not set.
  func vendorIDs(of function: Function) -> (vendor: UInt16, subsystemVendor: UInt16) {
    guard let nqn = function.target.localNQN else {
      return (function.vendorID, function.subsystemVendorID ?? 0)
    }
    let first = functions.first { $0.target.localNQN == nqn } ?? function
    let subsystem = subsystem(nqn)
    return (
      subsystem?.vendorID ?? first.vendorID,
      subsystem?.subsystemVendorID ?? first.subsystemVendorID ?? 0
    )
  }
}
