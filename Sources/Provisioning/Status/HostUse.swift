// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import PCIEndpoint
internal import SystemPackage

/// What the kernel's log says about one bound function: whose lines are its own, and what its host did last.
///
/// A driver names its device by a number that configfs does not show (`nvmet_pci_epf.1`). The line about its target tells it.
struct FunctionLog {
  /// `nvmet_pci_epf nvmet_pci_epf.1: `; nil when the log does not tell.
  private(set) var prefix: String?
  /// The function's lines since its NVMe controller was made.
  private(set) var lines: [KernelLogLine] = []

  /// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_create_ctrl`; `pci-epf-nvme.c` logs the fabrics controller that nvmet,
  ///   or the NVMe host, has just named.
  init(driver: String, nqn: String, in log: [KernelLogLine]) {
    let isMainline = driver == FunctionDriver.nvmetPCIEPF.name
    var isNamed = false
    var start: Int?
    for (index, line) in log.enumerated() {
      let text = line.text
      if isMainline {
        if text.contains("New PCI ctrl \"\(nqn)\""), let found = Self.prefix(of: text, driver) {
          (prefix, start) = (found, index)
        }
      } else if text.contains("for subsystem \(nqn) ") || text.contains("NQN \"\(nqn)\"") {
        isNamed = true
      } else if text.contains("fabrics controller created"), isNamed,
        let found = Self.prefix(of: text, driver)
      {
        (prefix, start) = (found, index)
        isNamed = false
      }
    }
    guard let prefix, let start else { return }
    lines = log[start...].filter { $0.text.contains(prefix) }
  }

  /// `DRIVER DRIVER.N: ` of a line.
  private static func prefix(of text: String, _ driver: String) -> String? {
    guard let start = text.firstRange(of: "\(driver) \(driver)."),
      let end = text[start.upperBound...].firstRange(of: ": ")
    else { return nil }
    return String(text[start.lowerBound..<end.upperBound])
  }

  /// Whether a host has enabled the controller and not disabled it since.
  var isEnabled: Bool {
    let ends = [
      "Disabling controller", "Shutting down controller", "Destroying PCI ctrl",
      "Deleting controller",
    ]
    for line in lines.reversed() {
      if line.text.contains("Enabling controller") { return true }
      if ends.contains(where: line.text.contains) { return false }
    }
    return false
  }
}

/// Whether hosts use what is about to be taken away, as far as the kernel tells.
struct HostUse {
  private let machine: Machine
  private let log: [KernelLogLine]

  init(_ machine: Machine) {
    self.machine = machine
    log = machine.log.allLines() ?? []
  }

  /// Whether a host has the NVMe controller behind a function enabled.
  func isEnabled(_ function: EndpointFunction) -> Bool {
    guard let nqn = nqn(of: function) else { return false }
    return FunctionLog(driver: function.driver.name, nqn: nqn, in: log).isEnabled
  }

  private func nqn(of function: EndpointFunction) -> String? {
    let group = function.directory.child("nvme")
    if function.driver == .nvmetPCIEPF {
      let target = TargetGroup(directory: group)
      return (try? machine.configFS.read(target.subsystemNQN.path))?.withoutTrailingNewline
    }
    return (try? FabricsGroup(directory: group).controllerOptions.read())?.nqn
  }

  /// - Throws: ``ProvisioningError`` of kind `disruptive` when a host has a function of a controller enabled.
  func checkUnused(
    controller name: String, _ consequence: String, only functions: Set<String>? = nil
  ) throws(ProvisioningError) {
    let tree = EndpointTree(on: machine.configFS)
    let controller = tree.controller(name)
    let bound = Set(((try? controller.directory.links()) ?? []).map(\.target))
    for function in (try? tree.allFunctions()) ?? []
    where bound.contains(function.directory.path)
      && functions?.contains(function.directory.path.string) ?? true
      && FunctionDriver.nvmeDrivers.contains(function.driver) && isEnabled(function)
    {
      throw ProvisioningError(
        .disruptive,
        "a host has the NVMe controller of \(function.name) enabled: \(consequence) takes its disk away",
        operation: "write", path: controller.directory.path.string,
        hint:
          "remove the device on the host first (echo 1 >/sys/bus/pci/devices/ADDRESS/remove), or give --force"
      )
    }
  }
}
