// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

extension SimulatedKernel {
  /// The actions of the host at the other end of the cable.
  public enum HostEvent: String, Codable, Sendable, Hashable, CaseIterable {
    /// PERST# released: controllers with ``EndpointController/initializesAtReset`` initialise now.
    case releaseReset
    /// PERST# asserted.
    case assertReset
    /// Only reported by controllers with a link-up notifier.
    case linkUp
    case linkDown
    /// The host's driver sets CC.EN.
    case enable
    /// The host's driver clears CC.EN, or shuts the controller down.
    case disable
    /// Identify Controller: from now on the subsystem's identity is fixed.
    case identify
  }
}

extension KernelState {
  /// Delivers an event to the functions of a controller.
  mutating func host(_ event: SimulatedKernel.HostEvent, at controllerNode: Int) {
    let controller = controller(at: controllerNode)
    if controller.initializesAtReset {
      if event == .releaseReset { tree[controllerNode].number = 1 }
      if event == .assertReset { tree[controllerNode].number = 0 }
    }
    for (node, function) in functions.sorted(by: { $0.key < $1.key })
    where function.primary?.controller == controllerNode {
      let isNVMetPCIEPF = function.driver == "nvmet_pci_epf"
      guard isNVMetPCIEPF || function.driver == "pci_epf_nvme" else { continue }
      switch event {
      case .releaseReset where controller.initializesAtReset: initialize(node, on: controller)
      case .assertReset where controller.initializesAtReset:
        if isNVMetPCIEPF {
          destroyNVMetPCIEPF(node)
        } else {
          unbindPCIEPFNVMe(node)
          functions[node]?.isDeinitialized = true
        }
      case .releaseReset, .assertReset: break
      case .linkUp:
        guard controller.hasLinkUpNotifier else { continue }
        guard function.hasFreedBAR != true else {
          return crash("pci_epf_nvme: registers of a freed BAR 0 written at link up")
        }
        if isNVMetPCIEPF, function.failedToInitialize {
          log(.info, "(NULL device *): PCI link up")
          continue
        }
        deviceEvents.append(FunctionEvent(node, .linkUp))
      case .linkDown:
        guard controller.hasLinkUpNotifier else { continue }
        if isNVMetPCIEPF, function.failedToInitialize {
          // pci_ep.md, 21, row 8
          return crash("link down for a function that failed to initialise")
        }
        deviceEvents.append(FunctionEvent(node, .linkDown))
      case .enable:
        if function.nvme?.isInitialized == true {
          deviceEvents.append(FunctionEvent(node, .enable))
        }
      case .disable: deviceEvents.append(FunctionEvent(node, .disable))
      case .identify:
        guard let id = function.nvme?.controllerID,
          let target = targetControllers.first(where: { $0.id == id })
        else { continue }
        discoveredSubsystems.insert(target.subsystem)
      }
    }
  }
}

extension SimulatedKernel {
  /// The level of a log message.
  public enum Severity: Sendable { case error, warning, info }

  /// Adds a message of another part of the kernel to the log.
  public func tell(_ severity: Severity, _ text: String) {
    amend { kernel in
      switch severity {
      case .error: kernel.log(.error, text)
      case .warning: kernel.log(.warning, text)
      case .info: kernel.log(.info, text)
      }
    }
  }
}
