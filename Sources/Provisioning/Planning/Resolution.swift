// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import KernelHistory
internal import KernelModules
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Resolves the open values of a profile for one machine: identities, the driver, the controllers, the port of the functions.
struct Resolution {
  /// The profile with its identities on the machine.
  let profile: Profile
  var driver: FunctionDriver?
  /// The endpoint controller of each function, in the profile's order.
  var controllers: [String] = []
  /// The nvmet port through which functions reach local subsystems, if the profile declares no suitable one.
  var functionPort: UInt16?
  var warnings: [ProfileIssue] = []

  /// The transport of the port that the driver uses.
  var functionTransport: Profile.Port.Transport { driver == .nvmetPCIEPF ? .pci : .loop }

  /// - Throws: ``ProvisioningError`` of kind `unsupported`, `impossible`.
  init(
    _ given: Profile, on machine: Machine, _ ownership: Ownership
  ) throws(ProvisioningError) {
    profile = given.identified(on: machine.facts.machineID)
    try checkIdentity(given, on: machine)
    checkDisks()
    guard !profile.functions.isEmpty else { return }
    let isMounted = machine.isConfigFSMounted()
    let endpoints = EndpointTree(on: machine.configFS)
    let names = try Self.controllerNames(endpoints, on: machine, isMounted: isMounted)
    let driver = try Self.driver(for: profile, endpoints, on: machine, isMounted: isMounted)
    self.driver = driver
    for (index, function) in profile.functions.enumerated() {
      controllers.append(try Self.controller(for: function, index, among: names, on: machine))
    }
    try Self.checkLimits(driver, profile)
    checkDriver(driver, profile, on: machine)
    warnings += try OutboundWindowRule.check(profile, driver, on: machine)
    try checkDMA(on: machine)
    functionPort = try Self.functionPort(
      profile, transport: functionTransport, on: machine, ownership, isMounted: isMounted)
    if driver == .nvmetPCIEPF, machine.kernelOption("NVME_TARGET_TCP_TLS") == true {
      throw ProvisioningError(
        .unsupported,
        "this kernel is built with CONFIG_NVME_TARGET_TCP_TLS, and nvmet_pci_epf crashes it as soon as a controller is created",
        hint: "build the kernel without CONFIG_NVME_TARGET_TCP_TLS")
    }
  }

  /// Whether the link of a function makes the driver access a DMA engine that has no clock yet.
  private mutating func checkDMA(on machine: Machine) throws(ProvisioningError) {
    let change = KernelChange.dmaBeforeInit
    guard driver == .nvmetPCIEPF, let release = KernelRelease(machine.facts.release),
      machine.kernelOption("DW_EDMA") != false,
      let controller = controllers.first(where: {
        !change.hardware.isEmpty && change.concerns(machine.compatible($0))
      })
    else { return }
    let text =
      "\(controller) has no clock until the host releases PERST#, and linking a function accesses its DMA engine before that: the board hangs (fixed in \(change.endText))"
    let hint = Hazard.dmaBeforeInit.safeOrder
    switch change.presence(in: release) {
    case .absent: break
    case .present:
      throw ProvisioningError(
        .unsupported, "in Linux \(release.text), \(text)", path: controller, hint: hint)
    case .unknown:
      warnings.append(
        ProfileIssue(
          .warning, path: "functions", message: "perhaps in Linux \(release.text), \(text)",
          hint: hint))
    }
  }

  /// Identities that another board may have too, or another namespace of this one.
  private mutating func checkIdentity(
    _ given: Profile, on machine: Machine
  ) throws(ProvisioningError) {
    if given.identity == .machine, machine.facts.machineID == nil, !given.functions.isEmpty {
      warnings.append(
        ProfileIssue(
          .warning, path: "identity",
          message:
            "\(machine.label) has no machine ID (/etc/machine-id), so that identities follow from the names in the profile: a host refuses a second board with the same ones",
          hint:
            "systemd-machine-id-setup creates one; or set \"identity\": \"seed\" and an \"identitySeed\" for each board"
        ))
    }
    // An identifier that the profile sets can be one that is derived for this machine.
    let collector = IssueCollector()
    ProfileCheck(profile: profile, issues: collector).identifiers()
    if let first = collector.issues.first(where: { $0.severity == .error }) {
      throw ProvisioningError(
        .impossible, "\(first.path): \(first.message)", path: first.path, hint: first.hint)
    }
  }

  /// A null_blk device without memory completes writes and stores nothing.
  /// - Source: `drivers/block/null_blk/main.c`, `null_handle_cmd`.
  private mutating func checkDisks() {
    for backing in profile.backings {
      guard case .nullBlock(let device) = backing.store, device.memoryBacked != true else {
        continue
      }
      warnings.append(
        ProfileIssue(
          .warning, path: "backings.\(backing.name).nullBlock",
          message:
            "the disk stores no data: null_blk without memory discards what is written, so that a file system can be made on it but not mounted",
          hint: "set \"memoryBacked\": true, unless it is for measurements only"))
    }
  }

