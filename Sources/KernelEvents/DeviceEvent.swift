// SPDX-License-Identifier: Apache-2.0

/// A uevent: something happened to a device.
public struct DeviceEvent: Sendable, Hashable {
  /// `add`, `remove`, `change`, `bind`, `unbind`, `move`, `online`, `offline`.
  public var action: String
  /// `pci_epc`, `pci-epf`, `block`, `nvme` …
  public var subsystem: String
  /// The device's path below `/sys`.
  public var path: String

  public init(action: String, subsystem: String, path: String) {
    self.action = action
    self.subsystem = subsystem
    self.path = path
  }

  /// The device's name, the last component of its path.
  public var name: String { path.split(separator: "/").last.map(String.init) ?? "" }

  /// Parses the kernel's message: `action@path`, then `KEY=value` items, each ended by a NUL.
  ///
  /// Nil for anything else, such as udevd's own messages on the same socket family.
  /// - Source: `lib/kobject_uevent.c`, `kobject_uevent_env`.
  init?(message: some Collection<UInt8>) {
    let items = message.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    guard let header = items.first, let at = header.firstIndex(of: "@"), at != header.startIndex
    else { return nil }
    func value(_ key: String) -> String? {
      items.dropFirst().first { $0.hasPrefix(key + "=") }.map {
        String($0.dropFirst(key.utf8.count + 1))
      }
    }
    guard let subsystem = value("SUBSYSTEM") else { return nil }
    self.init(
      action: value("ACTION") ?? String(header[..<at]), subsystem: subsystem,
      path: value("DEVPATH") ?? String(header[header.index(after: at)...]))
  }
}
