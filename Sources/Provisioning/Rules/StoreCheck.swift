// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import NVMeTarget
internal import SystemPackage

/// Other users of a profile's backings, on the whole machine and under any name.
///
/// Two namespaces on one store corrupt each other's data, and the kernel does not prevent it.
/// - Source: `drivers/nvme/target/io-cmd-bdev.c`, `nvmet_bdev_ns_enable`: the device is opened without a claim.
struct StoreCheck {
  private let machine: Machine
  private let ownership: Ownership
  /// Namespaces of others, with their stores.
  private var users = StoreUsers()

  /// - Parameter namespaces: the directories of the profile's namespaces.
  init(_ machine: Machine, _ ownership: Ownership, except namespaces: Set<String>) {
    self.machine = machine
    self.ownership = ownership
    guard machine.isConfigFSMounted() else { return }
    let tree = TargetTree(on: machine.configFS).subsystems
    guard tree.exists, let subsystems = try? tree.all() else { return }
    for subsystem in subsystems {
      for space in (try? subsystem.namespaces.all()) ?? [] {
        let path = space.directory.path.string
        guard !namespaces.contains(path), !ownership.own.directories.contains(path) else {
          continue
        }
        let owner = ownership.owner(of: path)
        guard owner != nil || (try? space.isEnabled.read()) == true,
          let store = try? machine.configFS.read(space.devicePath.path).withoutTrailingNewline
        else { continue }
        let name = "namespace \(space.name) of \(subsystem.name)"
        let whose = owner.map { " (profile \"\($0)\")" } ?? ", which epfnvme did not create"
        users.add(machine.storage.stores(behind: FilePath(store)), name + whose)
      }
    }
  }

  /// - Parameter loops: the loop devices of the profile.
  /// - Throws: ``ProvisioningError`` of kind `impossible` for a store that has another user.
  func check(_ profile: Profile, loops: [String: String]) throws(ProvisioningError) {
    var own = StoreUsers()
    let bound = otherLoops(Set(loops.values))
    for subsystem in profile.subsystems {
      for namespace in subsystem.namespaces {
        guard let backing = profile.backing(named: namespace.backing) else { continue }
        let path = Self.path(of: backing, in: profile)
        let stores = machine.storage.stores(behind: FilePath(path))
        if let user = users.user(of: stores) ?? own.user(of: stores) {
          throw refusal(
            backing, "\(path) is already the store of \(user)",
            "two namespaces on one store corrupt each other's data: use a separate store for each")
        }
        own.add(stores, "the backing \"\(backing.name)\"")
        // A loop device that is a "block" backing is bound to its file itself.
        if let device = bound.user(of: stores),
          (try? machine.storage.identity(of: FilePath(device)))?.number != stores.first?.number
        {
          throw refusal(
            backing, "\(path) is already bound to \(device)",
            "detach it with losetup -d \(device), or use it as a \"block\" backing")
        }
      }
    }
  }

  private static func path(of backing: Profile.Backing, in profile: Profile) -> String {
    switch backing.store {
    case .nullBlock: "/dev/\(profile.deviceName(of: backing) ?? "")"
    case .file(let file): file.path
    case .block(let path): path
    case .loopDevice(let loop): loop.file.path
    }
  }

  private func refusal(
    _ backing: Profile.Backing, _ sentence: String, _ hint: String
  ) -> ProvisioningError {
    ProvisioningError(
      .impossible, "backings.\(backing.name): \(sentence)", operation: "open",
      path: backing.name, errno: .resourceBusy, hint: hint)
  }

  /// The files of loop devices of others: two loop devices on one file are not coherent.
  private func otherLoops(_ own: Set<String>) -> StoreUsers {
    var users = StoreUsers()
    for (device, file) in (try? machine.storage.boundLoops()) ?? []
    where !own.contains(device.string) {
      guard let store = try? machine.storage.identity(of: file) else { continue }
      users.add([store], device.string)
    }
    return users
  }

  /// The user of a device that will be removed; nil if there is none.
  func user(ofDevice path: String) -> String? {
    users.user(of: machine.storage.stores(behind: FilePath(path)))
  }
}

/// Stores and who uses them, found by number: a disk and its partitions are one store.
private struct StoreUsers {
  private var byNumber: [String: String] = [:]
  private var byDisk: [String: String] = [:]

  mutating func add(_ stores: [StoreIdentity], _ user: String) {
    for store in stores {
      byNumber[store.number] = user
      if let disk = store.disk { byDisk[disk] = user }
    }
  }

  func user(of stores: [StoreIdentity]) -> String? {
    for store in stores {
      if let user = byNumber[store.number] ?? byDisk[store.number] { return user }
      if let disk = store.disk, let user = byNumber[disk] { return user }
    }
    return nil
  }
}