  private static let simulationHint =
    "to try a profile without the hardware, use --kernel simulated"

  private static func controllerNames(
    _ endpoints: EndpointTree, on machine: Machine, isMounted: Bool
  ) throws(ProvisioningError) -> [String] {
    if isMounted, !endpoints.isAvailable {
      throw ProvisioningError(
        .unsupported,
        "\(machine.label) has no PCI endpoint support: \(endpoints.directory.path) is missing",
        hint:
          "the kernel needs CONFIG_PCI_ENDPOINT and CONFIG_PCI_ENDPOINT_CONFIGFS; \(simulationHint)"
      )
    }
    let names: [String]
    if isMounted {
      do { names = try endpoints.controllers().map(\.name) } catch {
        throw ProvisioningError(error)
      }
    } else {
      names = machine.endpointControllers()
    }
    guard !names.isEmpty else {
      throw ProvisioningError(
        .unsupported, "\(machine.label) has no PCI endpoint controller",
        hint:
          "the device tree must put a PCIe port in endpoint mode and the kernel needs its driver; \(simulationHint)"
      )
    }
    return names
  }

  private static func controller(
    for function: Profile.Function, _ index: Int, among names: [String], on machine: Machine
  ) throws(ProvisioningError) -> String {
    let list = names.joined(separator: ", ")
    if function.controller == "auto" {
      guard names.count == 1 else {
        throw ProvisioningError(
          .impossible,
          "functions[\(index)].controller is \"auto\", but \(machine.label) has \(names.count) endpoint controllers: \(list)",
          hint: "name one of them")
      }
      return names[0]
    }
    guard names.contains(function.controller) else {
      let nearest = nearestName(to: function.controller, in: names)
      throw ProvisioningError(
        .impossible,
        "functions[\(index)].controller: \(machine.label) has no endpoint controller \"\(function.controller)\", only \(list)",
        hint: nearest.map { "did you mean \"\($0)\"?" } ?? "name one of them, or \"auto\"")
    }
    return function.controller
  }

  /// Whether a function driver is there, or its module is.
  private static func has(
    _ driver: FunctionDriver, _ endpoints: EndpointTree, on machine: Machine, isMounted: Bool
  ) -> Bool {
    if isMounted, endpoints.has(driver) { return true }
    let state = (try? machine.modules.state(of: driver.moduleName)) ?? .missing
    return state != .missing
  }

  private static func driver(
    for profile: Profile, _ endpoints: EndpointTree, on machine: Machine, isMounted: Bool
  ) throws(ProvisioningError) -> FunctionDriver {
    let needsFabrics = profile.functions.contains {
      if case .tcp = $0.target { true } else { false }
    }
    let wanted: [FunctionDriver] =
      switch profile.driver {
      case .nvmetPCIEPF: [.nvmetPCIEPF]
      case .pciEPFNVMe: [.pciEPFNVMe]
      case .auto: needsFabrics ? [.pciEPFNVMe] : FunctionDriver.nvmeDrivers
      }
    if let driver = wanted.first(where: { has($0, endpoints, on: machine, isMounted: isMounted) }) {
      return driver
    }
    let names = wanted.map(\.name).joined(separator: " nor ")
    let other = FunctionDriver.nvmeDrivers.first {
      !wanted.contains($0) && has($0, endpoints, on: machine, isMounted: isMounted)
    }
    let hint: String =
      if needsFabrics {
        "a remote TCP target needs the out-of-tree driver pci_epf_nvme; nvmet_pci_epf serves only subsystems of the same machine"
      } else if let other {
        "the kernel has \(other.name): set \"driver\": \"\(other.name)\" or \"auto\""
      } else {
        "nvmet_pci_epf needs Linux 6.14 with CONFIG_NVME_TARGET_PCI_EPF; \(simulationHint)"
      }
    throw ProvisioningError(
      needsFabrics && other != nil ? .impossible : .unsupported,
      "\(machine.label) has no function driver \(names)",
      hint: [hint, wanted.compactMap { machine.hintForDriver($0.name) }.first].compactMap(\.self)
        .joined(separator: "; "))
  }

  /// Values that only the other driver could carry out.
  private static func checkLimits(
    _ driver: FunctionDriver, _ profile: Profile
  ) throws(ProvisioningError) {
    guard let choice = Profile.DriverChoice(rawValue: driver.name),
      let limit = DriverLimit.all(of: profile, with: choice).first
    else { return }
    throw ProvisioningError(.impossible, "\(limit.path): \(limit.message)", hint: limit.hint)
  }

