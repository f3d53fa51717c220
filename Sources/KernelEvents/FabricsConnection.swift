// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// The target of an NVMe-over-fabrics connection of this machine's host.
public struct FabricsAddress: Sendable, Hashable {
  /// `loop`, `tcp` …
  public var transport: String
  public var nqn: String
  /// nil for a transport without addresses.
  public var address: String?
  public var serviceID: String?

  public init(
    transport: String, nqn: String, address: String? = nil, serviceID: String? = nil
  ) {
    self.transport = transport
    self.nqn = nqn
    self.address = address
    self.serviceID = serviceID
  }
}

/// A controller to which this machine's NVMe host is connected.
public struct FabricsConnection: Sendable, Hashable {
  /// `nvme0`.
  public var name: String
  public var address: FabricsAddress
  /// `live`, `connecting`, `resetting`, `deleting` …; nil if the kernel does not show it.
  public var state: String?

  /// Whether commands reach the target: a lost connection is `connecting` until it is restored or given up.
  public var isLive: Bool { state == nil || state == "live" }

  public init(name: String, address: FabricsAddress, state: String? = nil) {
    self.name = name
    self.address = address
    self.state = state
  }
}

extension FabricsConnection: CustomStringConvertible {
  /// `nvme0`, or `nvme0 (connecting)` if it is not live.
  public var description: String { isLive ? name : "\(name) (\(state ?? ""))" }
}

/// The connections of this machine's NVMe host, which `pci_epf_nvme` opens at bind and leaves open at unbind.
public protocol FabricsConnections: Sendable {
  func connections() throws(Errno) -> [FabricsConnection]

  /// Disconnects a controller, as `nvme disconnect -d` does. ENOENT when it is not there.
  func disconnect(_ name: String) throws(Errno)
}

/// The class `nvme` of sysfs.
/// - Source: `drivers/nvme/host/sysfs.c`, `nvme_sysfs_delete`, `nvme_sysfs_show_address`, `nvme_sysfs_show_state`.
public struct LiveFabricsConnections: FabricsConnections {
  private let directory: FilePath

  public init(directory: FilePath = "/sys/class/nvme") { self.directory = directory }

  public func connections() throws(Errno) -> [FabricsConnection] {
    let names: [String]
    // A kernel without an NVMe host has no such class.
    do { names = try directoryNames(directory) } catch .noSuchFileOrDirectory { return [] }
    return names.sorted().compactMap { name in
      // A connection that disappears meanwhile is omitted.
      guard let transport = try? readFile(directory.appending(name).appending("transport")),
        let nqn = try? readFile(directory.appending(name).appending("subsysnqn"))
      else { return nil }
      var found = FabricsAddress(transport: transport.trimmed, nqn: nqn.trimmed)
      let text = (try? readFile(directory.appending(name).appending("address"))) ?? ""
      for part in text.trimmed.split(separator: ",") {
        if part.hasPrefix("traddr=") { found.address = String(part.dropFirst(7)) }
        if part.hasPrefix("trsvcid=") { found.serviceID = String(part.dropFirst(8)) }
      }
      let state = try? readFile(directory.appending(name).appending("state"))
      return FabricsConnection(name: name, address: found, state: state?.trimmed)
    }
  }

  public func disconnect(_ name: String) throws(Errno) {
    let path = directory.appending(name).appending("delete_controller")
    let descriptor = try Descriptor(opening: path, O_WRONLY)
    _ = try Errno.check(Int64(unsafe write(descriptor.number, "1\n", 2)))
  }
}
