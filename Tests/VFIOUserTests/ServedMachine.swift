// SPDX-License-Identifier: Apache-2.0
import CLinux
import ControllerEmulation
import Foundation
import Glibc
import HostDriver
import PCI
import Synchronization

@testable import VFIOUser

/// A controller behind a socket, on a thread of its own, as long as this object lives.
final class ServedMachine {
  let socket: String
  private let directory: String
  private let stop: CInt
  private let ended = DispatchSemaphore(value: 0)
  let events = Events()

  /// What the server told its observer.
  final class Events: Sendable {
    private let entries = Mutex<[String]>([])
    func add(_ text: String) { entries.withLock { $0.append(text) } }
    var all: [String] { entries.withLock { $0 } }
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

  static func model(_ personality: Personality) -> ControllerModel {
    var model = ControllerModel(personality)
    model.vendorID = 0x15b7
    model.nqn = "pci_epf_nvme.0.nqn"
    model.namespaces = [
      Namespace(id: 1, backend: .memory(MemoryStore(count: 4 << 20))),
      Namespace(id: 2, backend: .memory(MemoryStore(count: 4 << 20)), blockShift: 12),
    ]
    return model
  }

  init(
    _ personality: Personality,
    _ change: @escaping @Sendable (inout ControllerModel) -> Void = { _ in }
  ) throws {
    directory = "/tmp/epfnvme-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    guard mkdir(directory, 0o700) == 0 else { throw POSIXError(.EIO) }
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
          until: stop, observer: Observer(function, events))
      } else {
        ready.signal()
      }
      ended.signal()
    }
    thread.stackSize = 4 << 20
    thread.start()
    ready.wait()
  }

  /// Ends the server, and waits for that.
  func end() {
    var one: UInt64 = 1
    _ = write(stop, &one, 8)
    ended.wait()
    ended.signal()
  }

  deinit {
    end()
    close(stop)
    rmdir(directory)
  }
}

/// A served function as a host in process sees it.
final class RemoteFunction: Function, HostClock {
  weak var host: (any HostInterface)?
  let client: Client
  private(set) var configuration: ConfigurationSpace
  private var events: [Client.Event] = []
  private let kind: Int
  private(set) var failure: Client.Failure?
  /// Nothing will come any more: waiting takes no time.
  var isHopeless = false

  /// - Parameter kind: by what the host is interrupted: 2 MSI-X, 1 MSI, 0 the line.
  init(_ client: Client, like function: NVMeFunction, kind: Int = 2, vectors: Int) throws {
    self.client = client
    self.kind = kind
    configuration = function.configuration
    events = (0..<vectors).compactMap { _ in Client.Event() }
    // One after the other, as QEMU does.
    for (vector, event) in events.enumerated() {
      try client.setEvents([event], index: kind, start: vector)
    }
  }

  func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
    _ = configuration.write(offset: offset, width: width, value: value)
    let data = (0..<width.rawValue).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    attempt { try client.write(region: 7, offset: UInt64(offset), data) }
  }

  func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    attempt {
      let bytes = try client.read(region: bar, offset: offset, count: buffer.count)
      buffer.copyBytes(from: bytes)
    }
  }

  func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
    attempt { try client.write(region: bar, offset: offset, Array(buffer), isPosted: true) }
  }

  func reset(_ kind: ResetKind) {
    configuration.reset(kind)
    attempt { try client.reset() }
  }

  private func attempt(_ body: () throws -> Void) {
    do { try body() } catch { failure = failure ?? error as? Client.Failure }
  }

  /// Waits; what the server asks meanwhile is answered.
  func wait(milliseconds: UInt64) {
    attempt { try client.waitForServer(milliseconds: isHopeless ? 0 : milliseconds) }
    deliverInterrupts()
  }

  /// Takes the interrupts of all that was asked before: what is answered now comes after them.
  func takeInterrupts() {
    attempt { _ = try client.read(region: 0, offset: 0x1c, count: 4) }
    deliverInterrupts()
  }

  private func deliverInterrupts() {
    for (vector, event) in events.enumerated() {
      for _ in 0..<event.take() {
        if kind == 0 {
          host?.intx(asserted: true)
          attempt { try client.unmaskLine() }
        } else {
          host?.interrupt(vector: vector)
        }
      }
    }
  }
}
