// SPDX-License-Identifier: Apache-2.0
internal import CLinux
public import ControllerEmulation
internal import Foundation
internal import Glibc
internal import PCI
internal import Synchronization
public import VFIOUser

/// A controller behind a socket, on a thread of its own, as long as this object lives.
public final class ServedMachine {
  public let socket: String
  private let directory: String
  private let stop: CInt
  private let ended = DispatchSemaphore(value: 0)
  public let events = Events()

  /// What the server told its observer.
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
    func worked() { for diagnosis in function.takeEvents().diagnoses { events.add(diagnosis.row) } }
    var nanosecondsToReport: UInt64? { nil }
  }

  public static func model(_ personality: Personality) -> ControllerModel {
    var model = ControllerModel(personality)
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
    _ personality: Personality,
    _ change: @escaping @Sendable (inout ControllerModel) -> Void = { _ in },
    observer: (@Sendable (NVMeFunction) -> any ServerObserver)? = nil
  ) throws {
    var template = Array("/tmp/epfnvme-test-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
    directory = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    socket = directory + "/socket"
    stop = epfnvme_event_descriptor()
    let (path, stop, ended, events) = (socket, stop, ended, events)
    let ready = DispatchSemaphore(value: 0)
    let thread = Thread {
      var model = Self.model(personality)
      change(&model)
      let memory = HostMemory()
      let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff, tableKeeper: .monitor)
      function.runInRealTime()
      if let listener = try? Listener(path: path) {
        ready.signal()
        Server(function, memory: memory, at: listener).run(
          until: stop, observer: observer?(function) ?? Observer(function, events))
      } else {
        ready.signal()
      }
      ended.signal()
    }
    // What a process of its own has at least.
    thread.stackSize = 8 << 20
    thread.start()
    ready.wait()
  }

  /// Ends the server, and waits for that.
  public func end() {
    var one: UInt64 = 1
    _ = unsafe write(stop, &one, 8)
    ended.wait()
    ended.signal()
  }

  deinit {
    end()
    close(stop)
    _ = unsafe rmdir(directory)
  }
}
