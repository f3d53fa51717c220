// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles

/// The rules of backings.
extension ProfileCheck {
  func check(_ backing: Profile.Backing) {
    let path = "backings.\(backing.name)"
    switch backing.store {
    case .nullBlock(let device): check(device, backing, "\(path).nullBlock")
    case .file(let file): check(file, "\(path).file")
    case .block(let device):
      if let description = CharacterDevice.description(of: device) {
        warn("\(path).block.path", "\(device) \(description)")
      }
    case .loopDevice(let loop):
      check(loop.file, "\(path).loopDevice")
      check(loop, "\(path).loopDevice")
    }
    if users(of: backing).isEmpty { warn(path, "no namespace uses this backing") }
  }

  private func users(of backing: Profile.Backing) -> [Profile.Namespace] {
    profile.subsystems.flatMap { $0.namespaces.filter { $0.backing == backing.name } }
  }

  private func check(_ device: Profile.NullBlock, _ backing: Profile.Backing, _ path: String) {
    let name = profile.deviceName(of: backing) ?? ""
    if name.hasPrefix("nullb"), name.dropFirst(5).allSatisfy(\.isNumber), device.device != nil {
      warn(
        "\(path).device", "\"\(name)\" is also a name that the module assigns",
        hint: "another name cannot conflict with devices created by modprobe null_blk")
    }
    if device.memoryBacked != true {
      if device.discard == true {
        error("\(path).discard", "null_blk discards only with \"memoryBacked\": true")
      }
      if let size = device.cacheSizeMiB, size > 0 {
        error("\(path).cacheSizeMiB", "null_blk caches only with \"memoryBacked\": true")
      }
    }
    checkZones(device, backing, path)
  }

  private func checkZones(
    _ device: Profile.NullBlock, _ backing: Profile.Backing, _ path: String
  ) {
    guard device.zoned == true else { return }
    let size = Int(clamping: device.sizeMiB ?? 256_000)
    let zone = Int(clamping: device.zoneSizeMiB ?? 256)
    if zone > size {
      error("\(path).zoneSizeMiB", "a zone of \(zone) MiB is larger than the device of \(size) MiB")
    }
    if let capacity = device.zoneCapacityMiB, capacity > zone {
      error("\(path).zoneCapacityMiB", "\(capacity) MiB is more than the zone's \(zone) MiB")
    } else if let capacity = device.zoneCapacityMiB, capacity > 0, capacity < zone, size % zone != 0
    {
      error(
        "\(path).zoneCapacityMiB",
        "a capacity below the zone's \(zone) MiB requires a device of whole zones, and \(size) MiB is not a multiple"
      )
    } else if zone > 0, zone <= size, size % zone != 0,
      users(of: backing).contains(where: \.enabled)
    {
      // drivers/nvme/target/zns.c, nvmet_bdev_zns_enable
      error(
        "\(path).sizeMiB",
        "nvmet refuses a zoned device whose last zone is smaller, and \(size) MiB is not a multiple of the zone's \(zone) MiB"
      )
    }
    if device.discard == true { error("\(path).discard", "a zoned null_blk does not discard") }
    if zone > 0 {
      let (zones, rest) = size.quotientAndRemainder(dividingBy: zone)
      checkZoneLimits(device, zones: rest > 0 ? zones + 1 : zones, path)
    }
  }

  /// Values that the kernel replaces at power-on, so that a second setup would not be empty.
  private func checkZoneLimits(_ device: Profile.NullBlock, zones: Int, _ path: String) {
    for (key, limit) in [
      ("maximumOpenZones", device.maximumOpenZones),
      ("maximumActiveZones", device.maximumActiveZones),
    ] {
      guard let limit, limit > 0, Int(limit) >= zones else { continue }
      error(
        "\(path).\(key)", "\(limit) does not limit \(zones) zones; the kernel would set it to 0",
        hint: "omit it, or write 0")
    }
    if let open = device.maximumOpenZones, let active = device.maximumActiveZones, active > 0,
      open > active
    {
      error(
        "\(path).maximumOpenZones",
        "\(open) zones cannot be open while \(active) can be active; the kernel would set it to \(active)"
      )
    }
  }

  private func check(_ file: Profile.File, _ path: String) {
    if file.create, file.sizeMiB == nil {
      error(path, "\"create\" requires \"sizeMiB\", the size of the file")
    }
    if file.path.hasSuffix("/") {
      error("\(path).path", "\"\(file.path.prefix(60))\" is a directory's path, not a file's")
    }
  }

  /// The disk begins on a block, and a block of it is left at least.
  private func check(_ loop: Profile.LoopDevice, _ path: String) {
    let offset = Int(clamping: loop.offset)
    let block = Int(loop.blockSize ?? 512)
    if block > 0, offset % block != 0 {
      error(
        "\(path).offsetBytes",
        "\(offset) is not a multiple of the block size, \(block) bytes")
      return
    }
    // A file that already exists may be larger than its `sizeMiB`.
    guard loop.file.create, let size = loop.file.sizeMiB else { return }
    let (bytes, isTooLarge) = Int(clamping: size).multipliedReportingOverflow(by: 1 << 20)
    if !isTooLarge, bytes - min(bytes, offset) < max(block, 512) {
      error(
        "\(path).offsetBytes",
        "the disk would begin at byte \(offset) of a file of \(size) MiB (\(bytes) bytes): it would be empty",
        hint: "a smaller offset, or a larger \"sizeMiB\"")
    }
  }

  /// Two backings on one store corrupt each other, and the kernel does not prevent it.
  func storesTwice() {
    var users: [String: (name: String, spelling: String)] = [:]
    for backing in profile.backings {
      var isDerived = false
      let store: String
      switch backing.store {
      case .nullBlock(let device):
        store = "/dev/\(profile.deviceName(of: backing) ?? "")"
        isDerived = device.device == nil
      case .file(let file): store = file.path
      case .block(let path): store = path
      case .loopDevice(let loop): store = loop.file.path
      }
      let normalized = store.lexicallyNormalizedPath
      guard let other = users[normalized] else {
        users[normalized] = (backing.name, store)
        continue
      }
      error(
        "backings.\(backing.name)",
        "\(store.prefix(200)) is already the store of the backing \"\(other.name)\""
          + (other.spelling == store ? "" : ", there called \(other.spelling.prefix(200))"),
        hint: isDerived
          ? "device names are cut to 31 bytes: name one with \"device\""
          : "two namespaces on one store corrupt each other's data")
    }
  }

  func namespaceStores() {
    var users: [String: String] = [:]
    for (s, subsystem) in profile.subsystems.enumerated() {
      for (n, namespace) in subsystem.namespaces.enumerated() {
        let path = "subsystems[\(s)].namespaces[\(n)].backing"
        guard profile.backing(named: namespace.backing) != nil else {
          let nearest = nearestName(to: namespace.backing, in: profile.backings.map(\.name))
          error(
            path, "there is no backing \"\(namespace.backing.prefix(60))\"",
            hint: nearest.map { "did you mean \"\($0)\"?" })
          continue
        }
        if let other = users.updateValue(path, forKey: namespace.backing) {
          error(
            path, "the backing \"\(namespace.backing)\" is already used by \(other)",
            hint: "two namespaces on one store corrupt each other's data")
        }
      }
    }
  }
}
