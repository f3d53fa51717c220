// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import SimulatedKernel

/// Properties of a board that affect the device of a profile.
struct MachineFacts: ParsableArguments {
  @Option(help: ArgumentHelp("Processors of the board.", valueName: "count")) var cpus = 8
  @Option(
    help: ArgumentHelp(
      "The board's uname -r, which becomes the firmware revision (FR).", valueName: "release"))
  var release: String?
  @Option(help: ArgumentHelp("The page size in bytes: 4096, 16384 or 65536.", valueName: "bytes"))
  var pageSize = 4096
  @Option(
    help: ArgumentHelp(
      "The board's /etc/machine-id, from which the profile's identities are derived; without it they follow from names.",
      valueName: "id"))
  var machineID: String?
  @Option(
    help: ArgumentHelp(
      "Features of the endpoint controller, separated by commas: msix, msi, intx, notifier and dma as NAME=yes or NAME=no, align=BYTES, and bar0=programmable, resizable, reserved, disabled or fixed:BYTES.",
      valueName: "features"))
  var epc: ControllerFeatures?

  func validate() throws {
    guard (1...4096).contains(cpus) else { throw ValidationError("--cpus takes 1 to 4096.") }
    guard [4096, 16384, 65536].contains(pageSize) else {
      throw ValidationError("--page-size takes 4096, 16384 or 65536.")
    }
    try Self.check(machineID: machineID)
  }

  static func check(machineID: String?) throws {
    guard let machineID, machineID.utf8.count != 32 || !machineID.allSatisfy(\.isHexDigit) else {
      return
    }
    throw ValidationError("--machine-id takes the 32 hexadecimal digits of /etc/machine-id.")
  }

  func apply(to machine: inout SimulatedKernel.Machine) {
    machine.onlineCPUs = cpus
    machine.pageSize = pageSize
    if let release { machine.release = release }
    machine.machineID = machineID?.lowercased()
    for index in machine.controllers.indices { epc?.apply(to: &machine.controllers[index]) }
  }
}

/// An endpoint controller's features as text, as `struct pci_epc_features` has them.
struct ControllerFeatures: ExpressibleByArgument {
  private enum Flag: String { case msix, msi, intx, notifier, dma }

  private enum Feature {
    case flag(Flag, Bool)
    case alignment(UInt64)
    case bar0(SimulatedKernel.EndpointController.BAR0)
  }
  private var features: [Feature] = []

  init?(argument: String) {
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let feature = Self.feature(String(part)) else { return nil }
      features.append(feature)
    }
  }

  private static func feature(_ text: String) -> Feature? {
    let halves = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard halves.count == 2 else { return nil }
    let (name, value) = (halves[0], halves[1])
    if let flag = Flag(rawValue: name) {
      guard ["yes", "no"].contains(value) else { return nil }
      return .flag(flag, value == "yes")
    }
    switch (name, value) {
    case ("align", _):
      guard let bytes = UInt64(value), bytes > 0, bytes & (bytes - 1) == 0, bytes <= 1 << 32
      else { return nil }
      return .alignment(bytes)
    case ("bar0", "programmable"): return .bar0(.programmable)
    case ("bar0", "resizable"): return .bar0(.resizable)
    case ("bar0", "reserved"): return .bar0(.reserved)
    case ("bar0", "disabled"): return .bar0(.disabled)
    case ("bar0", _):
      guard value.hasPrefix("fixed:"), let bytes = UInt64(value.dropFirst(6)), bytes > 0,
        bytes & (bytes - 1) == 0, bytes <= 1 << 32
      else { return nil }
      return .bar0(.fixed(bytes))
    default: return nil
    }
  }

  func apply(to controller: inout SimulatedKernel.EndpointController) {
    for feature in features {
      switch feature {
      case .flag(.msix, let value): controller.isMSIXCapable = value
      case .flag(.msi, let value): controller.isMSICapable = value
      case .flag(.intx, let value): controller.isINTxCapable = value
      case .flag(.notifier, let value): controller.hasLinkUpNotifier = value
      case .flag(.dma, let value): controller.hasDMA = value
      case .alignment(let bytes): controller.alignment = bytes
      case .bar0(let bar): controller.bar0 = bar
      }
    }
  }
}
