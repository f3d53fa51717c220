// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import NVMeTarget
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// NVMe subsystems, ports and namespaces of functions, and leftovers of others.
extension Examination {
  private struct Namespace {
    var path: String
    var device: String
  }

  /// Whether a port leads to a subsystem.
  private func leads(_ port: String, to nqn: String) -> Bool {
    links(in: "nvmet/ports/\(port)/subsystems").contains { $0.target.lastPart == nqn }
  }

  /// The target of a bound function of `nvmet_pci_epf`.
  mutating func examineTarget(of function: Function) {
    let group = "\(function.path)/nvme"
    guard let name = tree.text("\(group)/subsysnqn"), let port = tree.text("\(group)/portid") else {
      return
    }
    guard !name.isEmpty else {
      return find(
        .targetUnset, function.name, [evidence("\(group)/subsysnqn")],
        "the function was bound without a subsystem, so no NVMe controller could be made",
        remedy: "unlink the function, echo NQN > \(full("\(group)/subsysnqn")), link it again")
    }
    let transport = "nvmet/ports/\(port)/addr_trtype"
    if isHidden("nvmet/subsystems/\(name)") || isHidden("nvmet/ports/\(port)/subsystems") { return }
    if !has("nvmet/subsystems/\(name)") || tree.text(transport) != "pci" || !leads(port, to: name) {
      find(
        .targetUnreachable, function.name,
        [
          evidence("\(group)/portid"), evidence("\(group)/subsysnqn"), evidence(transport),
          Finding.Evidence(
            full("nvmet/ports/\(port)/subsystems/\(name)"),
            leads(port, to: name) ? "present" : "missing"),
        ],
        "the function requires the port with its portid, of type pci, with the subsystem linked to it",
        remedy:
          "unlink the function; echo pci > \(full(transport)); ln -s \(full("nvmet/subsystems/\(name)")) \(full("nvmet/ports/\(port)/subsystems/")); link the function again"
      )
    } else if tree.text("nvmet/subsystems/\(name)/attr_allow_any_host") == "0" {
      let path = "nvmet/subsystems/\(name)/attr_allow_any_host"
      find(
        .hostNotAllowed, name, [evidence(path)],
        "nvmet_pci_epf connects with a random host name, so the subsystem must allow any host",
        remedy: "unlink the function, echo 1 > \(full(path)), link it again")
    }
  }

  /// The target to which an unbound function of `pci_epf_nvme` would connect.
  /// - Returns: whether that explains why it is not bound.
  mutating func examineLoop(of function: Function) -> Bool {
    guard offersNoPort(to: function), let nqn = options(of: function)?.nqn else { return false }
    let ports = loopPorts
    let line = log?.last { $0.text.contains("connect request for invalid subsystem \(nqn)") }
    find(
      .targetUnreachable, function.name,
      [
        evidence("\(function.path)/nvme/ctrl_opts"),
        Finding.Evidence(
          full("nvmet/ports"),
          ports.isEmpty
            ? "no port of type loop"
            : "port \(ports.joined(separator: ", ")) of type loop without a link to \(nqn)"),
      ] + (line.map { [evidence($0)] } ?? []),
      "no loop port offers the subsystem, so the function cannot be bound: the link fails with EIO",
      remedy:
        "echo loop > \(full("nvmet/ports/\(ports.first ?? "1")/addr_trtype")); ln -s \(full("nvmet/subsystems/\(nqn)")) \(full("nvmet/ports/\(ports.first ?? "1")/subsystems/")) (in one line); link the function again"
    )
    return true
  }

  private var loopPorts: [String] {
    directories(in: "nvmet/ports").filter { tree.text("nvmet/ports/\($0)/addr_trtype") == "loop" }
  }

  /// Whether a function of `pci_epf_nvme` has a target that no loop port offers.
  private func offersNoPort(to function: Function) -> Bool {
    guard let options = options(of: function), options.transport == "loop", let nqn = options.nqn,
      !isHidden("nvmet/ports")
    else { return false }
    return !loopPorts.contains { isHidden("nvmet/ports/\($0)/subsystems") || leads($0, to: nqn) }
  }

