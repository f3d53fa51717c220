// SPDX-License-Identifier: Apache-2.0
internal import EndpointProvisioning
internal import HostDriver
internal import NVMe
package import Provisioning
package import SimulatedKernel

/// Several boards with one profile, each with its own machine ID, in one Linux host.
package final class BoardsInOneHost {
  /// A function of a board, as the host finds it.
  package struct Found: Sendable, Hashable {
    package var board: Int
    package var function: String
    /// `nvme0`; nil if the host has refused the controller.
    package var controller: String?
    package var nqn = ""
    package var serial = ""
    package var controllerID: UInt16 = 0
    /// Its disks, `nvme0n1`; those that the host ignored are missing.
    package var disks: [String] = []
    /// The reason of the host's refusal.
    package var refusal: String?
    /// Bytes that were written and found again.
    package var verified = 0
  }

  package private(set) var found: [Found] = []
  /// The host's kernel messages about identities.
  package var log: [String] { host.log }
  /// The messages of those that are refusals of a controller or a namespace.
  package var refusals: [String] { host.refusals.map(\.message) }
  /// What the profile has and the simulated kernels lack.
  package var ignored: [ProfileIssue] { boards.first?.emulation.ignored ?? [] }
  /// The host's disks, each once.
  package private(set) var disks: [String] = []
  private let host = LinuxMachine()
  private var endpoints: [Emulation.Endpoint] = []
  private let boards: [(number: Int, emulation: Emulation)]

  /// - Parameter count: boards.
  /// - Throws: ``ProvisioningError`` when the profile cannot be set up on an emulated board.
  package init(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release, count: Int
  ) throws(ProvisioningError) {
    var boards: [(Int, Emulation)] = []
    for number in 1...max(count, 1) {
      let emulation = try Emulation(located, kernelRelease) {
        $0.machineID = SimulatedBoard.machineID(of: "board \(number)")
      }
      boards.append((number, emulation))
    }
    self.boards = boards
  }

  /// Every board is probed while the earlier ones are in service; then all disks are verified.
  /// - Parameter transfers: of 4 KiB, on each namespace.
  /// - Throws: ``ProvisioningError`` when I/O fails.
  package func run(transfers: Int) throws(ProvisioningError) {
    try probe(boards[...], transfers)
  }

  private func probe(
    _ rest: ArraySlice<(number: Int, emulation: Emulation)>, _ transfers: Int
  ) throws(ProvisioningError) {
    guard let (number, emulation) = rest.first else { return try verify() }
    // The devices exist only within this call.
    let result: Void? = try emulation.kernel.withDevices(of: emulation.functions) {
      (devices) throws(ProvisioningError) in
      for (path, device) in zip(emulation.functions, devices) {
        try probe(Emulation.name(path), of: number, device, transfers)
      }
      try probe(rest.dropFirst(), transfers)
    }
    guard result != nil else {
      throw ProvisioningError(
        .internal, "a function of board \(number) has no device, although setup has succeeded")
    }
  }

  private func probe(
    _ function: String, of board: Int, _ device: SimulatedKernel.Device, _ transfers: Int
  ) throws(ProvisioningError) {
    let endpoint = Emulation.Endpoint(name: function, device, .init())
    endpoint.player.machine = host
    endpoint.player.transfers = transfers
    var one = Found(board: board, function: function)
    try endpoint.play(.linkUp)
    do throws(HostError) {
      try endpoint.player.play(.probe)
    } catch {
      one.refusal = "\(error)"
    }
    if one.refusal == nil, let probed = endpoint.player.found {
      one.controller = probed.name
      one.nqn = probed.identifyController[.nqn]
      one.serial = probed.identifyController[.serial]
      one.controllerID = probed.identifyController[.controllerID]
      one.disks = probed.namespaces.map(\.disk)
    }
    found.append(one)
    endpoints.append(endpoint)
  }

  private func verify() throws(ProvisioningError) {
    disks = host.disks
    for (index, endpoint) in endpoints.enumerated() where found[index].refusal == nil {
      try endpoint.play(.verify)
      found[index].verified = endpoint.player.verified
    }
    for (index, endpoint) in endpoints.enumerated() where found[index].refusal == nil {
      try endpoint.play(.shutDown)
    }
  }
}
