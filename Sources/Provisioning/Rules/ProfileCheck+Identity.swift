// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget

/// Identities that must differ.
extension ProfileCheck {
  func identity() {
    if profile.identity == .seed, profile.identitySeed == nil {
      error(
        "identity", "\"seed\" requires \"identitySeed\", a text that only this board has",
        hint: "or omit \"identity\": the machine's ID is used")
    } else if profile.identity != .seed, profile.identitySeed != nil {
      error(
        "identitySeed", "is used only with \"identity\": \"seed\"",
        hint: "add \"identity\": \"seed\", or remove the seed")
    }
    guard profile.identity != .profile else { return }
    // The suffix is a dot and 12 digits.
    let longest = NQN.maximumLengthForEndpointFunction - 13
    for (index, subsystem) in profile.subsystems.enumerated()
    where subsystem.nqn.utf8.count > longest
      && subsystem.nqn.utf8.count <= NQN.maximumLengthForEndpointFunction
      && profile.isLocalToBoard(subsystem.nqn)
    {
      warn(
        "subsystems[\(index)].nqn",
        "has no room for the board's suffix, so that it is the same on every board",
        hint: "use at most \(longest) bytes, or set \"identity\": \"profile\"")
    }
  }

  /// A Linux host creates no block device for the second of two namespaces with one identifier; zeros are no identifier.
  ///
  /// An identifier that the profile sets can be one that is derived for another namespace.
  /// - Source: `drivers/nvme/host/core.c`, `nvme_subsys_check_duplicate_ids`, `nvme_global_check_duplicate_ids`.
  func identifiers() {
    struct Owner {
      var subsystem: Int
      var name: String
    }
    let complete = profile.identified(on: nil)
    var owners: [String: Owner] = [:]
    for (s, subsystem) in complete.subsystems.enumerated() {
      for (n, namespace) in subsystem.namespaces.enumerated() {
        let given = profile.subsystems[s].namespaces[n]
        // Both kinds have 16 bytes, and hosts compare each kind separately.
        for (key, name, text, isGiven) in [
          ("uuid", "UUID", namespace.uuid, given.uuid != nil),
          ("nguid", "NGUID", namespace.nguid, given.nguid != nil),
        ] {
          guard let text, let value = try? NGUID(text), value.bytes.contains(where: { $0 != 0 })
          else { continue }
          guard let owner = owners["\(key) \(value)"] else {
            owners["\(key) \(value)"] = Owner(subsystem: s, name: "namespace \(namespace.id)")
            continue
          }
          let path = "subsystems[\(s)].namespaces[\(n)]" + (isGiven ? ".\(key)" : "")
          if owner.subsystem == s {
            error(
              path,
              "namespace \(namespace.id) has the \(name) of \(owner.name): Linux makes no disk of it",
              hint: "give each namespace a unique \(name), or omit \"\(key)\"")
          } else {
            warn(
              path,
              "namespace \(namespace.id) has the \(name) of \(owner.name) of \(profile.subsystems[owner.subsystem].nqn.prefix(60)): a Linux host that sees both creates no block device for one",
              hint: "give each namespace a unique \(name), or omit \"\(key)\"")
          }
        }
      }
    }
  }
}
