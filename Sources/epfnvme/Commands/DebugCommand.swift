// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Glibc
internal import KernelEvents
internal import KernelModules
internal import Provisioning

struct DebugCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "debug", abstract: "Switch the kernel's debug lines about the endpoint.",
    discussion: """
      on switches the call sites of the modules on (dynamic debug), after keeping how each of them was; off puts each back to exactly that.
      A second on keeps what is kept. A module that is loaded after on is switched by another on.

        driver      nvmet_pci_epf, pci_epf_nvme
        target      nvmet and its fabrics: nvme_loop, nvmet_tcp, nvme_tcp, nvme_fabrics
        controller  the endpoint controller's own driver, and the kernel's endpoint framework

      The lines are in the kernel's log: epfnvme monitor shows them as they come. The former state is kept in /run/epfnvme until off.
      """)

  enum Verb: String, ExpressibleByArgument, CaseIterable { case on, off, status }

  @OptionGroup var global: GlobalOptions
  @Argument(help: "on, off or status.") var verb: Verb
  @Argument(
    help: "driver, target, controller; all of them when left out.",
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
      try global.needsThisMachine("a simulated kernel has no debug lines", for: "debug")
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
            : "it wants CONFIG_DYNAMIC_DEBUG; on a kernel before 5.7 also: mount -t debugfs debugfs /sys/kernel/debug"
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
      if modules.isEmpty { print("\(group.rawValue)\tno module with debug lines is in the kernel") }
      for module in modules {
        let kept = module.kept > 0 ? ", former state of \(module.kept) kept" : ""
        print(
          Terminal.printable(
            "\(group.rawValue)\t\(module.name)\t\(module.on) of \(module.sites) on\(kept)"))
      }
    }
    if let problem = status.keptProblem {
      global.terminal.note("what is kept cannot be seen: \(problem.message)")
    }
    if verb != .status { global.terminal.note("\(status.changed) call sites changed") }
  }
}
