// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// Endpoint controllers: there, started, with a host at the other end.
extension Examination {
  private static let sysfsClass: FilePath = "/sys/class/pci_epc"
  private static let directory = "pci_ep/controllers"

  mutating func examineControllers() {
    if lacksEndpointSupport {
      return hide(
        "endpoint controllers", "a kernel without endpoint support does not probe for them")
    }
    if isHidden(Self.directory) { return }
    let names = isMounted ? directories(in: Self.directory) : machine.endpointControllers()
    guard !names.isEmpty else { return lookForHardware() }
    for name in names {
      examineHardware(of: name)
      if isMounted { examineUse(of: name) }
    }
  }

  // MARK: None

  private mutating func lookForHardware() {
    let place = isMounted ? full(Self.directory) : Self.sysfsClass.string
    let none = Finding.Evidence(place, "empty")
    let endpoints = DeviceTreeEndpoint.all(files)
    if let enabled = endpoints.first(where: \.isEnabled) {
      let compatible = Finding.Evidence(
        enabled.path.appending("compatible").string, enabled.compatible.joined(separator: ", "))
      let line = enabled.option.flatMap { option($0) }
      let remedy =
        enabled.option.map {
          isSet($0) == true
            ? "CONFIG_\($0) is set: load its module, and check dmesg for its messages"
            : Self.build($0)
        } ?? "build the driver for \(enabled.compatible.first ?? "it") in endpoint mode"
      return find(
        .controllerWithoutDriver, enabled.path.lastComponent?.string ?? "",
        [none, compatible] + [line].compactMap(\.self),
        "the device tree has a PCIe port in endpoint mode, but no driver has registered a controller for it",
        remedy: remedy)
    }
    if let disabled = endpoints.first {
      return find(
        .controllerDisabled, disabled.path.lastComponent?.string ?? "",
        [none, Finding.Evidence(disabled.path.appending("status").string, disabled.status)],
        "the device tree has a PCIe port in endpoint mode, but it is disabled",
        remedy:
          "set its status to \"okay\" (and that of the same port in root-complex mode to \"disabled\") in an overlay of the device tree, then reboot"
      )
    }
    let hasTree = !isMissing(DeviceTreeEndpoint.root)
    find(
      .controllerMissing, machine.label,
      [
        none,
        Finding.Evidence(
          DeviceTreeEndpoint.root.string,
          hasTree ? "no PCIe port in endpoint mode" : "missing: this machine has no device tree"),
      ],
      "\(machine.label) has no PCI endpoint controller, so it cannot be a PCI device",
      remedy: hasTree
        ? "put a PCIe port into endpoint mode with a device tree overlay and build the driver of its controller; to try a profile without hardware, use --kernel simulated"
        : "use a board whose PCIe port can be an endpoint; to try a profile without hardware, use --kernel simulated"
    )
  }

  // MARK: The hardware

  private mutating func examineHardware(of name: String) {
    var facts: [String] = []
    let device = Self.sysfsClass.appending(name).appending("device")
    if let driver = try? files.linkText(of: device.appending("driver")).lastPart {
      facts.append("driver \(driver)")
    }
    let node = device.appending("of_node")
    if let functions = number(node.appending("max-functions"), bytes: 1) {
      facts.append("\(functions) functions")
    }
    if let lanes = number(node.appending("num-lanes"), bytes: 4) { facts.append("\(lanes) lanes") }
    if let speed = number(node.appending("max-link-speed"), bytes: 4) {
      facts.append("up to generation \(speed)")
    }
    var knowsWindows = false
    if let windows = number(node.appending("num-ob-windows"), bytes: 4) {
      facts.append("\(windows) outbound windows")
      knowsWindows = true
    } else if let windows = windowsOfLog(name) {
      facts.append("\(windows) outbound windows")
      knowsWindows = true
    }
    // A simulated kernel has no device tree, and says so itself.
    let nodes = EndpointDevice.compatible(atNode: node, in: files)
    let compatible = nodes.isEmpty ? machine.compatible(name) : nodes
    hardware += compatible
    let known = KnownController.of(compatible)
    if let known { facts.append(known.facts) }
    if let group = try? files.linkText(of: device.appending("iommu_group")).lastPart {
      facts.append("IOMMU group \(group)")
    }
    let state = FilePath("/sys/kernel/debug/dwc_pcie_\(name)/ltssm_status")
    do { facts.append("link \(try files.text(of: state))") } catch {
      if error == .permissionDenied { hide("link state of \(name)", state, error) }
    }
    see("controller \(name)", facts.isEmpty ? "present" : facts.joined(separator: ", "))
    if known == nil || !knowsWindows {
      hide(
        known == nil ? "features and windows of \(name)" : "outbound windows of \(name)",
        "the kernel does not export them; set controllerFeatures in the profile")
    }
    if let refusal = known?.refusal {
      find(
        .controllerUnsuitable, name,
        [
          Finding.Evidence(
            node.appending("compatible").string, compatible.joined(separator: ", "))
        ], refusal, remedy: "use another board: no configuration changes that")
    }
    if known?.bar0 == .resizable { lookForMemory(of: name) }
  }

