// SPDX-License-Identifier: Apache-2.0
internal import Numbers
package import Provisioning
package import SimulatedKernel

/// The machine of a new simulated kernel: a board with the objects that the shipped profiles and the guides use, and a host at the other
/// end of the cable.
package enum SimulatedBoard {
  /// - Parameter profile: the profile for which the board is created. It is a RockPro64 for a profile that names the controller of one and
  ///   a ROCK 5B otherwise, and its controller has the features that the profile states.
  /// - Parameter name: tells the board from others: it determines the machine's ID.
  package static func machine(
    for profile: Profile?, named name: String = ""
  ) -> SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    machine.machineID = machineID(of: name)
    let isRockPro64 =
      profile?.functions.contains { $0.controller == Controller.rockPro64.name } ?? false
    machine.controllers = [isRockPro64 ? .rockPro64 : .rock5B]
    machine.controllers[0].cable = .host
    if let profile { machine.controllers[0].apply(profile) }
    machine.storage["/dev/disk"] = .init(.directory)
    machine.storage["/dev/disk/by-partlabel"] = .init(.directory)
    machine.storage["/dev/disk/by-partlabel/nvme-endpoint"] = .init(
      .symbolicLink, target: "../../sda")
    machine.tcpTargets = [.init("192.0.2.10", subsystems: ["nqn.2026-01.org.example:remote"])]
    return machine
  }

  /// The ID of a simulated machine, which depends on its name only.
  package static func machineID(of name: String) -> String {
    String(SHA256.hexadecimalDigest("simulated machine\n\(name)").prefix(32))
  }

  private typealias Controller = SimulatedKernel.EndpointController
}

extension SimulatedKernel.EndpointController {
  /// Applies the features that the profile's functions state for this controller.
  package mutating func apply(_ profile: Profile) {
    for function in profile.functions where ["auto", name].contains(function.controller) {
      guard let features = function.controllerFeatures else { continue }
      if let msix = features.msix { isMSIXCapable = msix }
      if let msi = features.msi { isMSICapable = msi }
      if let count = features.maximumFunctions { maximumFunctions = Int(count) }
    }
  }
}

extension SimulatedKernel.Release {
  /// The release with the driver that a profile requires; one with `nvmet_pci_epf` if it accepts both.
  package init(for profile: Profile) {
    let isRemote = profile.functions.contains { if case .tcp = $0.target { true } else { false } }
    self = profile.driver == .pciEPFNVMe || isRemote ? .linux6_12 : .linux7_2
  }
}
