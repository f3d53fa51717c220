// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import LibC
internal import LinuxFiles
package import SystemPackage

/// The disks that a function is, and who has them.
extension BusDevice {
  /// The block devices of the namespaces; none without the NVMe driver.
  package var disks: [FilePath] { diskNames.map { machine.nodes.appending($0) } }

  private var diskNames: [String] {
    guard let controllerName else { return [] }
    let entries = (try? directoryNames(directory.appending("nvme").appending(controllerName))) ?? []
    // With several paths the disk has the subsystem's name: nvme0c1n1 is a path of nvme0n1.
    return Set(entries.compactMap(Self.diskName)).sorted()
  }

  /// `nvme0n1` of `nvme0n1` and of `nvme0c1n1`; nil for anything else.
  static func diskName(_ entry: String) -> String? {
    let rest = entry.dropFirst("nvme".count)
    let instance = rest.prefix { $0.isNumber }
    var tail = rest.dropFirst(instance.count)
    if tail.first == "c" { tail = tail.dropFirst().drop { $0.isNumber } }
    guard !instance.isEmpty, tail.first == "n", tail.count > 1,
      tail.dropFirst().allSatisfy(\.isNumber)
    else { return nil }
    return "nvme\(instance)\(tail)"
  }

  /// The driver's state of the controller: `live`, `resetting`, `dead`; nil without the driver.
  /// - Source: `drivers/nvme/host/sysfs.c`, `nvme_sysfs_show_state`.
  package var controllerState: String? {
    guard let controllerName else { return nil }
    return text("nvme/\(controllerName)/state")
  }

  /// Whether the function is bound to the NVMe driver, its controller is live and a namespace has a node.
  package var isUsable: Bool {
    driver == "nvme" && controllerState == "live" && !disks.isEmpty
      && disks.allSatisfy { unsafe access($0.string, F_OK) == 0 }
  }

  /// Bytes; nil when the kernel does not report it.
  func size(of disk: FilePath) -> UInt64? {
    guard let name = disk.lastComponent?.string,
      let text = try? readFile(block(name).appending("size")),
      let sectors = UInt64(text.trimmed)
    else { return nil }
    // Always of 512 bytes.
    return sectors.multipliedReportingOverflow(by: 512).partialValue
  }

  /// A file of the function's directory, without its line feed.
  package func text(_ file: String) -> String? {
    (try? readFile(directory.appending(file)))?.trimmed
  }

  private func block(_ name: String) -> FilePath {
    machine.sysfs.appending("class/block").appending(name)
  }

  // MARK: In use

  /// The users of its disks and partitions that the kernel shows: file systems, swap, device mapper and RAID.
  package var users: [String] {
    var found: [String] = []
    for disk in diskNames {
      let partitions = ((try? directoryNames(block(disk))) ?? []).filter {
        $0.hasPrefix(disk)
          && (try? readFile(block(disk).appending($0).appending("partition"))) != nil
      }
      for part in [disk] + partitions.sorted() {
        let directory = part == disk ? block(disk) : block(disk).appending(part)
        found += holders(of: part, directory)
      }
    }
    return found
  }

  private func holders(of part: String, _ directory: FilePath) -> [String] {
    let node = machine.nodes.appending(part).string
    var found: [String] = []
    let number = (try? readFile(directory.appending("dev")))?.trimmed
    let mounts = (try? readFile(machine.procfs.appending("self/mountinfo"))) ?? ""
    for entry in MountTable(parsing: mounts).entries
    where entry.device == number || entry.source == node {
      found.append("\(node) is mounted on \(entry.mountPoint)")
    }
    let swaps = (try? readFile(machine.procfs.appending("swaps"))) ?? ""
    if swaps.split(separator: "\n").contains(where: { $0.prefix { !$0.isWhitespace } == node }) {
      found.append("\(node) is swap")
    }
    for holder in ((try? directoryNames(directory.appending("holders"))) ?? []).sorted() {
      found.append("\(node) is part of \(machine.nodes.appending(holder))")
    }
    return found
  }

  /// Users of a disk or of a partition open it exclusively; the kernel tracks all of them.
  /// - Parameter attempt: the intended operation: `take`, `remove`.
  /// - Source: `block/bdev.c`, `bd_may_claim`: a claimed partition claims its disk.
  func refuseWhenInUse(
    _ attempt: String, hint: String = "unmount or detach it first"
  ) throws(HostViewError) {
    let found = users
    guard found.isEmpty else {
      throw .inUse(attempt: attempt, path: name, users: found, hint: hint)
    }
    for node in disks {
      let descriptor = unsafe open(node.string, O_RDONLY | O_EXCL | O_CLOEXEC)
      guard descriptor < 0 else {
        _ = close(descriptor)
        continue
      }
      let error = Errno.current
      // A namespace without a node cannot be in use.
      guard error != .noSuchFileOrDirectory else { continue }
      guard error != .resourceBusy else {
        throw .inUse(
          attempt: attempt, path: name,
          users: ["\(node) is opened exclusively by a program or the kernel (EBUSY)"],
          hint: hint)
      }
      throw .unavailable(
        attempt: "open", path: node.string, errno: error,
        hint: "the disk cannot be opened to determine whether it is in use")
    }
  }
}
