// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
internal import PCI
internal import Synchronization
public import VFIOUser

/// A controller behind a socket, as long as this object lives.
public final class ServedMachine {
  private let server: RunningServer
  public var socket: String { server.socket }
  public let events = Events()

  /// The events that the server reported to its observer.
  public final class Events: Sendable {
    private let entries = Mutex<[String]>([])
    func add(_ text: String) { entries.withLock { $0.append(text) } }
    public var all: [String] { entries.withLock { $0 } }
  }

  private final class Observer: ServerObserver {
    let function: NVMeFunction
    let events: Events
    init(_ function: NVMeFunction, _ events: Events) {
      self.function = function
      self.events = events
    }
    func clientConnected() {
      events.add("connected")
      function.linkUp()
    }
    func clientLeft(_ reason: String?) {
      function.linkDown()
      events.add(reason.map { "left: \($0)" } ?? "gone")
    }
    func worked() {
      for diagnosis in function.takeEvents().diagnoses { events.add(diagnosis.fault) }
    }
    var nanosecondsToReport: UInt64? { nil }
  }

  public static func model(_ behaviour: Behaviour) -> ControllerModel {
    var model = ControllerModel(behaviour)
    model.vendorID = 0x15b7
    model.nqn = "pci_epf_nvme.0.nqn"
    model.namespaces = [
      Namespace(id: 1, backend: .memory(MemoryStore(count: 4 << 20))),
      Namespace(id: 2, backend: .memory(MemoryStore(count: 4 << 20)), blockShift: 12),
    ]
    return model
  }

  /// - Parameter observer: in place of the one that leaves ``events``.
  public init(
    _ behaviour: Behaviour,
    _ change: @escaping @Sendable (inout ControllerModel) -> Void = { _ in },
    observer: (@Sendable (NVMeFunction) -> any ServerObserver)? = nil
  ) throws {
    server = try RunningServer { [events] memory in
      var model = Self.model(behaviour)
      change(&model)
      let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff, tableKeeper: .monitor)
      function.runInRealTime()
      return (function, observer?(function) ?? Observer(function, events))
    }
  }

  /// Ends the server, and waits for that.
  public func end() { server.end() }
}
