// SPDX-License-Identifier: Apache-2.0
#if Libudev
  internal import CUdev
  internal import SystemPackage

  /// A device of libudev.
  struct EnumeratedDevice {
    var name: String
    /// The driver of its parent.
    var parentDriver: String?
  }

  /// The devices of a subsystem.
  func enumerateDevices(of subsystem: String) throws(Errno) -> [EnumeratedDevice] {
    guard let context = unsafe udev_new() else { throw .noMemory }
    defer { _ = unsafe udev_unref(context) }
    guard let search = unsafe udev_enumerate_new(context) else { throw .noMemory }
    defer { _ = unsafe udev_enumerate_unref(search) }
    var status = unsafe udev_enumerate_add_match_subsystem(search, subsystem)
    if status >= 0 { status = unsafe udev_enumerate_scan_devices(search) }
    guard status >= 0 else { throw Errno(rawValue: -status) }
    var found: [EnumeratedDevice] = []
    var entry = unsafe udev_enumerate_get_list_entry(search)
    while let current = unsafe entry {
      // Nil if the device disappeared meanwhile.
      if let path = unsafe udev_list_entry_get_name(current),
        let device = unsafe udev_device_new_from_syspath(context, path)
      {
        if let name = unsafe udev_device_get_sysname(device) {
          // The parent belongs to its child and is not released.
          let parent = unsafe udev_device_get_parent(device)
          let driver = unsafe parent.flatMap { unsafe udev_device_get_driver($0) }
          found.append(
            EnumeratedDevice(
              name: unsafe String(cString: name),
              parentDriver: unsafe driver.map { unsafe String(cString: $0) }))
        }
        _ = unsafe udev_device_unref(device)
      }
      unsafe entry = udev_list_entry_get_next(current)
    }
    return found
  }
#endif
