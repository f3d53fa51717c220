// SPDX-License-Identifier: Apache-2.0

/// The rules of hosts, ANA groups and raw attributes.
extension ProfileCheck {
  /// Bytes that one write can have with its terminator: a page.
  private static let maximumText = 4095

  func rawAttributes() {
    for backing in profile.backings {
      if case .nullBlock(let device) = backing.store {
        check(device.attributes, ProfileSchema.nullBlock, "backings.\(backing.name).nullBlock")
      }
    }
    for (index, host) in profile.hosts.enumerated() {
      warnOfName(host.nqn, "hosts[\(index)].nqn")
      check(host.attributes, ProfileSchema.host, "hosts[\(index)]")
    }
    twice(profile.hosts.map(\.nqn), "hosts", "nqn", "the NQN")
    for (s, subsystem) in profile.subsystems.enumerated() {
      check(subsystem.attributes, ProfileSchema.subsystem, "subsystems[\(s)]")
      for (n, namespace) in subsystem.namespaces.enumerated() {
        check(namespace.attributes, ProfileSchema.namespace, "subsystems[\(s)].namespaces[\(n)]")
      }
    }
    for (index, port) in profile.ports.enumerated() {
      check(port.attributes, ProfileSchema.port, "ports[\(index)]")
      check(port.anaGroups, "ports[\(index)]")
    }
    for (index, function) in profile.functions.enumerated() {
      check(function.attributes, ProfileSchema.function, "functions[\(index)]", group: "nvme/")
    }
  }

  private func check(
    _ attributes: [Profile.RawAttribute], _ object: SchemaObject, _ path: String,
    group: String? = nil
  ) {
    for attribute in attributes {
      let place = "\(path).attributes.\(attribute.name)"
      var name = Substring(attribute.name)
      if let group, name.hasPrefix(group) { name = name.dropFirst(group.count) }
      if !Self.isName(name) {
        error(
          place,
          "\"\(attribute.name.prefix(60))\" is not an attribute name: letters, digits, \"_\", \"-\" and \".\", starting with a letter"
        )
      } else if let key = object.key(ofAttribute: attribute.name) {
        error(
          place,
          key.isEmpty
            ? "\"\(attribute.name)\" is a command, or the kernel chooses it; a profile cannot set it"
            : "\"\(attribute.name)\" has a dedicated key",
          hint: key.isEmpty ? nil : "write the key \"\(key)\" instead")
      } else {
        checkText(attribute, place)
      }
    }
  }

  private func checkText(_ attribute: Profile.RawAttribute, _ place: String) {
    if attribute.text.isEmpty {
      error(place, "is empty, and nothing would be written")
    } else if attribute.text.utf8.count > Self.maximumText {
      error(place, "has \(attribute.text.utf8.count) bytes; one write holds \(Self.maximumText)")
    } else if attribute.text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
      error(place, "contains a control character")
    } else if SecretAttribute.matches(attribute.name), attribute.text == SecretAttribute.mask {
      error(
        place, "this secret was hidden when the file was exported",
        hint: "insert the real secret, or export again with --with-secrets")
    }
  }

  private static func isName(_ name: Substring) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= 255 else { return false }
    func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5a).contains(byte & 0xdf) }
    return isLetter(first)
      && name.utf8.allSatisfy {
        isLetter($0) || (0x30...0x39).contains($0) || "_-.".utf8.contains($0)
      }
  }

  private func check(_ groups: [Profile.ANAGroup], _ path: String) {
    twice(groups.map { "\($0.id)" }, "\(path).anaGroups", "id", "the group")
  }
}
