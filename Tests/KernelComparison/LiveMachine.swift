// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import EndpointProvisioning
internal import KernelEvents
internal import KernelModules
internal import LibC
internal import LinuxFiles
package import SimulatedKernel
internal import SystemPackage

/// The running machine, and a simulation of it.
package struct LiveMachine: Sendable {
  package let release: SimulatedKernel.Release
  package let machine: SimulatedKernel.Machine

  /// A kernel without simulation has none.
  package init?() {
    let facts = KernelFacts.live()
    guard let release = SimulatedKernel.Release(rawValue: facts.release) else { return nil }
    self.release = release
    var machine = SimulatedKernel.Machine()
    machine.release = facts.release
    machine.onlineCPUs = facts.onlineCPUs
    machine.pageSize = facts.pageSize
    let configuration = KernelConfiguration.ofRunningKernel(release: facts.release)
    let options: [(SimulatedKernel.KernelOption, String)] = [
      (.passthru, "NVME_TARGET_PASSTHRU"), (.authentication, "NVME_TARGET_AUTH"),
      (.integrity, "BLK_DEV_INTEGRITY"), (.peerToPeerMemory, "PCI_P2PDMA"),
      (.debugFS, "NVME_TARGET_DEBUGFS"), (.tcpTLS, "NVME_TARGET_TCP_TLS"),
      (.nullBlockFaults, "BLK_DEV_NULL_BLK_FAULT_INJECTION"),
    ]
    machine.options = Set(
      options.filter { configuration?.has($0.1) ?? false }.map(\.0))
    if configuration?.has("TRANSPARENT_HUGEPAGE") != true { machine.options.insert(.noHugePages) }
    if configuration?.has("IPV6") != true {
      machine.localAddresses = ["0.0.0.0", "127.0.0.1"]
    }
    machine.controllers = ((try? directoryNames("/sys/class/pci_epc")) ?? []).sorted().map(
      Self.controller)
    machine.modules = Self.modules(of: SimulatedKernel(release, machine: machine))
    machine.storage = Self.makeFiles()
    self.machine = machine
  }

  /// Both without anything in their trees.
  package func fresh() -> (ComparedKernel, SimulatedKernel, [String]) {
    var real = ComparedKernel.live()
    let left = real.clean()
    // Warnings that come once a boot come again.
    _ = try? writeFile("/sys/kernel/debug/clear_warn_once", "1")
    let simulated = SimulatedKernel(release, machine: machine)
    return (real, simulated, left)
  }

  /// Both without anything in their trees, and with the modules that profiles use, so that trees compare.
  package func freshForPlans() -> PlanComparison.Machines {
    var (real, simulated, left) = fresh()
    for module in ["nvmet", "nvme_loop", "nvmet_tcp", "null_blk", "loop", release.functionDriver] {
      let call = KernelCall.load(module, module == "null_blk" ? ["nr_devices=0"] : [])
      let answer = real.perform(call)
      if answer.outcome != "ok" { left.append("cannot load \(module): \(answer.outcome)") }
      var compared = ComparedKernel(simulated)
      _ = compared.perform(call)
    }
    for name in (try? directoryNames("/srv")) ?? [] where name.hasPrefix("generated-") {
      unsafe unlink("/srv/" + name)
    }
    return .init(real: .live(), realKernel: real, simulated: simulated, leftovers: left)
  }

  /// The controller of epfnvme_epc without a host and without a link-up notifier.
  private static func controller(_ name: String) -> SimulatedKernel.EndpointController {
    var controller = SimulatedKernel.EndpointController.virtual(name)
    controller.alignment = 4096
    controller.isINTxCapable = true
    let maximum = try? readFile("/sys/module/epfnvme_epc/parameters/max_functions").trimmed
    controller.maximumFunctions = maximum.flatMap { Int($0) } ?? 1
    return controller
  }

  /// The usual modules in the state that they have here.
  private static func modules(of usual: SimulatedKernel) -> [SimulatedKernel.Module] {
    usual.usualModules.map { module in
      var module = module
      switch try? LiveModules().state(of: module.name) {
      case .builtIn?: module.state = .builtIn
      case .loaded?, .loadable?: module.state = .loadable
      case .missing?, nil: module.state = .missing
      }
      return module
    }
  }

  /// Devices and files for namespaces.
  private static func makeFiles() -> [String: SimulatedKernel.StoredObject] {
    unsafe mkdir("/srv", 0o755)
    for (name, size) in [("/srv/file", 3 << 20), ("/srv/empty", 0), ("/srv/small", 1500)] {
      let descriptor = unsafe LibC.open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      ftruncate(descriptor, off_t(size))
      LibC.close(descriptor)
    }
    unsafe mkfifo("/srv/fifo", 0o600)
    unsafe symlink("file", "/srv/link")
    return [
      "/": .init(.directory), "/dev": .init(.directory), "/srv": .init(.directory),
      "/dev/zero": .init(.characterDevice), "/srv/file": .init(.regularFile, size: 3 << 20),
      "/srv/empty": .init(.regularFile), "/srv/small": .init(.regularFile, size: 1500),
      "/srv/fifo": .init(.other), "/srv/link": .init(.symbolicLink, target: "file"),
    ]
  }
}

private func writeFile(_ path: FilePath, _ text: String) throws(Errno) {
  let descriptor = try Descriptor(opening: path, O_WRONLY)
  let bytes = Array(text.utf8)
  let count = unsafe bytes.withUnsafeBytes {
    unsafe LibC.write(descriptor.number, $0.baseAddress, $0.count)
  }
  if count < 0 { throw .current }
}
