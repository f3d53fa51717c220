// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import LibC
internal import KernelEvents
internal import KernelModules
internal import Provisioning

struct DebugCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "debug", abstract: "Turn kernel debug messages for the endpoint on or off.",
    usage: "epfnvme debug [<options>] <verb> [<groups> ...]",
    discussion: """
      on saves the state of each debug call site (dynamic debug) of the modules and turns all of them on; off restores the \
      saved state. A second on keeps the state saved by the first. After a module is loaded, use on again.

        driver      nvmet_pci_epf, pci_epf_nvme
        target      nvmet, nvme_loop, nvmet_tcp, nvme_tcp, nvme_fabrics
        controller  the endpoint controller's driver and the endpoint framework

      The messages go to the kernel log; the monitor command shows them. The saved state is in /run/epfnvme until off.
      """)

  enum Verb: String, ExpressibleByArgument, CaseIterable { case on, off, status }

  @OptionGroup var global: GlobalOptions
  @Argument(help: "on, off or status.") var verb: Verb
  @Argument(
    help: "driver, target, controller; all three by default.",
    completion: .list(DebugGroup.allCases.map(\.rawValue)),
    transform: { text in
      guard let group = DebugGroup(rawValue: text) else {
        throw ValidationError("\(text) is none of driver, target and controller.")
      }
      return group
    })
  var groups: [DebugGroup] = []

  func run() throws {
    try global.run {
      try global.needsThisMachine("a simulated kernel has no debug messages", for: "debug")
      let provisioner = try global.provisioner()
      guard let control = LiveDynamicDebug.find() else {
        let isBuilt = provisioner.machine.kernelOption("DYNAMIC_DEBUG") == true
        throw ProvisioningError(
          .unsupported,
          isBuilt
            ? "the kernel's list of call sites is not mounted"
            : "this kernel has no list of call sites", operation: "debug",
          path: "/proc/dynamic_debug/control",
          hint: isBuilt
            ? "mount -t debugfs debugfs /sys/kernel/debug"
            : "it requires CONFIG_DYNAMIC_DEBUG; before Linux 5.7 also: mount -t debugfs debugfs /sys/kernel/debug"
        )
      }
      let debugging = DebugSwitch(
        control, run: provisioner.run, controllerModules: EndpointDevice.modules(),
        lockTimeout: provisioner.lockTimeout)
      // A signal in the middle would leave half of it.
      Signals.remember()
      let chosen = groups.isEmpty ? DebugGroup.allCases : groups
      let status =
        switch verb {
        case .on: try debugging.switchOn(chosen)
        case .off: try debugging.switchOff(chosen)
        case .status: try debugging.status(chosen)
        }
      if status.changed > 0 { Output.hasChanged("\(status.changed) call sites were changed") }
      if let signal = Signals.caught {
        throw ProvisioningError.interrupted(
          by: signal, "\(status.changed) call sites were changed before", operation: "debug")
      }
      if global.json {
        print(status.json.prettyText)
      } else if !global.quiet {
        show(status, chosen)
      }
    }
  }

  private func show(_ status: DebugStatus, _ groups: [DebugGroup]) {
    for group in groups {
      let modules = status.modules.filter { $0.group == group }
      if modules.isEmpty { print("\(group.rawValue)\tno loaded module has debug call sites") }
      for module in modules {
        let kept = module.kept > 0 ? ", state of \(module.kept) saved" : ""
        print(
          Terminal.printable(
            "\(group.rawValue)\t\(module.name)\t\(module.on) of \(module.sites) on\(kept)"))
      }
    }
    if let problem = status.keptProblem {
      global.terminal.note("cannot read the saved state: \(problem.message)")
    }
    if verb != .status { global.terminal.note("\(status.changed) call sites changed") }
  }
}