  mutating func examineTargets() {
    var spaces: [Namespace] = []
    for nqn in directories(in: "nvmet/subsystems") {
      let enabled = enabledNamespaces(of: nqn)
      spaces += enabled
      let servers = functions.filter { subsystem(of: $0) == nqn }
      if servers.contains(where: { $0.controller != nil }), enabled.isEmpty,
        !isHidden("nvmet/subsystems/\(nqn)/namespaces")
      {
        let path = "nvmet/subsystems/\(nqn)/namespaces"
        find(
          .noNamespace, nqn, [Finding.Evidence(full(path), "none is enabled")],
          "the host will see a controller without a disk",
          remedy: "create a namespace with a device_path and echo 1 > its enable attribute")
      }
      if servers.isEmpty, !isHidden("pci_ep/functions"), !isHidden("nvmet/ports") {
        examineUnused(nqn)
      }
    }
    for function in functions { examineAccess(of: function) }
    examinePorts()
    examineBackings(of: spaces)
    examineNullBlockDevices()
  }

  private func enabledNamespaces(of nqn: String) -> [Namespace] {
    let root = "nvmet/subsystems/\(nqn)/namespaces"
    return directories(in: root).compactMap { id in
      guard tree.text("\(root)/\(id)/enable") == "1",
        let device = tree.text("\(root)/\(id)/device_path")
      else { return nil }
      return Namespace(path: "\(root)/\(id)", device: device)
    }
  }

  /// A namespace whose ANA group keeps the host of a bound function from it.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`.
  private mutating func examineAccess(of function: Function) {
    guard function.controller != nil, let nqn = subsystem(of: function) else { return }
    let port =
      function.driver == .nvmetPCIEPF
      ? tree.text("\(function.path)/nvme/portid") : loopPorts.first { leads($0, to: nqn) }
    guard let port, has("nvmet/ports/\(port)/ana_groups"),
      !isHidden("nvmet/ports/\(port)/ana_groups")
    else { return }
    let root = "nvmet/subsystems/\(nqn)/namespaces"
    for space in enabledNamespaces(of: nqn) {
      let path = "nvmet/ports/\(port)/ana_groups"
      guard let text = tree.text("\(space.path)/ana_grpid"),
        let group = text.kernelInteger(UInt32.self)
      else { continue }
      let found = NVMeTarget.Port.anaState(of: group, among: directories(in: path)) {
        tree.text("\(path)/\($0)/ana_state")
      }
      guard found.state?.isAccessible != true else { continue }
      let directory = "\(path)/\(found.name ?? "\(group)")"
      let state = tree.text("\(directory)/ana_state")
      find(
        .anaInaccessible, "\(nqn) namespace \(space.path.dropFirst(root.count + 1))",
        [
          evidence("\(space.path)/ana_grpid"),
          state == nil
            ? Finding.Evidence(full(directory), "missing") : evidence("\(directory)/ana_state"),
        ],
        "the namespace's ANA group is \(state ?? "inaccessible") on port \(port), through which \(function.name) serves it: the host gets no usable disk",
        remedy:
          "\(state == nil ? "mkdir \(full(directory)); " : "")echo optimized > \(full("\(directory)/ana_state")), or echo 1 > \(full("\(space.path)/ana_grpid")); in a profile: anaGroups of the port"
      )
    }
  }

