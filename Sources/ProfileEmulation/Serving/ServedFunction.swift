// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import EndpointProvisioning
package import PCI
package import Provisioning
package import SimulatedKernel

/// A function for a host outside of this process: the emulated controller with this machine's files and devices.
package struct ServedFunction {
  /// The emulated function.
  package enum Controller {
    case driver
    case reference(mapsDoorbells: Bool)
  }

  package let name: String
  package let function: NVMeFunction
  package let memory: HostMemory
  /// Backings that are served from memory although the profile names a file or a device.
  package private(set) var notes: [String] = []
  /// What the profile has and the simulated kernel lacks.
  package private(set) var ignored: [ProfileIssue] = []

  /// The ID of the emulated board behind a socket: the same for one path, so that a disk keeps its identity, and different for two sockets,
  /// so that one host can have both disks.
  package static func machineID(ofSocket path: String) -> String {
    SimulatedBoard.machineID(of: "socket \(path)")
  }

  /// From a profile: set up on a simulated kernel, with the files and devices that it names.
  /// - Parameter machineID: of the board, from which the profile's identities are derived.
  /// - Throws: ``ProvisioningError``.
  package init(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release, machineID: String,
    quirks: QuirkSet?, named wanted: String?, as controller: Controller
  ) throws(ProvisioningError) {
    let files = try BackingFiles(located.profile)
    let emulation = try Emulation(located, kernelRelease, quirks: quirks) { machine in
      files.describe(&machine)
      machine.machineID = machineID
    }
    try self.init(
      emulation.kernel, emulation.functions, named: wanted, as: controller, files)
    ignored = emulation.ignored
  }

  /// From a simulated kernel on which something was set up.
  /// - Throws: ``ProvisioningError``.
  package init(
    _ kernel: SimulatedKernel, named wanted: String?, as controller: Controller
  ) throws(ProvisioningError) {
    try self.init(
      kernel, kernel.controllers.keys.sorted(), named: wanted, as: controller,
      BackingFiles())
  }

  private init(
    _ kernel: SimulatedKernel, _ functions: [String], named wanted: String?,
    as controller: Controller, _ files: BackingFiles
  ) throws(ProvisioningError) {
    let path = try Self.choose(wanted, among: functions)
    name = Emulation.name(path)
    memory = HostMemory()
    let opener = BackingOpener(files)
    guard
      let bound = try kernel.makeDevice(
        of: path, memory: memory, tableKeeper: .monitor, backend: opener.open)
    else {
      throw ProvisioningError(
        .inputMissing, "the driver of \(name) has not created a controller", operation: "serve",
        path: path, hint: "run epfnvme setup; its errors give the reason")
    }
    function =
      switch controller {
      case .driver: bound
      case .reference(let mapsDoorbells):
        bound.reference(memory: memory, tableKeeper: .monitor, mapsDoorbells: mapsDoorbells)
      }
    notes = opener.notes
  }

  /// The name of the function that is served from a kernel.
  /// - Throws: ``ProvisioningError`` when there is no function, or several.
  package static func name(
    _ wanted: String?, on kernel: SimulatedKernel
  ) throws(ProvisioningError) -> String {
    Emulation.name(try choose(wanted, among: kernel.controllers.keys.sorted()))
  }

  private static func choose(
    _ wanted: String?, among paths: [String]
  ) throws(ProvisioningError) -> String {
    let names = paths.map(Emulation.name)
    if let wanted {
      guard let index = names.firstIndex(of: wanted) else {
        throw ProvisioningError(
          .inputMissing, "there is no bound function \(wanted)", operation: "serve", value: wanted,
          hint: names.isEmpty ? "set one up first" : "there is: \(names.joined(separator: ", "))")
      }
      return paths[index]
    }
    guard let first = paths.first else {
      throw ProvisioningError(
        .inputMissing, "no function is bound", operation: "serve",
        hint: "epfnvme setup first, or serve a profile")
    }
    guard paths.count == 1 else {
      throw ProvisioningError(
        .impossible, "there are several functions, but a socket serves one", operation: "serve",
        hint: "--function \(names.joined(separator: " or ")); run one process for each")
    }
    return first
  }
}
