// SPDX-License-Identifier: Apache-2.0
internal import EndpointProvisioning
public import Provisioning
public import SimulatedKernel
internal import SystemPackage
internal import LibC

/// A provisioner on a simulated kernel with a separate run directory, for one test.
public final class SimulatedMachine: Sendable {
  public let kernel: SimulatedKernel
  public let provisioner: Provisioner

  public convenience init(
    _ kernelRelease: SimulatedKernel.Release = .linux7_2,
    machine: SimulatedKernel.Machine = SimulatedKernel.Machine()
  ) {
    self.init(kernel: SimulatedKernel(kernelRelease, machine: machine))
  }

  /// - Parameters:
  ///   - journals: what the run directory holds already: texts by the names of their profiles.
  ///   - wrap: puts something between the provisioner and the kernel.
  public init(
    kernel: SimulatedKernel, journals: [String: String] = [:],
    wrap: (Machine) -> Machine = { $0 }
  ) {
    self.kernel = kernel
    var random = SystemRandomNumberGenerator()
    let run = RunDirectory(FilePath("/dev/shm/epfnvme-test-\(String(random.next(), radix: 16))"))
    provisioner = Provisioner(wrap(.simulated(kernel)), run: run)
    guard !journals.isEmpty else { return }
    _ = unsafe mkdir(run.path.string, 0o700)
    for (name, text) in journals {
      let descriptor = unsafe open(
        run.journalPath(name).string, O_WRONLY | O_CREAT | O_EXCL, 0o600)
      var bytes = Array(text.utf8)
      _ = unsafe write(descriptor, &bytes, bytes.count)
      _ = close(descriptor)
    }
  }

  deinit {
    let run = provisioner.run
    for name in run.journalNames() { _ = unsafe unlink(run.journalPath(name).string) }
    _ = unsafe unlink(run.path.appending("lock").string)
    _ = unsafe rmdir(run.path.string)
  }

  /// The journal of a name; nil when there is none.
  public func journal(_ name: String) -> String? {
    (try? readFile(provisioner.run.journalPath(name))).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Sets a profile up, without force.
  @discardableResult
  public func setUp(
    _ profile: Profile.Located, force: Bool = false
  ) throws(ProvisioningError) -> Provisioner.Outcome {
    try provisioner.setUp(profile, force: force) { _ in }
  }

  @discardableResult
  public func tearDown(_ name: String) throws(ProvisioningError) -> Bool {
    try provisioner.tearDown(name) { _ in }
  }

  /// The error of a body of work.
  public func failure(
    _ body: (SimulatedMachine) throws(ProvisioningError) -> Void
  ) -> ProvisioningError? {
    do {
      try body(self)
      return nil
    } catch { return error }
  }

  /// All of configfs.
  public var tree: [String] { kernel.snapshot() }
}