  /// A port without a subsystem, which the kernel has not enabled.
  private mutating func examinePorts() {
    // A function that needs the port has its own finding.
    let targets = functions.filter { $0.controller != nil && $0.driver == .nvmetPCIEPF }
    let needed = Set(targets.compactMap { tree.text("\($0.path)/nvme/portid") })
    let loopIsNeeded = functions.contains { $0.controller == nil && offersNoPort(to: $0) }
    for port in directories(in: "nvmet/ports") {
      let links = "nvmet/ports/\(port)/subsystems"
      guard !isHidden(links), !isInterrupted("nvmet/ports/\(port)"), self.links(in: links).isEmpty,
        let transport = tree.text("nvmet/ports/\(port)/addr_trtype"), !needed.contains(port),
        transport != "loop" || !loopIsNeeded
      else { continue }
      let isNetwork = ["tcp", "rdma", "fc"].contains(transport)
      find(
        .portUnused, port,
        [
          evidence("nvmet/ports/\(port)/addr_trtype"),
          Finding.Evidence(full(links), "no subsystem is linked"),
        ],
        "the port serves nothing: \(isNetwork ? "the kernel does not listen" : "no function can use it") until a subsystem is linked to it",
        remedy:
          "ln -s \(full("nvmet/subsystems/NQN")) \(full(links))/, or if it is not needed: rmdir \(full("nvmet/ports/\(port)"))"
      )
    }
  }

  /// A subsystem without a function, except those that TCP or RDMA ports serve.
  private mutating func examineUnused(_ nqn: String) {
    let path = "nvmet/subsystems/\(nqn)"
    guard isOurs(path) == false, tree.text("\(path)/attr_model") != nil else { return }
    let ports = directories(in: "nvmet/ports").filter { leads($0, to: nqn) }
    let transports = ports.map { tree.text("nvmet/ports/\($0)/addr_trtype") ?? "" }
    if transports.contains("tcp") || transports.contains("rdma") || transports.contains("fc") {
      return
    }
    let links = ports.map { "nvmet/ports/\($0)/subsystems/\(nqn)" }
    find(
      .subsystemUnused, nqn,
      links.isEmpty
        ? [Finding.Evidence(full(path), "linked to no port")]
        : links.map { Finding.Evidence(full($0), "-> \(full(path))") },
      "no function serves this subsystem, and no journal of epfnvme lists it: it was left over",
      remedy:
        links.isEmpty
        ? "if it is not needed: rmdir its namespaces, then rmdir \(full(path))"
        : "if it is not needed: \(links.map { "rm \(full($0))" }.joined(separator: "; ")); then rmdir its namespaces and \(full(path))"
    )
  }

  private mutating func examineBackings(of spaces: [Namespace]) {
    let groups = Dictionary(grouping: spaces, by: \.device)
    for (device, users) in groups.sorted(by: { $0.key < $1.key }) {
      if users.count > 1 {
        find(
          .backingShared, device, users.map { evidence("\($0.path)/device_path") },
          "two namespaces on one store corrupt each other's data",
          remedy: "echo 0 > \(full(users[1].path))/enable, then configure a separate store for it")
      }
      guard device.hasPrefix("/dev/"),
        let mountPoint = try? machine.storage.describe(FilePath(device)).mountPoint
      else { continue }
      find(
        .backingMounted, device,
        [
          evidence("\(users[0].path)/device_path"),
          Finding.Evidence("/proc/mounts", "\(device) at \(mountPoint)"),
        ],
        "a host writes beneath a mounted file system: both lose data",
        remedy: "umount \(mountPoint)")
    }
  }

  private mutating func examineNullBlockDevices() {
    let used = Set(
      tree.entries.keys.filter { $0.hasPrefix("nvmet/") && $0.hasSuffix("/device_path") }
        .compactMap { tree.text($0) })
    for name in directories(in: "nullb") where tree.text("nullb/\(name)/power") == "1" {
      guard isOurs("nullb/\(name)") == false, !used.contains("/dev/\(name)") else { continue }
      find(
        .nullBlockForeign, name, [evidence("nullb/\(name)/power")],
        "no journal of epfnvme lists this device and no namespace uses it; it may hold memory",
        remedy:
          "if it is not needed: echo 0 > \(full("nullb/\(name)/power")) && rmdir \(full("nullb/\(name)"))"
      )
    }
  }
}
