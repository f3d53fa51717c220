// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import PCIEndpoint
internal import SystemPackage

/// The kernel log of one bound function: its messages, and the last action of its host.
///
/// A driver names its device by a number that configfs does not show (`nvmet_pci_epf.1`). The message about its target has that number.
public struct FunctionLog {
  /// `nvmet_pci_epf.1`; nil if the log does not have it.
  public private(set) var device: String?
  /// The function's messages since its NVMe controller was created.
  private(set) var lines: [KernelLogLine] = []

  init(driver: String, nqn: String, in log: [KernelLogLine]) {
    guard let found = Self.find(driver: driver, nqn: nqn, in: log.map(\.text)) else { return }
    device = found.device
    lines = log[found.line...].filter { $0.text.contains("\(driver) \(found.device): ") }
  }

  /// - Parameters:
  ///   - nqn: the subsystem that the function serves.
  ///   - log: lines of the kernel, oldest first.
  public init(driver: String, nqn: String, in log: [String]) {
    device = Self.find(driver: driver, nqn: nqn, in: log)?.device
  }

  /// The device that the driver created last for a subsystem, and its message.
  /// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_create_ctrl`; `pci-epf-nvme.c` logs the fabrics controller that nvmet,
  ///   or the NVMe host, has just named.
  private static func find(
    driver: String, nqn: String, in log: [String]
  ) -> (device: String, line: Int)? {
    let isNVMetPCIEPF = driver == FunctionDriver.nvmetPCIEPF.name
    var isNamed = false
    var found: (device: String, line: Int)?
    for (index, text) in log.enumerated() {
      if isNVMetPCIEPF {
        if text.contains("New PCI ctrl \"\(nqn)\""), let device = device(of: text, driver) {
          found = (device, index)
        }
      } else if text.contains("for subsystem \(nqn) ") || text.contains("NQN \"\(nqn)\"") {
        isNamed = true
      } else if text.contains("fabrics controller created"), isNamed,
        let device = device(of: text, driver)
      {
        found = (device, index)
        isNamed = false
      }
    }
    return found
  }

  /// `DRIVER.N` of a line.
  private static func device(of text: String, _ driver: String) -> String? {
    guard let start = text.firstRange(of: "\(driver) \(driver)."),
      let end = text[start.upperBound...].firstRange(of: ": ")
    else { return nil }
    return "\(driver)." + text[start.upperBound..<end.lowerBound]
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

/// Whether hosts use objects that will be removed, as far as the kernel reports it.
struct HostUse {
  private let machine: Machine
  private let log: [KernelLogLine]

  init(_ machine: Machine) {
    self.machine = machine
    log = machine.log.allLines() ?? []
  }

  /// Whether a host has enabled the NVMe controller behind a function.
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

  /// The functions of a controller that a host has enabled.
  func enabledFunctions(of controller: EndpointController) -> [EndpointFunction] {
    let bound = Set(((try? controller.directory.links()) ?? []).map(\.target))
    let all = (try? EndpointTree(on: machine.configFS).allFunctions()) ?? []
    return all.filter {
      bound.contains($0.directory.path) && FunctionDriver.nvmeDrivers.contains($0.driver)
        && isEnabled($0)
    }
  }

  /// - Throws: ``ProvisioningError`` of kind `disruptive` when a host has a function of a controller enabled.
  func checkUnused(
    controller name: String, _ consequence: String, only functions: Set<String>? = nil
  ) throws(ProvisioningError) {
    let controller = EndpointTree(on: machine.configFS).controller(name)
    for function in enabledFunctions(of: controller)
    where functions?.contains(function.directory.path.string) ?? true {
      throw ProvisioningError(
        .disruptive,
        "a host has enabled the NVMe controller of \(function.name): \(consequence) removes its disk",
        operation: "write", path: controller.directory.path.string,
        hint: "first, on the host: \(Self.removal); or use --force, and \(Self.recovery)")
    }
  }

  private static let removal =
    "epfnvme host remove ADDRESS, or echo 1 >/sys/bus/pci/devices/ADDRESS/remove"

  /// The necessary action of a host that had the controller enabled: it keeps the earlier configuration of the device.
  static let recovery =
    "on the host afterwards: remove the device and rescan the bus (epfnvme host remove ADDRESS, then epfnvme host rescan), since it keeps a stale configuration"
}
