// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// Endpoint functions: their binding, their controllers, and their values for a host.
extension Examination {
  /// A function directory as the tree has it.
  struct Function {
    var driver: FunctionDriver
    var name: String
    /// Below the mount point.
    var path: String
    /// The endpoint controller that it is bound to.
    var controller: String?

    var isNVMe: Bool { FunctionDriver.nvmeDrivers.contains(driver) }
  }

  var functions: [Function] {
    var bound: [String: String] = [:]
    for controller in directories(in: "pci_ep/controllers") {
      for link in links(in: "pci_ep/controllers/\(controller)") { bound[link.target] = controller }
    }
    return directories(in: "pci_ep/functions").flatMap { driver in
      directories(in: "pci_ep/functions/\(driver)").map { name in
        let path = "pci_ep/functions/\(driver)/\(name)"
        return Function(
          driver: FunctionDriver(name: driver), name: name, path: path,
          controller: bound[path] ?? links(in: "\(path)/primary").first?.target.lastPart)
      }
    }
  }

  func number(_ path: String) -> Int? {
    guard let text = tree.text(path) else { return nil }
    return text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
  }

  /// The options of a `pci_epf_nvme` function; nil when they are empty or cannot be read.
  func options(of function: Function) -> FabricsOptions? {
    guard let text = tree.text("\(function.path)/nvme/ctrl_opts"), !text.isEmpty else { return nil }
    return FabricsOptions(attributeText: text)
  }

  /// The subsystem that a function serves; nil for none.
  func subsystem(of function: Function) -> String? {
    switch function.driver {
    case .nvmetPCIEPF:
      tree.text("\(function.path)/nvme/subsysnqn").flatMap { $0.isEmpty ? nil : $0 }
    case .pciEPFNVMe: options(of: function)?.nqn
    case .other: nil
    }
  }

  /// Vectors that the function requests: MSI-X, or else MSI; nil when they cannot be read.
  func vectors(of function: Function) -> Int? {
    guard let msix = number("\(function.path)/msix_interrupts"),
      let msi = number("\(function.path)/msi_interrupts")
    else { return nil }
    return msix > 0 ? msix : msi
  }

  mutating func examineFunctions() {
    let alive = livingControllers()
    for function in functions {
      examineLinks(of: function)
      guard let controller = function.controller else {
        examineUnbound(function)
        continue
      }
      see("function \(function.name)", "\(function.driver.name) on \(controller)")
      if isOurs(function.path) == false {
        find(
          .functionForeign, function.name,
          [Finding.Evidence(full(function.path), "bound to \(controller)")],
          "no journal of epfnvme lists it, so setup and teardown do not change it; it occupies one of the controller's functions",
          remedy:
            "keep it; or create a profile from it with epfnvme export; or stop the controller, rm the function's link below \(full("pci_ep/controllers/\(controller)")) and rmdir \(full(function.path))"
        )
      }
      guard function.isNVMe else { continue }
      examineIdentity(of: function)
      examineVectors(of: function)
      if function.driver == .nvmetPCIEPF {
        examineTarget(of: function)
        if let alive { examineLife(of: function, alive.contains(function.path)) }
      } else {
        examineConnection(of: function)
      }
    }
    examineHeaders()
  }

  /// The functions of `nvmet_pci_epf` that have an NVMe controller; nil when this process cannot determine them.
  private mutating func livingControllers() -> Set<String>? {
    guard functions.contains(where: { $0.driver == .nvmetPCIEPF && $0.controller != nil }) else {
      return []
    }
    guard machine.facts.isPrivileged else {
      hide(
        "NVMe controllers behind functions",
        "only a write to a function's attributes shows whether it has one; run as root")
      return nil
    }
    let status: MachineStatus
    do throws(ProvisioningError) { status = try provisioner.status() } catch {
      hide("NVMe controllers behind functions", error.message)
      return nil
    }
    let all = status.endpoints.flatMap(\.functions) + status.unboundFunctions
    return Set(
      all.compactMap { $0.hasController == true ? "pci_ep/functions/\($0.driver)/\($0.name)" : nil }
    )
  }

  // MARK: Links

  private mutating func examineLinks(of function: Function) {
    guard function.isNVMe else { return }
    if let link = links(in: "\(function.path)/secondary").first {
      find(
        .secondaryLinked, function.name,
        [
          Finding.Evidence(
            full("\(function.path)/secondary/\(link.name)"), "-> \(full(link.target))")
        ],
        "the NVMe drivers do not support a secondary interface: the function is bound twice, or not at all",
        remedy: "stop the controller, then rm \(full("\(function.path)/secondary/\(link.name)"))")
    }
    if let link = links(in: function.path).first {
      find(
        .virtualFunction, function.name,
        [Finding.Evidence(full("\(function.path)/\(link.name)"), "-> \(full(link.target))")],
        "a function linked into a function becomes a virtual function, which the NVMe drivers neither support nor initialise",
        remedy:
          "rm \(full("\(function.path)/\(link.name)")), then remove \(full(link.target)) and create it again"
      )
    }
  }

