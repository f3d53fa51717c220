// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

/// Attributes of a profile without a key, which another driver or another version of it has: a write would end with ENOENT in the middle.
struct UnknownAttributes {
  let machine: Machine

  struct Found {
    /// `functions[0].attributes.nvme/user_path_enable`.
    var place: String
    var file: FilePath
    var attribute: Profile.RawAttribute
    /// Whose objects lack it: `nvmet`, `null_blk`, or the function driver.
    var owner: String
  }

  /// - Throws: ``ProvisioningError`` of kind `impossible` for the first attribute that the machine lacks.
  func check(_ profile: Profile, _ driver: FunctionDriver?) throws(ProvisioningError) {
    var profile = profile
    guard let first = remove(from: &profile, driver).first else { return }
    throw ProvisioningError(
      .impossible, "\(first.place): \(sentence(first))", operation: "write",
      path: first.file.string, value: first.attribute.text, errno: .noSuchFileOrDirectory,
      hint:
        "it belongs to another driver, or to another version of this one: load the driver that has it, or remove it from \"attributes\"; emulate and predict leave it out"
    )
  }

  func sentence(_ found: Found) -> String {
    "\(found.owner) of \(machine.label) has no attribute \(found.attribute.name)"
  }

  /// Removes the attributes that the machine lacks, as far as that can be told without changing anything.
  func remove(from profile: inout Profile, _ driver: FunctionDriver?) -> [Found] {
    var found: [Found] = []
    // The simulated kernel tries on a copy of itself: once for objects of a kind.
    var tried: [String: Bool] = [:]
    profile.forEachRawAttributes { attributes, place, directory, owner in
      guard !attributes.isEmpty, owner != nil || driver != nil else { return }
      let object = machine.configFS.mountPoint.appending(
        directory.replacing("DRIVER", with: driver?.name ?? ""))
      attributes.removeAll { attribute in
        guard isMissing(attribute.name, in: object, &tried) else { return false }
        found.append(
          Found(
            place: "\(place).attributes.\(attribute.name)",
            file: FilePath("\(object)/\(attribute.name)"), attribute: attribute,
            owner: owner ?? "the driver \(driver?.name ?? "")"))
        return true
      }
    }
    return found
  }

  /// The object itself shows it, or another one of its kind, or the simulated kernel's rules.
  private func isMissing(
    _ name: String, in object: FilePath, _ tried: inout [String: Bool]
  ) -> Bool {
    if let isMissing = isMissing(name, from: object) { return isMissing }
    for entry in (try? machine.configFS.entries(of: object.parent)) ?? []
    where entry.kind == .directory {
      if let isMissing = isMissing(name, from: object.parent.appending(entry.name)) {
        return isMissing
      }
    }
    let key = "\(object.parent) \(name)"
    if let isMissing = tried[key] { return isMissing }
    let isMissing = machine.hasAttribute(FilePath("\(object)/\(name)")) == false
    tried[key] = isMissing
    return isMissing
  }

  /// Whether an object lacks an attribute; nil if there is no such object.
  private func isMissing(_ name: String, from object: FilePath) -> Bool? {
    let path = FilePath("\(object)/\(name)")
    guard (try? machine.configFS.kind(of: path.parent)) == .directory else { return nil }
    do {
      _ = try machine.configFS.kind(of: path)
      return false
    } catch { return error == .noSuchFileOrDirectory }
  }
}

extension Profile {
  /// Every list of attributes with its place in the profile, its object's directory below configfs (with `DRIVER` for the function
  /// driver's name) and the kernel's part that has it; nil for the function driver.
  fileprivate mutating func forEachRawAttributes(
    _ body: (inout [RawAttribute], _ place: String, _ directory: String, _ owner: String?) -> Void
  ) {
    for index in backings.indices {
      guard case .nullBlock(var device) = backings[index].store else { continue }
      let name = backings[index].name
      body(&device.attributes, "backings.\(name).nullBlock", "nullb/\(name)", "null_blk")
      backings[index].store = .nullBlock(device)
    }
    for index in hosts.indices {
      body(&hosts[index].attributes, "hosts[\(index)]", "nvmet/hosts/\(hosts[index].nqn)", "nvmet")
    }
    for s in subsystems.indices {
      let directory = "nvmet/subsystems/\(subsystems[s].nqn)"
      body(&subsystems[s].attributes, "subsystems[\(s)]", directory, "nvmet")
      for n in subsystems[s].namespaces.indices {
        let id = subsystems[s].namespaces[n].id
        body(
          &subsystems[s].namespaces[n].attributes, "subsystems[\(s)].namespaces[\(n)]",
          "\(directory)/namespaces/\(id)", "nvmet")
      }
    }
    for index in ports.indices {
      body(
        &ports[index].attributes, "ports[\(index)]", "nvmet/ports/\(ports[index].id)", "nvmet")
    }
    for index in functions.indices {
      body(
        &functions[index].attributes, "functions[\(index)]",
        "pci_ep/functions/DRIVER/\(functions[index].name)", nil)
    }
  }
}

extension Provisioner {
  /// A profile without the attributes that this machine's drivers do not have, for an emulation.
  /// - Returns: the rest, and a warning for each attribute.
  package func withoutUnknownAttributes(
    _ located: Profile.Located
  ) -> (profile: Profile.Located, ignored: [ProfileIssue]) {
    var located = located
    // A profile that the machine refuses is refused later, with its reason.
    guard
      let resolution = try? Resolution(
        located.profile, on: machine, Ownership(own: Ledger(), hasJournal: true))
    else { return (located, []) }
    let check = UnknownAttributes(machine: machine)
    let found = check.remove(from: &located.profile, resolution.driver)
    let ignored = found.map { item in
      ProfileIssue(
        .warning, path: item.place, position: Profile.place(of: item.place, in: located.places),
        message: "\(check.sentence(item)): left out here",
        hint: "setup needs a kernel with the driver that has it")
    }
    located.warnings += ignored
    return (located, ignored)
  }
}
