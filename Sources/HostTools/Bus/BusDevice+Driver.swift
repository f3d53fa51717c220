// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

/// Taking a function from its driver, giving it to one, taking it off the bus.
/// - Source: `Documentation/ABI/testing/sysfs-bus-pci`; `drivers/base/bus.c`, `bind_store`, `unbind_store`.
extension BusDevice {
  private var drivers: FilePath { machine.sysfs.appending("bus/pci/drivers") }

  /// Unbinds the function from its driver and binds it to the NVMe driver, which probes it again.
  ///
  /// A function without a driver is only bound.
  /// - Parameter force: even when a disk of it is in use, or another driver has it.
  /// - Throws: ``HostViewError``; a function that the NVMe driver refuses is bound to its previous driver again.
  package func rebind(force: Bool) throws(HostViewError) {
    let hint = "--force proceeds anyway, and users of the disk get errors"
    let former = driver
    if !force {
      if let former, former != "nvme" {
        throw .inUse(
          attempt: "rebind", path: name, users: ["it is bound to the driver \(former)"], hint: hint)
      }
      try refuseWhenInUse("rebind", hint: hint)
    }
    let nvme = drivers.appending("nvme")
    guard (try? directoryNames(nvme)) != nil else {
      throw .unavailable(
        attempt: "find", path: nvme.string, errno: .noSuchFileOrDirectory,
        hint: "the NVMe driver is not in the kernel: modprobe nvme")
    }
    try unbind()
    do throws(HostViewError) { try self.bind(to: "nvme") } catch {
      if let former, former != "nvme" { try? self.bind(to: former) }
      throw error
    }
  }

  /// Removes the function from the bus, as if it had been unplugged; a rescan finds it again.
  /// - Parameter force: even when a disk of it is in use.
  package func remove(force: Bool) throws(HostViewError) {
    if !force {
      try refuseWhenInUse(
        "remove", hint: "--force proceeds anyway, and users of the disk get errors")
    }
    try write("1", to: "remove")
  }

  /// - Returns: the driver that had it.
  @discardableResult
  func unbind() throws(HostViewError) -> String? {
    guard let former = driver else { return nil }
    try write(name, toPath: drivers.appending(former).appending("unbind"))
    return former
  }

  func bind(to driver: String) throws(HostViewError) {
    try write(name, toPath: drivers.appending(driver).appending("bind"))
  }

  func write(_ text: String, to file: String) throws(HostViewError) {
    try write(text, toPath: directory.appending(file))
  }

  private func write(_ text: String, toPath path: FilePath) throws(HostViewError) {
    do throws(Errno) { try machine.write(text, path) } catch {
      throw Self.failed("write \"\(text)\" to", path, error)
    }
  }
}
