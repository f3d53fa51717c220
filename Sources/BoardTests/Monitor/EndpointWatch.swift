// SPDX-License-Identifier: Apache-2.0
package import KernelEvents
package import Provisioning

/// An event of a monitor: a kernel message, a uevent, or the state of a controller.
package struct MonitorEvent: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case device(DeviceEvent)
    /// With the state that the endpoint driver enters by it: `link up`, `enabled`.
    case line(KernelLogLine, state: String?)
    case controller(ControllerState)
  }

  /// When the monitor received it, on the clock of the kernel log.
  package var time: Duration
  package var kind: Kind

  package init(time: Duration, kind: Kind) {
    self.time = time
    self.kind = kind
  }

  /// Seconds and microseconds, as the kernel's log has them.
  package var timeText: String {
    let (seconds, attoseconds) = time.components
    let text = String(max(0, attoseconds) / 1_000_000_000_000)
    return "\(seconds)." + String(repeating: "0", count: max(0, 6 - text.count)) + text
  }

  package var json: JSONValue {
    var members: [JSONValue.Member] = [.init("time", .number(timeText))]
    switch kind {
    case .device(let event):
      members += [
        .init("event", "device"), .init("action", .string(event.action)),
        .init("subsystem", .string(event.subsystem)), .init("name", .string(event.name)),
        .init("path", .string(event.path)),
      ]
    case .line(let line, let state):
      members += [
        .init("event", "kernel"), .init("level", JSONValue(line.level)),
        .init("text", .string(line.text)), .init("state", JSONValue(state)),
      ]
    case .controller(let controller):
      members += [.init("event", "controller")] + controller.members
    }
    return .object(members)
  }
}

/// An endpoint controller, as far as the kernel shows it.
package struct ControllerState: Hashable, Sendable {
  package var name: String
  /// nil without configfs.
  package var isStarted: Bool?
  /// The bound functions.
  package var functions: [String] = []
  /// The last state that the function driver reported since the monitor began: `link up`, `enabled`; nil if it reported none, or if several
  /// controllers have functions.
  package var driverState: String?
  /// I/O queues that the target allows; nil without a function or a local target.
  package var ioQueues: Int?

  package init(name: String, isStarted: Bool?) {
    self.name = name
    self.isStarted = isStarted
  }

  fileprivate var members: [JSONValue.Member] {
    [
      .init("name", .string(name)), .init("started", isStarted.map { .bool($0) } ?? .null),
      .init("functions", .array(functions.map { .string($0) })),
      .init("state", JSONValue(driverState)),
      .init("ioQueues", ioQueues.map { JSONValue($0) } ?? .null),
    ]
  }

  /// `a40000000.pcie-ep started, disk.0: enabled, up to 4 I/O queues`
  package var sentence: String {
    var text = name + " " + (isStarted.map { $0 ? "started" : "stopped" } ?? "without configfs")
    if functions.isEmpty {
      if isStarted != nil { text += ", no function" }
    } else {
      text += ", " + functions.joined(separator: " ")
      if let driverState { text += ": \(driverState)" }
      if let ioQueues { text += ", up to \(ioQueues) I/O queues" }
    }
    return text
  }
}

/// Selects events about the endpoint, and tracks the state of its controllers.
package struct EndpointWatch {
  /// The subsystems whose uevents are shown. `pci` is for the host.
  package static let subsystems: Set = [
    "pci_epc", "pci-epf", "block", "nvme", "nvme-subsystem", "module", "pci",
  ]

  private let provisioner: Provisioner
  private var driverState: String?
  package private(set) var controllers: [ControllerState] = []

  package init(_ provisioner: Provisioner) { self.provisioner = provisioner }

  /// The events to show.
  package mutating func events(of news: [KernelEvent], at time: Duration) -> [MonitorEvent] {
    var found: [MonitorEvent] = []
    for item in news {
      switch item {
      case .device(let event):
        guard Self.subsystems.contains(event.subsystem) else { continue }
        found.append(MonitorEvent(time: time, kind: .device(event)))
      case .line(let line):
        let isOurs = controllers.contains { line.text.contains($0.name) }
        guard isOurs || KernelWatch.isRelevant(line) else { continue }
        let state = KernelWatch.state(line.text)
        if let state { driverState = state }
        found.append(MonitorEvent(time: time, kind: .line(line, state: state)))
      }
    }
    return found
  }

  /// Reads the state of the controllers, without writing anything.
  /// - Returns: the controllers whose state has changed since the last call; all of them at the first call.
  package mutating func changes(at time: Duration) -> [MonitorEvent] {
    // State that cannot be read is treated as unchanged.
    guard let status = try? provisioner.status(withoutWriting: true) else { return [] }
    var states = status.endpoints.map { endpoint in
      var state = ControllerState(name: endpoint.name, isStarted: endpoint.isStarted)
      state.functions = endpoint.functions.map(\.name)
      let nqn = endpoint.functions.first?.nqn
      state.ioQueues = status.subsystems.first { $0.nqn == nqn }?.maximumQueueID
      return state
    }
    // The driver's lines do not name the controller: with several they could be about any.
    if let bound = states.indices.first(where: { !states[$0].functions.isEmpty }),
      states.count(where: { !$0.functions.isEmpty }) == 1
    {
      states[bound].driverState = driverState
    }
    if states.isEmpty {
      states = provisioner.machine.endpointControllers().map {
        ControllerState(name: $0, isStarted: nil)
      }
    }
    let changed = states.filter { !controllers.contains($0) }
    controllers = states
    return changed.map { MonitorEvent(time: time, kind: .controller($0)) }
  }
}