  /// A function that is not bound: it was created by hand, or the driver refused the link.
  private mutating func examineUnbound(_ function: Function) {
    // A virtual function has a separate finding, as has a journal of a crashed run.
    let isVirtual = functions.contains {
      links(in: $0.path).contains { $0.target == function.path }
    }
    if isVirtual || isInterrupted(function.path) || isHidden("pci_ep/controllers") { return }
    if function.driver == .pciEPFNVMe {
      if examineOptions(of: function) || examineLoop(of: function) { return }
    }
    find(
      .functionUnbound, function.name,
      [Finding.Evidence(full(function.path), "not linked to a controller")],
      "an incomplete function: no host can see it",
      remedy:
        "complete it: cd \(full("pci_ep")) && ln -s functions/\(function.driver.name)/\(function.name) controllers/NAME/; or remove it: rmdir \(full(function.path))"
    )
  }

  /// - Returns: whether the options explain why it is not bound.
  private mutating func examineOptions(of function: Function) -> Bool {
    let path = "\(function.path)/nvme/ctrl_opts"
    guard let text = tree.text(path) else { return false }
    if text.isEmpty {
      let line = log?.last { $0.text.hasSuffix("No nvme fabrics options specified") }
      find(
        .optionsEmpty, function.name, [evidence(path)] + (line.map { [evidence($0)] } ?? []),
        (line == nil ? "the link will be refused" : "the link was refused")
          + " because ctrl_opts is empty; options that are written to the function's own directory, as in an old guide, are lost",
        remedy: "echo -n 'transport=loop,nqn=NQN,nr_io_queues=4' > \(full(path)), then link again")
      return true
    }
    let unknown = FabricsOptions(attributeText: text)?.unknownItems ?? [text]
    guard let first = unknown.first else { return false }
    find(
      .optionsMalformed, function.name, [evidence(path)],
      "the kernel does not know \"\(FabricsOptions.hidingSecret(first))\": names have underscores and no leading dashes, unlike the options of the nvme command; the link fails with EINVAL",
      remedy: "echo -n 'transport=loop,nqn=NQN,nr_io_queues=4' > \(full(path))")
    return true
  }

  // MARK: Life

  private mutating func examineLife(of function: Function, _ isAlive: Bool) {
    guard !isAlive else { return }
    let own =
      log?.filter { $0.text.hasPrefix("\(function.driver.name) \(function.driver.name).") } ?? []
    let last = own.lastIndex { $0.text.isAboutCreation || $0.text.isAboutRemoval }
    let complaints = own[(last ?? own.startIndex)...].filter { $0.level <= 3 }
    let controller = function.controller ?? "NAME"
    let stateEvidence = Finding.Evidence(
      full("\(function.path)/nvme"), "no NVMe controller: its attributes can be written")
    if complaints.isEmpty {
      find(
        .functionWaits, function.name, [stateEvidence],
        "bound, but there is no NVMe controller yet; an endpoint controller that is initialised at PERST# creates it when the host starts",
        remedy: "power the host on or reset it; if that does not help, see dmesg")
    } else {
      find(
        .functionFailed, function.name, [stateEvidence] + complaints.map { evidence($0) },
        "its NVMe controller could not be created although the link succeeded; the next link-down event dereferences a null pointer in the kernel",
        remedy:
          "stop the controller (epfnvme stop \(controller)), rm the function's link below \(full("pci_ep/controllers/\(controller)")), fix the cause in the kernel log, and link it again"
      )
    }
  }

  /// The target to which `pci_epf_nvme` connected at bind, and whether it is still connected.
  private mutating func examineConnection(of function: Function) {
    guard let options = options(of: function), let nqn = options.nqn,
      let connections = try? machine.fabrics.connections()
    else { return }
    let open = connections.filter { $0.address.nqn == nqn }
    if let lost = open.first, !open.contains(where: \.isLive) {
      find(
        .connectionLost, function.name,
        [
          evidence("\(function.path)/nvme/ctrl_opts"),
          Finding.Evidence("/sys/class/nvme/\(lost.name)/state", lost.state ?? ""),
        ],
        "the connection to the target is lost and the kernel is reconnecting: commands of the host wait, and fail after ctrl_loss_tmo",
        remedy:
          "restore the target and the network; if the kernel gives up the connection, stop the controller, remove the function's link, then link it again"
      )
    }
    if open.isEmpty {
      find(
        .connectionLost, function.name,
        [
          evidence("\(function.path)/nvme/ctrl_opts"),
          Finding.Evidence("/sys/class/nvme", "no connection to \(nqn)"),
        ],
        "the fabrics controller behind the bound function no longer exists: commands of the host fail. Writing attr_qid_max, or unlinking the port, removes it",
        remedy:
          "stop the controller, remove the function's link, fix the target, then link it again"
      )
    }
    let possible =
      [15, machine.facts.onlineCPUs, vectors(of: function).flatMap { $0 > 0 ? $0 - 1 : nil }]
      .compactMap(\.self).min() ?? 15
    if let wanted = options.ioQueues.map(Int.init), wanted > possible, possible > 0 {
      find(
        .queuesLimited, function.name,
        [
          evidence("\(function.path)/nvme/ctrl_opts"),
          evidence("\(function.path)/msix_interrupts"),
          evidence("\(function.path)/msi_interrupts"),
          Finding.Evidence("online processors", "\(machine.facts.onlineCPUs)"),
        ],
        "\(wanted) I/O queues are requested, \(possible) are created: the minimum of 15, the processors, and the vectors less the admin queue's",
        remedy:
          "request \(possible) queues, or configure \(wanted + 1) vectors on a machine with \(wanted) processors"
      )
    }
  }
}
