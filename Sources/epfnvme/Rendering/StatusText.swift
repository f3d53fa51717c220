// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import Provisioning

/// The current state as a tree: controller → function → driver → target → namespace → backing.
struct StatusText {
  let status: MachineStatus
  let terminal: Terminal

  private struct Node {
    var text: String
    var children: [Node] = []
  }

  var text: String {
    guard status.isConfigFSMounted else {
      return "configfs is not mounted: nothing can be set up here yet (epfnvme setup mounts it)"
        + (interruptions + [problem].compactMap(\.self)).map { "\n\($0)" }.joined()
    }
    var roots = status.endpoints.map(endpoint)
    let shown = Set(status.endpoints.flatMap(\.functions).compactMap(\.nqn))
    let rest = status.unboundFunctions.map(function)
    if !rest.isEmpty { roots.append(Node(text: "not bound to a controller", children: rest)) }
    let served = shown.union(status.unboundFunctions.compactMap(\.nqn))
    let others = status.subsystems.filter { !served.contains($0.nqn) }
    if !others.isEmpty {
      roots.append(Node(text: "subsystems without a function", children: others.map(subsystem)))
    }
    if roots.isEmpty { roots.append(Node(text: "no PCI endpoint controller")) }
    var lines: [String] = []
    for root in roots {
      lines.append(root.text)
      append(root.children, prefix: "", to: &lines)
    }
    if !status.profiles.isEmpty {
      lines.append(
        terminal.paint("set up by epfnvme: \(status.profiles.joined(separator: ", "))", .dim))
    }
    lines += interruptions
    if let problem { lines.append(problem) }
    return lines.joined(separator: "\n")
  }

  /// Runs that were cut off, with the step that was under way.
  private var interruptions: [String] {
    status.interruptions.map { item in
      terminal.paint(
        clean(
          "the last run of \(item.name) \(item.sentence) (epfnvme teardown \(item.name) removes its objects)"
        ), .yellow)
    }
  }

  /// State that cannot be read is listed, not omitted.
  private var problem: String? {
    status.profilesProblem.map { problem in
      terminal.paint(
        clean("\(problem.message)" + (problem.hint.map { " (\($0))" } ?? "")), .yellow)
    }
  }

  private func append(_ nodes: [Node], prefix: String, to lines: inout [String]) {
    for (index, node) in nodes.enumerated() {
      let isLast = index == nodes.count - 1
      lines.append(prefix + (isLast ? Symbols.lastChild : Symbols.child) + node.text)
      append(node.children, prefix: prefix + (isLast ? "   " : Symbols.passing), to: &lines)
    }
  }

  private func state(_ text: String, isGood: Bool) -> String {
    terminal.paint(text, isGood ? .green : .yellow)
  }

  private func endpoint(_ endpoint: MachineStatus.Endpoint) -> Node {
    var functions = endpoint.functions.map(function)
    if functions.isEmpty { functions = [Node(text: terminal.paint("no function", .dim))] }
    return Node(
      text: terminal.paint(clean(endpoint.name), .bold) + "  "
        + state(endpoint.isStarted ? "started" : "stopped", isGood: endpoint.isStarted),
      children: functions)
  }

  private func function(_ function: MachineStatus.Function) -> Node {
    var facts = [function.driver]
    if let vendor = function.vendorID, let device = function.deviceID {
      facts.append("\(vendor.dropFirst(2)):\(device.dropFirst(2))")
    }
    facts.append("MSI-X \(function.msixVectors ?? 0), MSI \(function.msiVectors ?? 0)")
    if let mdts = function.mdtsKiB { facts.append("MDTS \(mdts) KiB") }
    var text =
      terminal.paint(clean(function.name), .bold) + "  "
      + facts.joined(separator: Symbols.separator)
    if let exists = function.hasController, function.controller != nil {
      text +=
        Symbols.separator
        + state(exists ? "NVMe controller up" : "no NVMe controller", isGood: exists)
    }
    if let connection = function.connection {
      text +=
        Symbols.separator
        + state("\(connection.name) \(connection.state ?? "connected")", isGood: connection.isLive)
    } else if function.controller != nil, function.driver == "pci_epf_nvme" {
      text += Symbols.separator + state("no connection", isGood: false)
    }
    var children: [Node] = []
    if let nqn = function.nqn, !nqn.isEmpty {
      let path = function.path.map { " via \($0)" } ?? ""
      if let subsystem = status.subsystems.first(where: { $0.nqn == nqn }) {
        var node = self.subsystem(subsystem)
        node.text += terminal.paint(path, .dim)
        children.append(node)
      } else {
        children.append(Node(text: clean(nqn) + terminal.paint(path, .dim)))
      }
    } else {
      children.append(Node(text: terminal.paint("no target", .yellow)))
    }
    return Node(text: text, children: children)
  }

  private func subsystem(_ subsystem: MachineStatus.Subsystem) -> Node {
    var facts: [String] = []
    if let model = subsystem.model { facts.append("\"\(clean(model))\"") }
    if let serial = subsystem.serial { facts.append("serial \(clean(serial))") }
    if let limit = subsystem.maximumQueueID { facts.append("up to \(limit) I/O queues") }
    var children = subsystem.namespaces.map(namespace)
    if children.isEmpty { children = [Node(text: terminal.paint("no namespace", .yellow))] }
    return Node(
      text: terminal.paint(clean(subsystem.nqn), .cyan) + "  "
        + facts.joined(separator: Symbols.separator),
      children: children)
  }

  private func namespace(_ space: MachineStatus.Namespace) -> Node {
    var text =
      "namespace \(clean(space.id))  "
      + state(space.isEnabled ? "enabled" : "disabled", isGood: space.isEnabled)
    if let path = space.devicePath { text += "  \(clean(path))" }
    if let backing = space.backing { text += " (\(clean(backing)))" }
    if let size = space.sizeBytes { text += ", \(Self.size(size))" }
    if space.keepsData == false { text += ", " + terminal.paint("stores no data", .yellow) }
    if let access = space.anaState, !space.isAccessible {
      text += ", " + terminal.paint("ANA \(clean(access)): the host gets no usable disk", .yellow)
    }
    return Node(text: text)
  }

  static func size(_ bytes: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = bytes
    var unit = 0
    while value >= 1024, value % 1024 == 0 || value >= 10240, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return "\(value) \(units[unit])"
  }

  private func clean(_ text: String) -> String {
    Terminal.printable(String(text.map { $0.isNewline ? " " : $0 }))
  }
}
