// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
public import SystemPackage

extension BusDevice {
  /// The block devices of the namespaces; none without the NVMe driver.
  public var disks: [FilePath] {
    guard let controllerName else { return [] }
    let entries = (try? directoryNames(directory.appending("nvme").appending(controllerName))) ?? []
    // With several paths the disk has the subsystem's name: nvme0c1n1 is a path of nvme0n1.
    return Set(entries.compactMap(Self.diskName)).sorted().map { nodes.appending($0) }
  }
}
