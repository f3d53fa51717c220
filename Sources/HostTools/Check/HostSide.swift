// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import HostDriver
internal import NVMe
internal import ProfileEmulation
package import Provisioning
package import SimulatedKernel

/// `check --host`: the host of the disk.
package struct HostSide {
  package let located: Profile.Located
  package let bus: HostBus
  private let emulation: Emulation
  private let disk: String
  private let way: Emulation.Way

  /// - Parameters:
  ///   - kernelRelease: of the board, which determines the driver.
  ///   - disk: a PCI function, a node of the driver, or `auto`.
  ///   - bus: where the disk is.
  ///   - isReference: whether the disk is expected to behave like the reference controller instead of the driver's.
  /// - Throws: ``ProvisioningError`` when the profile cannot be emulated.
  package init(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release, disk: String,
    on bus: HostBus = HostBus(), isReference: Bool = false
  ) throws(ProvisioningError) {
    self.located = located
    self.disk = disk
    self.bus = bus
    way = .init(isReference: isReference)
    emulation = try Emulation(located, kernelRelease)
  }

  /// What the profile has and the simulated kernel lacks: the disk is not compared with it.
  package var ignored: [ProfileIssue] { emulation.ignored }

  /// Compares the disk with the emulation.
  /// - Parameter withLockstep: whether both are then driven in lock-step, without the disk's driver.
  package func check(withLockstep: Bool) throws(ProvisioningError) -> Check {
    let device = try device()
    let index = try functionIndex(for: device)
    var result: Check?
    try emulation.forEachEndpoint(way) { (number, endpoint) throws(ProvisioningError) in
      guard number == index else { return }
      try endpoint.play(.linkUp)
      try endpoint.play(.probe)
      guard let found = endpoint.player.found else { return }
      let prediction = EmulatedView(endpoint.name, endpoint.function, endpoint.player.host, found)
      do throws(HostViewError) {
        result = try HostCheck.run(
          device, against: prediction, unknowns: unknowns(of: index))
      } catch { throw ProvisioningError(error) }
      if withLockstep {
        try endpoint.play(.shutDown)
        result?.cases += try lockstep(device, endpoint, found)
      }
    }
    guard let result else {
      throw ProvisioningError(.internal, "the emulation has no function \(index)")
    }
    return result
  }

  /// The same stimuli to the disk and the emulation, the disk's driver out of the way.
  private func lockstep(
    _ device: BusDevice, _ endpoint: Emulation.Endpoint, _ found: ProbeResult
  ) throws(ProvisioningError) -> [Check.Case] {
    // From here to the driver's return no signal may end the process.
    epfnvme_remember_signals()
    var cases: [Check.Case] = []
    let obstacle: HostViewError?
    do throws(HostViewError) {
      obstacle = try device.withRegisters { registers in
        cases = Lockstep.run(
          registers, against: EmulatedRegisters(endpoint.function), name: device.name,
          // RTD3E, microseconds.
          shutdownLimit: UInt64(found.identifyController[.shutdownLatency]) / 1000,
          isInterrupted: { epfnvme_caught_signal() != 0 })
      }
    } catch { throw ProvisioningError(error) }
    cases.append(
      Check.Case(
        id: "lockstep driver-returned", path: device.name,
        actual: obstacle.map { "\($0)" } ?? device.driver, expected: "nvme",
        outcome: obstacle == nil && device.driver == "nvme" ? .passed : .failed,
        meaning: "the disk is back in service"))
    let signal = epfnvme_caught_signal()
    if signal != 0 {
      var error = ProvisioningError(
        .interrupted, "interrupted by signal \(signal); the disk is bound to its driver again",
        operation: "check")
      error.signal = signal
      throw error
    }
    return cases
  }

  // MARK: The disk

  package func device() throws(ProvisioningError) -> BusDevice {
    try bus.device(disk, with: DiskQuery(located.profile))
  }

  /// The profile's function that the disk is, by its ids; the first one when none has them.
  private func functionIndex(for device: BusDevice) throws(ProvisioningError) -> Int {
    let functions = emulation.functionNames
    do throws(HostViewError) {
      let vendor = try device.configuration(at: 0, count: 2)
      let id = try device.configuration(at: 2, count: 2)
      let match = located.profile.functions.first {
        UInt32($0.vendorID) == vendor && UInt32($0.deviceID) == id
      }
      return match.flatMap { function in functions.firstIndex(of: function.name) } ?? 0
    } catch { throw ProvisioningError(error) }
  }

  /// The values that the profile leaves to the board.
  private func unknowns(of index: Int) -> HostCheck.Unknowns {
    let profile = located.profile
    let name = emulation.functionNames[index]
    let function = profile.functions.first { $0.name == name }
    guard let subsystem = profile.subsystems.first(where: { $0.nqn == function?.target.nqn })
    else {
      return .init(firmware: true, version: true)
    }
    let ofBoard = subsystem.namespaces.filter { namespace in
      switch profile.backings.first(where: { $0.name == namespace.backing })?.store {
      case .block?: true
      case .file(let file)?: file.sizeMiB == nil
      case .loopDevice(let loop)?: loop.file.sizeMiB == nil
      case .nullBlock?, nil: false
      }
    }
    // The board's machine ID is not known here.
    let isOfBoard = profile.identity == .machine
    let derived = subsystem.namespaces.filter { isOfBoard && ($0.uuid == nil || $0.nguid == nil) }
    return .init(
      firmware: subsystem.firmware == nil, version: subsystem.version == nil,
      sizes: Set(ofBoard.map(\.id)), serial: isOfBoard && subsystem.serial == nil,
      nqn: isOfBoard, identifiers: Set(derived.map(\.id)))
  }
}
