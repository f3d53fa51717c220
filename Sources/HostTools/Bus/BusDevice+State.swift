// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
package import SystemPackage

/// The state of a function, its controller and its namespaces in sysfs and procfs, for a diagnosis.
/// - Source: Linux `Documentation/ABI/testing/sysfs-bus-pci`, `sysfs-bus-pci-devices-aer_stats`; `drivers/nvme/host/sysfs.c`.
extension BusDevice {
  /// A file of the function's directory, as a path.
  package func path(_ file: String) -> String { directory.appending(file).string }

  /// A file of the controller: `serial`, `state`; nil without the driver.
  package func controllerText(_ file: String) -> String? {
    controllerName.flatMap { text("nvme/\($0)/\(file)") }
  }

  /// The last component of a link in the function's directory: `12` for `iommu_group`.
  package func linkName(_ file: String) -> String? {
    (try? linkText(directory.appending(file)))?.lastComponent
  }

  /// The driver's entries for namespaces: `nvme0n1`, and `nvme0c0n1` for a path of a disk with several.
  package var namespaceEntries: [String] {
    guard let controllerName else { return [] }
    let entries = (try? directoryNames(directory.appending("nvme").appending(controllerName))) ?? []
    return entries.filter { Self.diskName($0) != nil }.sorted()
  }

  /// The names in a directory of the function; none if it does not exist.
  package func names(in file: String) -> [String] {
    ((try? directoryNames(directory.appending(file))) ?? []).sorted()
  }

  /// A file of a disk of it, `uuid` of `/dev/nvme0n1`.
  package func text(_ file: String, of disk: FilePath) -> String? {
    guard let name = disk.lastComponent?.string else { return nil }
    let path = machine.sysfs.appending("class/block").appending(name).appending(file)
    return (try? readFile(path))?.trimmed
  }

  /// The numbers of a file with a name and a number on each line: `aer_dev_fatal`.
  package func counters(_ file: String) -> [(name: String, count: UInt64)] {
    (text(file) ?? "").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 2, let count = UInt64(words[1]) else { return nil }
      return (String(words[0]), count)
    }
  }
}

extension HostMachine {
  /// A file below sysfs or procfs without its line feed; nil if it cannot be read.
  package func text(_ path: FilePath) -> String? { (try? readFile(path))?.trimmed }

  /// The names in a directory; none if it does not exist.
  package func names(in path: FilePath) -> [String] { ((try? directoryNames(path)) ?? []).sorted() }
}