  /// A big-endian cell of the device tree.
  private func number(_ path: FilePath, bytes count: Int) -> UInt32? {
    guard let bytes = try? files.bytes(of: path), bytes.count == count else { return nil }
    return bytes.reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// - Source: `drivers/pci/controller/dwc/pcie-designware.c`, `dw_pcie_iatu_detect`.
  private func windowsOfLog(_ name: String) -> Int? {
    let line = log?.last { $0.text.contains("\(name): iATU:") }
    let words = line?.text.split(whereSeparator: { $0 == " " || $0 == "," }) ?? []
    return words.firstIndex(of: "ob").flatMap { $0 > 0 ? Int(words[$0 - 1]) : nil }
  }

  /// The contiguous memory that BAR 0 takes when a function is bound.
  private mutating func lookForMemory(of name: String) {
    let path: FilePath = "/proc/meminfo"
    guard let text = try? files.text(of: path), let area = ContiguousMemory(meminfo: text) else {
      return
    }
    see("CMA", "\(area.free) kB of \(area.total) kB free")
    // A bound function has its memory.
    guard !area.fits(functions: 1), !functions.contains(where: { $0.controller == name }) else {
      return
    }
    find(
      .cmaLow, name,
      [Finding.Evidence(path.string, "CmaFree \(area.free) kB of \(area.total) kB")],
      area.problem(functions: 1, on: [name]), remedy: ContiguousMemory.remedy)
  }

  // MARK: Its use

  private mutating func examineUse(of name: String) {
    let path = "\(Self.directory)/\(name)"
    guard let start = tree.text("\(path)/start") else { return }
    let bound = functions.filter { $0.controller == name }
    let isStarted = start == "1"
    // A function that is bound through its own directory is listed below functions/ only.
    let mayHaveMore = isHidden("pci_ep/functions") || isHidden(path)
    if isStarted, bound.isEmpty, links(in: path).isEmpty {
      if mayHaveMore { return }
      find(
        .controllerWithoutFunction, name,
        [evidence("\(path)/start"), Finding.Evidence(full(path), "no link to a function")],
        "the link is up without a function; a host that scans now finds no device, or an empty one",
        remedy: "echo 0 > \(full(path))/start, or set up a profile (epfnvme setup)")
    } else if !isStarted, let function = bound.first {
      find(
        .controllerNotStarted, name,
        [evidence("\(path)/start"), Finding.Evidence(full(function.path), "bound")],
        "a function is bound, but the link is off, so no host can see it",
        remedy:
          "before the host is powered on or rescans its bus: epfnvme start \(name)")
    } else if isStarted {
      if let function = bound.first(where: \.isNVMe) { lookForHost(of: function, at: name) }
    }
  }

  /// The board must be ready before the host enumerates: a host that started earlier found an empty slot.
  private mutating func lookForHost(of function: Function, at name: String) {
    guard let log else { return }
    guard functions.count(where: { $0.driver == function.driver }) == 1 else {
      return hide(
        "host of \(name)",
        "there are several functions of \(function.driver.name): log lines cannot be attributed to one function"
      )
    }
    let lines = log.filter { $0.text.hasPrefix("\(function.driver.name) \(function.driver.name).") }
    // A function that has failed is another finding.
    guard let last = lines.lastIndex(where: { $0.text.isAboutCreation || $0.text.isAboutRemoval }),
      lines[last].text.isAboutCreation
    else { return }
    let since = lines[last...]
    let link = since.compactMap { KernelWatch.link($0.text) }.last
    if since.contains(where: { $0.text.hasSuffix(": Enabling controller") }) {
      let end = link == .down ? "; the link has gone down since" : ""
      return see("host of \(name)", "has enabled the controller" + end)
    }
    let said = since.last.map { [evidence($0)] } ?? []
    // For a controller that does not report its link, `nvmet_pci_epf` reports the link as up immediately.
    let heard =
      switch link {
      case .up: "the driver reports the link as up, but"
      case .down: "the link has gone down again, and"
      case nil:
        KernelWatch.silence(of: driver?.name ?? "", in: machine.facts.release).map { "\($0), and" }
          ?? "the driver reported no link event, and"
      }
    find(
      .hostAbsent, name, [evidence("\(Self.directory)/\(name)/start")] + said,
      "\(heard) no host has enabled the controller since the function was bound",
      remedy:
        "start the board before the host scans for devices: power the host on, reset it, or on the host: echo 1 > /sys/bus/pci/rescan"
    )
  }
}

extension String {
  /// Whether the message reports the creation of an NVMe controller.
  var isAboutCreation: Bool { contains("New PCI ctrl") || contains("NVMe PCI controller:") }

  /// Whether the message reports the removal of an NVMe controller.
  var isAboutRemoval: Bool { contains("Destroying PCI ctrl") || hasSuffix("Deleting controller") }

  /// The text after the last slash.
  var lastPart: String { split(separator: "/").last.map(String.init) ?? self }
}
