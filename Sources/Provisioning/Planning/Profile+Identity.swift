// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget
internal import Numbers

/// The identities that hosts see: names, serial numbers, UUIDs, NGUIDs and controller IDs.
///
/// A Linux host refuses a second controller of one subsystem with the same controller ID, and creates no block device for a namespace whose
/// identifiers it knows already. Two boards with one profile therefore need different identities, which do not change at a restart.
/// - Source: `drivers/nvme/host/core.c`, `nvme_validate_cntlid`, `nvme_global_check_duplicate_ids`.
extension Profile {
  /// The source of the identities that a profile leaves open.
  public enum IdentitySource: String, Sendable, Hashable, CaseIterable {
    /// The machine's ID: different on every board, equal after a reinstallation of this program.
    case machine
    /// The profile's `identitySeed`.
    case seed
    /// The names in the profile only: equal on every board.
    case profile
  }

  /// The text that tells this board from others; nil if its identities follow from names only.
  /// - Parameter machineID: of `/etc/machine-id`; nil if the machine has none.
  func boardSeed(_ machineID: String?) -> String? {
    switch identity {
    case .machine: machineID.map { "machine\n\($0)" }
    case .seed: identitySeed.map { "seed\n\($0)" }
    case .profile: nil
    }
  }

  /// Whether a subsystem belongs to the PCI functions of this board alone, so that its name and controller IDs can be the board's.
  ///
  /// Hosts on a network connect by the name, which the profile therefore decides.
  func isLocalToBoard(_ nqn: String) -> Bool {
    let hasFunction = functions.contains { function in
      if case .local(nqn, _) = function.target { true } else { false }
    }
    return hasFunction
      && !ports.contains { port in
        [.tcp, .rdma].contains(port.transport) && port.subsystems.contains(nqn)
      }
  }

  /// The profile with every identity that it leaves open, as it will be on a machine. Values that the profile sets are kept.
  ///
  /// The result depends only on the profile and the machine, and is unchanged by a second call.
  /// - Parameter machineID: of `/etc/machine-id`; nil if the machine has none.
  public func identified(on machineID: String?) -> Profile {
    var profile = self
    let digests = IdentityDigests(profile: name, board: boardSeed(machineID))
    for index in profile.subsystems.indices {
      profile.subsystems[index].identify(digests)
      let nqn = subsystems[index].nqn
      guard let suffix = digests.suffix, isLocalToBoard(nqn) else { continue }
      profile.subsystems[index].takeControllerIDs(digests, nqn)
      guard !nqn.hasSuffix(suffix),
        nqn.utf8.count + suffix.utf8.count <= NQN.maximumLengthForEndpointFunction
      else { continue }
      profile.rename(nqn, to: nqn + suffix)
    }
    return profile
  }

  private mutating func rename(_ old: String, to new: String) {
    for index in subsystems.indices where subsystems[index].nqn == old {
      subsystems[index].nqn = new
    }
    for index in ports.indices {
      ports[index].subsystems = ports[index].subsystems.map { $0 == old ? new : $0 }
    }
    for index in functions.indices {
      guard case .local(old, let spelled) = functions[index].target else { continue }
      functions[index].target = .local(nqn: new, spelled: spelled)
    }
  }
}

extension Profile.Subsystem {
  /// Derived from the name in the profile, which is the same on every board.
  fileprivate mutating func identify(_ digests: IdentityDigests) {
    let nqn = digests.withoutSuffix(self.nqn)
    if self.serial == nil { self.serial = digests.serial(nqn) }
    for index in namespaces.indices {
      let seed = "\(nqn)\n\(namespaces[index].id)"
      if namespaces[index].uuid == nil { namespaces[index].uuid = digests.uuid(seed) }
      if namespaces[index].nguid == nil {
        namespaces[index].nguid = digests.uuid(seed + "\nnguid")
      }
    }
  }

  fileprivate mutating func takeControllerIDs(_ digests: IdentityDigests, _ nqn: String) {
    guard self.controllerIDMinimum == nil, self.controllerIDMaximum == nil else { return }
    let range = digests.controllerIDs(digests.withoutSuffix(nqn))
    self.controllerIDMinimum = range.lowerBound
    self.controllerIDMaximum = range.upperBound
  }
}

/// The digests of one board and one profile.
///
/// The machine's ID is confidential (machine-id(5)): only parts of its SHA-256 with other text appear.
private struct IdentityDigests {
  private let prefix: String
  /// The end of the board's subsystem names; nil without a board.
  let suffix: String?

  init(profile: String, board: String?) {
    prefix = "epfnvme identity\n\(board ?? "")\n\(profile)\n"
    suffix = board.map { "." + SHA256.hexadecimalDigest("epfnvme board\n\($0)").prefix(12) }
  }

  func withoutSuffix(_ nqn: String) -> String {
    guard let suffix, nqn.hasSuffix(suffix) else { return nqn }
    return String(nqn.dropLast(suffix.count))
  }

  private func digits(_ text: String) -> String { SHA256.hexadecimalDigest(prefix + text) }

  /// 20 hexadecimal digits.
  func serial(_ nqn: String) -> String { String(digits("serial\n\(nqn)").prefix(20)) }

  /// A version 8 UUID (RFC 9562).
  func uuid(_ seed: String) -> String {
    var digits = Array(digits("uuid\n\(seed)").prefix(32))
    digits[12] = "8"
    digits[16] = "a"
    for place in [20, 16, 12, 8] { digits.insert("-", at: place) }
    return String(digits)
  }

  /// 64 of the IDs that controllers of nvmet may have, 1 to FFEFh.
  func controllerIDs(_ nqn: String) -> ClosedRange<UInt16> {
    let count: UInt16 = 64
    let ranges = (0xffef - 1) / count
    let number = UInt32(digits("controller ids\n\(nqn)").prefix(8), radix: 16) ?? 0
    // The first range is the kernel's choice for a subsystem without one.
    let first = 1 + count * (1 + UInt16(number % UInt32(ranges - 1)))
    return first...first + count - 1
  }
}