  /// Values that the chosen driver does not support.
  private mutating func checkDriver(
    _ driver: FunctionDriver, _ profile: Profile, on machine: Machine
  ) {
    for (index, function) in profile.functions.enumerated() {
      let path = "functions[\(index)]"
      func warn(_ key: String, _ message: String) {
        warnings.append(ProfileIssue(.warning, path: "\(path).\(key)", message: message))
      }
      if driver == .nvmetPCIEPF {
        // With `"driver": "auto"`, both words mean the local subsystem.
        if profile.driver == .nvmetPCIEPF, case .local(_, .loop) = function.target {
          warn(
            "target.loop",
            "nvmet_pci_epf has no loop targets: the subsystem is served through a port of type pci")
        }
        if function.dma == false, profile.driver != .nvmetPCIEPF {
          warn("dma", "nvmet_pci_epf cannot turn DMA off, and uses DMA where it is available")
        }
      } else {
        if let queues = function.ioQueues, Int(queues) > machine.facts.onlineCPUs {
          warn(
            "ioQueues",
            "pci_epf_nvme creates no more I/O queues than the machine has CPUs: \(machine.facts.onlineCPUs) instead of \(queues)"
          )
        }
        if let vendor = function.subsystemVendorID, vendor != function.vendorID {
          warn("subsystemVendorID", "Identify Controller shows vendorID as SSVID with pci_epf_nvme")
        }
      }
    }
    if driver == .pciEPFNVMe {
      for (index, subsystem) in profile.subsystems.enumerated()
      where subsystem.vendorID != nil || subsystem.subsystemVendorID != nil {
        warnings.append(
          ProfileIssue(
            .warning, path: "subsystems[\(index)].vendorID",
            message: "with pci_epf_nvme the vendor IDs are those of the function"))
      }
    }
  }

  /// The port through which functions reach local subsystems, if the profile declares no suitable one: the existing port of this profile;
  /// for the loop transport, which connects through the machine's first port, that port; otherwise a new one.
  private static func functionPort(
    _ profile: Profile, transport: Profile.Port.Transport, on machine: Machine,
    _ ownership: Ownership, isMounted: Bool
  ) throws(ProvisioningError) -> UInt16? {
    var local: [String] = []
    var isDeclared = true
    for function in profile.functions {
      guard case .local(let nqn, _) = function.target else { continue }
      local.append(nqn)
      if !profile.ports.contains(where: { $0.transport == transport && $0.subsystems.contains(nqn) }
      ) {
        isDeclared = false
      }
    }
    guard !local.isEmpty else { return nil }
    let tree = TargetTree(on: machine.configFS).ports
    let declared = profile.ports.map(\.id)
    var ports: [FoundPort] = []
    if isMounted, tree.exists {
      do {
        for item in try tree.all() { ports.append(try FoundPort(item, ownership)) }
      } catch { throw ProvisioningError(error) }
    }
    let fitting = ports.filter { $0.transport == transport.rawValue }
    if isDeclared {
      if transport == .loop { try checkLoopPort(fitting, declared) }
      return nil
    }
    let mine = fitting.filter { $0.isOwn && !declared.contains($0.id) }
    if let serving = mine.first(where: { port in local.contains { port.subsystems.contains($0) } })
    {
      return serving.id
    }
    let loopPorts = fitting.filter { !$0.isOwn && !declared.contains($0.id) }
    if transport == .loop,
      let first = loopPorts.first(where: { !$0.subsystems.isEmpty }) ?? loopPorts.first
    {
      return first.id
    }
    // Without a journal: the port that offers the subsystems of the functions.
    if !ownership.hasJournal,
      let known = fitting.first(where: { port in
        port.owner == nil && local.contains { port.subsystems.contains($0) }
      })
    {
      return known.id
    }
    // A port of the profile that is no longer declared is reconfigured.
    let taken = Set(declared).union(
      ports.filter { port in !mine.contains { $0.id == port.id } }.map(\.id))
    guard let free = (1...UInt16.max).first(where: { !taken.contains($0) }) else {
      throw ProvisioningError(.impossible, "every nvmet port id is taken")
    }
    return free
  }

  /// An nvmet port of the machine.
  private struct FoundPort {
    var id: UInt16
    var transport: String
    var subsystems: [String]
    var isOwn: Bool
    var owner: String?

    init(_ item: NVMeTarget.Port, _ ownership: Ownership) throws(ConfigFSError) {
      let path = item.directory.path.string
      id = item.id ?? 0
      transport = (try? item.transport.read())?.rawValue ?? ""
      subsystems = try item.subsystems.directory.links().map(\.target.name)
      isOwn = ownership.own.directories.contains(path)
      owner = ownership.owner(of: path)
    }
  }

  /// nvme-loop connects through the port that was enabled first, no matter which port offers the subsystem.
  /// - Source: `drivers/nvme/target/loop.c`, `nvme_loop_find_port`.
  private static func checkLoopPort(
    _ ports: [FoundPort], _ declared: [UInt16]
  ) throws(ProvisioningError) {
    let enabled = ports.filter { !$0.subsystems.isEmpty }
    guard let other = enabled.first(where: { !declared.contains($0.id) }),
      !enabled.contains(where: { declared.contains($0.id) })
    else { return }
    throw ProvisioningError(
      .impossible,
      "the machine already has the loop port \(other.id)\(other.owner.map { ", created for the profile \"\($0)\"" } ?? ""), and the loop transport connects through the first one only",
      hint: "declare no loop port, or the port \(other.id)")
  }
}
