// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import Numbers
internal import SystemPackage

/// The names of a disk.
package struct DiskIDs: Hashable, Sendable {
  package var vendorID: UInt16
  package var deviceID: UInt16

  package init(vendorID: UInt16, deviceID: UInt16) {
    self.vendorID = vendorID
    self.deviceID = deviceID
  }

  /// `15b7:5fff`, as lspci writes it.
  package var text: String {
    "\(hexadecimalDigits(vendorID, count: 4)):\(hexadecimalDigits(deviceID, count: 4))"
  }
}

/// The NVMe controllers on a machine's PCI bus, found by class and ids.
package struct HostBus: Sendable {
  package let machine: HostMachine

  package init(_ machine: HostMachine = .live) { self.machine = machine }

  /// The functions of class 01.08.02 with one of the ids, all of that class without ids; in the order of their names.
  /// - Parameter ofAnyClass: also functions of other classes.
  /// - Throws: ``HostViewError`` when the bus cannot be listed.
  /// - Source: `include/linux/pci_ids.h`, `PCI_CLASS_STORAGE_EXPRESS`; `drivers/pci/pci-sysfs.c`.
  package func functions(
    _ ids: [DiskIDs]? = nil, ofAnyClass: Bool = false
  ) throws(HostViewError) -> [String] {
    let directory = machine.sysfs.appending("bus/pci/devices")
    let names: [String]
    do { names = try directoryNames(directory) } catch .noSuchFileOrDirectory {
      // A machine without PCI.
      return []
    } catch {
      throw .unavailable(
        attempt: "list", path: directory.string, errno: error, hint: "sysfs shows the bus")
    }
    return names.filter { name in
      let path = directory.appending(name)
      func number(_ file: String) -> UInt32? { Self.number(path.appending(file)) }
      guard ofAnyClass || number("class") == 0x010802 else { return false }
      guard let ids else { return true }
      guard let vendor = number("vendor").flatMap({ UInt16(exactly: $0) }),
        let device = number("device").flatMap({ UInt16(exactly: $0) })
      else { return false }
      return ids.contains(DiskIDs(vendorID: vendor, deviceID: device))
    }.sorted()
  }

  /// `0x15b7\n`
  private static func number(_ path: FilePath) -> UInt32? {
    guard let text = try? readFile(path), text.hasPrefix("0x") else { return nil }
    return UInt32(text.trimmed.dropFirst(2), radix: 16)
  }

  /// A function by its own name, or by the node of the NVMe driver's controller: `0000:01:00.0`, `/dev/nvme0`.
  /// - Throws: ``HostViewError`` when there is none.
  package func device(_ name: String) throws(HostViewError) -> BusDevice {
    guard name.hasPrefix("/dev/nvme") else { return try BusDevice(name, on: machine) }
    // The controller's directory in sysfs leads to its function.
    let node = String(name.dropFirst("/dev/".count))
    let path = machine.sysfs.appending("class/nvme").appending(node).appending("device")
    guard node.dropFirst("nvme".count).allSatisfy(\.isNumber),
      let function = (try? linkText(path))?.lastComponent, BusDevice.isName(function)
    else {
      throw .unavailable(
        attempt: "find", path: name, errno: .noSuchFileOrDirectory,
        hint:
          "it is not an NVMe controller on a PCI bus; name the controller (/dev/nvme0, not a namespace) or its PCI function"
      )
    }
    return try BusDevice(function, on: machine)
  }

  /// Whether a disk with one of the ids is there and can be used.
  package func isUsable(_ ids: [DiskIDs]) -> Bool {
    let names = (try? functions(ids)) ?? []
    return names.contains { (try? BusDevice($0, on: machine))?.isUsable == true }
  }

  /// Makes the kernel scan for new functions.
  /// - Parameter bus: `0000:01`; the whole machine without one.
  /// - Source: `Documentation/ABI/testing/sysfs-bus-pci`.
  package func rescan(_ bus: String? = nil) throws(HostViewError) {
    let path: FilePath
    if let bus {
      guard BusDevice.isName("\(bus):00.0") else {
        throw .failed("\(bus) is not a PCI bus (domain:bus, for example 0000:01)")
      }
      path = machine.sysfs.appending("class/pci_bus").appending(bus).appending("rescan")
    } else {
      path = machine.sysfs.appending("bus/pci/rescan")
    }
    do throws(Errno) { try machine.write("1", path) } catch {
      throw .unavailable(
        attempt: "write \"1\" to", path: path.string, errno: error,
        hint: error == .noSuchFileOrDirectory
          ? "the machine has no such bus" : "rescanning requires root")
    }
  }
}
