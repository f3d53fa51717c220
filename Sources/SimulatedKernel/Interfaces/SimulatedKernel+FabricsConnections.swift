// SPDX-License-Identifier: Apache-2.0
public import KernelEvents
public import SystemPackage

extension SimulatedKernel: FabricsConnections {
  public func connections() throws(Errno) -> [FabricsConnection] {
    try look(.connections, "/sys/class/nvme") { (kernel) throws(Errno) in
      kernel.fabrics.map { controller in
        var address = FabricsAddress(transport: controller.transport, nqn: controller.subsystem)
        // For loop this is a name of the simulation.
        if controller.transport != "loop" {
          let parts = controller.address.split(separator: ":")
          address.serviceID = parts.last.map { String($0) }
          address.address = parts.dropLast().joined(separator: ":")
        }
        return FabricsConnection(
          name: "nvme\(controller.instance)", address: address, state: controller.state ?? "live")
      }
    }
  }

  /// The network to a connection's target fails, or recovers: its state becomes `connecting`, or `live`.
  /// - Parameter name: `nvme0`; ENOENT if it does not exist.
  public func setConnection(_ name: String, isLive: Bool) throws(Errno) {
    var isThere = false
    amend { kernel in
      guard let index = kernel.fabrics.firstIndex(where: { "nvme\($0.instance)" == name }) else {
        return
      }
      isThere = true
      kernel.fabrics[index].state = isLive ? nil : "connecting"
      if isLive {
        kernel.log(.info, "nvme \(name): Successfully reconnected (attempt 1/60)")
      } else {
        kernel.log(.info, "nvme \(name): Reconnecting in 10 seconds...")
      }
    }
    guard isThere else { throw .noSuchFileOrDirectory }
  }

  public func disconnect(_ name: String) throws(Errno) {
    try change(.disconnect, name) { (kernel) throws(Errno) in try kernel.disconnect(name) }
  }
}
