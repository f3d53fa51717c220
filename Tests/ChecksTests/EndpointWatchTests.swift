// SPDX-License-Identifier: Apache-2.0
import BoardTests
import KernelEvents
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

@Suite("Events of a monitor")
struct EndpointWatchTests {
  private let machine = SimulatedMachine()
  private var stream: EventStream { EventStream(log: machine.kernel, clock: machine.kernel) }

  private func set() throws {
    try machine.setUp(ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located())
  }

  @Test("uevents about an endpoint are shown, others are not")
  func subsystems() {
    var watch = EndpointWatch(machine.provisioner)
    let told = [
      "pci_epc", "pci-epf", "block", "nvme", "nvme-subsystem", "module", "pci", "net", "tty", "",
    ]
    .filter { subsystem in
      let event = DeviceEvent(action: "add", subsystem: subsystem, path: "/devices/x/y")
      return !watch.events(of: [.device(event)], at: .zero).isEmpty
    }
    #expect(told == ["pci_epc", "pci-epf", "block", "nvme", "nvme-subsystem", "module", "pci"])
  }

  @Test("log messages about the endpoint and alarms are shown, others are not")
  func lines() {
    var watch = EndpointWatch(machine.provisioner)
    _ = watch.changes(at: .zero)
    let texts = [
      "nvmet: adding nsid 1 to subsystem x", "usb 1-1: new device", "WARNING: CPU: 0 PID: 1 at x",
      "pci_epc a40000000.pcie-ep: holding start",
    ]
    let told = watch.events(of: texts.map { .line(.init(level: 6, text: $0)) }, at: .zero)
    #expect(
      told.map(\.kind)
        == [texts[0], texts[2], texts[3]].map {
          .line(.init(level: 6, text: $0), state: nil)
        })
  }

  @Test("a controller is shown at the start, then when its state changes")
  func controllers() throws {
    var watch = EndpointWatch(machine.provisioner)
    let stream = self.stream
    #expect(
      watch.changes(at: .zero).map(\.kind) == [
        .controller(ControllerState(name: "a40000000.pcie-ep", isStarted: false))
      ])
    #expect(watch.changes(at: .zero).isEmpty)
    try set()
    let told = watch.events(of: stream.next(upTo: .zero), at: .zero)
    #expect(!told.isEmpty)
    let changed = watch.changes(at: .zero)
    #expect(changed.count == 1)
    let state = try #require(watch.controllers.first)
    #expect(state.isStarted == true)
    #expect(state.functions.count == 1)
    #expect(state.ioQueues == 4)
    #expect(state.driverState != nil)
    #expect(watch.changes(at: .zero).isEmpty)
  }

  @Test("monitoring writes nothing to the kernel")
  func quiet() throws {
    try set()
    let effects = machine.kernel.effects
    var watch = EndpointWatch(machine.provisioner)
    _ = watch.changes(at: .zero)
    #expect(watch.controllers.count == 1)
    #expect(machine.kernel.effects == effects)
  }

  @Test("each record of the log is shown once")
  func once() throws {
    let stream = self.stream
    #expect(stream.hasLog)
    #expect(!stream.hasDeviceEvents)
    #expect(stream.next(upTo: .zero).isEmpty)
    let before = machine.kernel.logLines.count
    try set()
    let lines = stream.next(upTo: .zero)
    #expect(lines.count == machine.kernel.logLines.count - before)
    #expect(stream.next(upTo: .zero).isEmpty)
  }

  @Test("the keys of each kind of event are stable, and match the schema")
  func json() throws {
    let schema = try PublishedSchema.output()
    func text(_ kind: MonitorEvent.Kind) -> String {
      let json = MonitorEvent(time: .milliseconds(12_034), kind: kind).json
      #expect(schema.violations(json, as: "monitor") == [])
      return json.compactText
    }
    #expect(
      text(
        .device(
          DeviceEvent(action: "add", subsystem: "block", path: "/devices/virtual/block/nullb0")))
        == #"{"time":12.034000,"event":"device","action":"add","subsystem":"block","name":"nullb0","path":"/devices/virtual/block/nullb0"}"#
    )
    #expect(
      text(.line(.init(level: 6, text: "a \"b\""), state: "link up"))
        == #"{"time":12.034000,"event":"kernel","level":6,"text":"a \"b\"","state":"link up"}"#)
    #expect(
      text(.controller(ControllerState(name: "c", isStarted: nil)))
        == #"{"time":12.034000,"event":"controller","name":"c","started":null,"functions":[],"state":null,"ioQueues":null}"#
    )
    #expect(schema.properties(of: "monitor").subtracting(schema.seen) == [])
  }
}
