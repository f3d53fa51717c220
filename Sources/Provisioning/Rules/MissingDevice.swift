// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import Numbers
internal import SystemPackage

/// The hint for a missing backing.
package enum BackingHint {
  package static let missingFile =
    "create it, or set \"create\": true and \"sizeMiB\" in the profile"

  /// The hint for a missing file, which can be a device.
  package static func missing(_ path: String) -> String {
    path.hasPrefix("/dev/") && !path.hasPrefix("/dev/shm/") ? missingDevice(path) : missingFile
  }

  /// The cause of a missing block device, and the unit to wait for at boot.
  package static func missingDevice(_ path: String) -> String {
    guard path.hasPrefix("/dev/"), let source = source(of: path) else {
      return "name an existing block device; lsblk lists them"
    }
    return
      "\(source); at boot, order the unit after \(DeviceUnit.name(of: path)) (After= and Requires= in systemctl edit epfnvme@NAME), or wait: setup --wait-for 30"
  }

  /// The command or key that creates a device; nil for disks that the kernel finds.
  private static func source(of path: String) -> String? {
    let parts = path.split(separator: "/").dropFirst().map(String.init)
    guard let first = parts.first else { return nil }
    let rest = parts.dropFirst().joined(separator: "/")
    switch first {
    case "disk":
      return
        "udev creates this link when it finds the disk: lsblk -o +PARTLABEL,UUID shows its names"
    case "mapper":
      return
        "activate the volume: vgchange -ay for LVM (lvs lists volumes), cryptsetup open for LUKS, multipath -ll for multipath"
    case "zvol": return "import the pool: zpool import \(parts.dropFirst().first ?? "POOL")"
    case "stratis":
      return "start the pool: stratis pool start --name \(parts.dropFirst().first ?? "POOL")"
    case "etherd":
      return "discover the AoE device: modprobe aoe, aoe-discover (aoe-stat lists them)"
    case "md": return "assemble the array: mdadm --assemble --scan"
    case "rbd", "drbd", "nbd", "loop", "bcache", "vdo", "cxl", "pmem", "shm", "input", "bus":
      return "it appears when its driver or service is up"
    default: break
    }
    // /dev/GROUP/VOLUME.
    if !rest.isEmpty {
      return "activate the volume: lvchange -ay \(first)/\(rest) (lvs lists volumes)"
    }
    if first[...].isNumbered("md", withPartition: true) {
      return "assemble the array: mdadm --assemble --scan"
    }
    if first[...].isNumbered("zd", withPartition: true) { return "import the pool: zpool import" }
    if first[...].isNumbered("loop", withPartition: true) {
      return "attach its file: losetup; or let the profile do that with a backing loopDevice"
    }
    if ["rbd", "drbd", "nbd", "bcache", "vdo"].contains(where: {
      first[...].isNumbered($0, withPartition: true)
    }) {
      return "it appears when its driver or service is up"
    }
    return "its disk is not there (lsblk lists those that are)"
  }
}

/// The unit of systemd for a device, which becomes active when udev has found the device.
enum DeviceUnit {
  /// `dev-vg-lv.device` for `/dev/vg/lv`.
  /// - Source: systemd.unit(5), string escaping for inclusion in unit names.
  static func name(of path: String) -> String {
    let trimmed = path.split(separator: "/").joined(separator: "/")
    var name = ""
    for (index, byte) in trimmed.utf8.enumerated() {
      switch byte {
      case UInt8(ascii: "/"): name += "-"
      case UInt8(ascii: ".") where index > 0: name += "."
      case UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
        name.unicodeScalars.append(Unicode.Scalar(byte))
      default: name += "\\x" + hexadecimalDigits(byte, count: 2)
      }
    }
    return name + ".device"
  }
}

/// A character device that is named where a block device is needed, because it belongs to the disk.
package enum CharacterDevice {
  static let hint = "name the block device of the disk; lsblk lists them"

  /// The error for a backing whose path, which this machine does not have, is that of a character device: neither creating a file there
  /// nor waiting for it helps.
  package static func refusal(_ path: String, backing name: String) -> ProvisioningError? {
    description(of: path).map { description in
      ProvisioningError(
        .inputMissing, "\(name): \(path) \(description)", operation: "open", path: path, hint: hint)
    }
  }

  /// The kind of a device and the block device of its disk; nil for another path.
  static func description(of path: String) -> String? {
    let path = path.lexicallyNormalizedPath
    guard path.hasPrefix("/dev/") else { return nil }
    let name = path.dropFirst("/dev/".count)
    if name.isNumbered("nvme") {
      return
        "is a character device (an NVMe controller); its namespaces are block devices such as \(path)n1"
    }
    let parts = name.split(separator: "n", omittingEmptySubsequences: false)
    if parts.count == 3, parts[0].isEmpty, parts[1].isNumbered("g"), parts[2].isNumbered("") {
      return
        "is a character device (the generic device of an NVMe namespace); its disk is /dev/nvme\(name.dropFirst(2))"
    }
    if name.isNumbered("sg") || name.hasPrefix("bsg/") {
      return
        "is a character device (a SCSI generic device); its disk is a block device such as /dev/sda, which lsscsi -g shows"
    }
    if name.isNumbered("mtd") {
      return
        "is a character device (a flash partition); its block device is /dev/mtdblock\(name.dropFirst(3))"
    }
    if let what = controls[String(name)] {
      return "is a character device (\(what)), not a disk"
    }
    return nil
  }

  /// Character devices that have one name on every machine.
  private static let controls: [String: String] = [
    "mapper/control": "the control device of the device mapper",
    "loop-control": "the control device of loop devices",
    "nvme-fabrics": "the control device of NVMe over Fabrics",
    "nvme-subsystem": "the control device of NVMe", "btrfs-control": "the control device of btrfs",
    "zfs": "the control device of ZFS", "zram-control": "the control device of zram",
    "vfio/vfio": "the control device of VFIO", "vhost-net": "the control device of vhost",
    "null": "it discards what is written; a disk that does so is a backing nullBlock",
    "zero": "it reads as zeros", "full": "it has no space", "random": "random numbers",
    "urandom": "random numbers", "kmsg": "the kernel's log", "mem": "the machine's memory",
    "port": "the machine's I/O ports", "console": "the console", "tty": "a terminal",
    "ptmx": "a terminal", "fuse": "the control device of FUSE", "kvm": "the control device of KVM",
    "rtc0": "a clock", "hpet": "a clock", "watchdog": "the watchdog", "watchdog0": "the watchdog",
    "uinput": "input devices", "cuse": "the control device of CUSE", "snapshot": "hibernation",
    "ublk-control": "the control device of ublk", "nvram": "the CMOS memory",
  ]
}

extension Substring {
  /// Whether it is a prefix and a decimal number.
  /// - Parameter withPartition: whether `p` and another number may follow: `md127p1`.
  fileprivate func isNumbered(_ prefix: String, withPartition: Bool = false) -> Bool {
    var number = dropFirst(prefix.count)
    if withPartition, let cut = number.lastIndex(of: "p"),
      number[number.index(after: cut)...].isNumbered("")
    {
      number = number[..<cut]
    }
    return hasPrefix(prefix) && !number.isEmpty && number.allSatisfy { ("0"..."9").contains($0) }
  }
}
