// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import EndpointProvisioning
internal import LibC
package import Provisioning
package import SimulatedKernel
internal import SystemPackage

/// A profile in service without a kernel or a board: provisioned on a simulated kernel that suits it, then driven by a host in process.
///
/// The device is the function that the profile binds on a simulated kernel. Its backings are in memory, so that this machine is not
/// changed.
package final class Emulation {
  /// The options of an emulation.
  package struct Way {
    /// Whether the device is the reference controller instead of the driver's.
    package var isReference: Bool
    /// Whether time is the machine's.
    package var isRealTime: Bool

    package init(isReference: Bool = false, isRealTime: Bool = false) {
      self.isReference = isReference
      self.isRealTime = isRealTime
    }
  }

  package let kernelRelease: SimulatedKernel.Release
  /// The kernel messages from loading the driver to binding.
  package let bindLog: [String]
  /// Its configfs, set up.
  package let tree: TreeSnapshot
  /// What the profile has and the simulated kernel lacks.
  package let ignored: [ProfileIssue]
  package let kernel: SimulatedKernel
  /// The bound functions' directories below configfs.
  package let functions: [String]
  /// The device-tree compatibles of the machine's endpoint controllers.
  let hardware: [String]

  /// - Parameter adjust: sets further properties of the machine.
  /// - Throws: ``ProvisioningError`` when the profile cannot be set up on this kernel release.
  package init(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release,
    quirks: QuirkSet? = nil, adjust: (inout SimulatedKernel.Machine) -> Void = { _ in }
  ) throws(ProvisioningError) {
    self.kernelRelease = kernelRelease
    var machine = Self.machine(for: located.profile)
    machine.quirks = quirks
    adjust(&machine)
    hardware = machine.controllers.compactMap(\.compatible)
    let kernel = SimulatedKernel(kernelRelease, machine: machine)
    // Each has its own lock: a process may emulate several profiles at a time.
    let suffix = String(UInt32.random(in: 0...(.max)), radix: 16)
    let run = FilePath("/tmp/epfnvme-\(geteuid())-\(getpid())-emulate-\(suffix)")
    defer { Self.remove(run) }
    let provisioner = Provisioner(.simulated(kernel), run: RunDirectory(run))
    let known = provisioner.withoutUnknownAttributes(located)
    ignored = known.ignored
    _ = try provisioner.setUp(known.profile, force: false) { _ in }
    bindLog = kernel.logLines
    tree = provisioner.snapshot()
    self.kernel = kernel
    functions = kernel.controllers.keys.sorted()
  }

  /// The names of the functions, in their order.
  package var functionNames: [String] { functions.map(Self.name) }

  static func name(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Calls a closure with every function and its host, in the order of the names.
  package func forEachEndpoint(
    _ way: Way = Way(),
    _ body: (_ number: Int, Endpoint) throws(ProvisioningError) -> Void
  ) throws(ProvisioningError) {
    for (number, path) in functions.enumerated() {
      try kernel.withDevice(of: path) { (device) throws(ProvisioningError) in
        try body(number, Endpoint(name: Self.name(path), device, way))
      }
    }
  }

  private static func remove(_ run: FilePath) {
    let directory = RunDirectory(run)
    for name in directory.journalNames() { _ = unsafe unlink(directory.journalPath(name).string) }
    _ = unsafe unlink(run.appending("lock").string)
    _ = unsafe rmdir(run.string)
  }
}
