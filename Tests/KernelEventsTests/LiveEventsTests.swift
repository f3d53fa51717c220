// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KernelEvents

@Suite("Waiting")
struct LiveEventsTests {
  @Test("a condition that is true is evaluated once")
  func already() {
    var asked = 0
    let held = LiveEvents().wait(upTo: .seconds(60)) {
      asked += 1
      return true
    }
    #expect(held)
    #expect(asked == 1)
  }

  @Test("without a timeout it is evaluated once, without waiting", arguments: [0, -1])
  func noTime(seconds: Int) {
    var asked = 0
    let held = LiveEvents().wait(upTo: .seconds(seconds)) {
      asked += 1
      return false
    }
    #expect(!held)
    #expect(asked == 1)
  }

  @Test("a condition that becomes true later is detected without an event")
  func later() {
    var asked = 0
    let held = LiveEvents().wait(upTo: .seconds(60)) {
      asked += 1
      return asked == 5
    }
    #expect(held)
    #expect(asked == 5)
  }

  @Test("a timeout is reported after a last evaluation")
  func timeOut() {
    let clock = LiveEvents()
    let start = clock.now
    var asked = 0
    let held = clock.wait(upTo: .milliseconds(5)) {
      asked += 1
      return false
    }
    #expect(!held)
    #expect(asked >= 2)
    #expect(clock.now - start >= .milliseconds(5))
  }

  @Test("an error of the condition ends the wait")
  func failure() {
    struct Failure: Error {}
    #expect(throws: Failure.self) {
      try LiveEvents().wait(upTo: .seconds(60)) { throw Failure() }
    }
  }

  @Test("the intervals double from 1 ms to 100 ms")
  func intervals() {
    var interval = RecheckInterval()
    let values = (0..<9).map { _ in interval.next() }
    #expect(values == [1, 2, 4, 8, 16, 32, 64, 100, 100].map { .milliseconds($0) })
  }
}

@Suite("Device events")
struct DeviceEventTests {
  private func event(_ items: [String]) -> DeviceEvent? {
    DeviceEvent(message: items.flatMap { Array($0.utf8) + [0] })
  }

  @Test("a kernel's message names action, subsystem and path")
  func message() {
    let event = event([
      "add@/devices/platform/a40000000.pcie-ep/pci_epc/a40000000.pcie-ep", "ACTION=add",
      "DEVPATH=/devices/platform/a40000000.pcie-ep/pci_epc/a40000000.pcie-ep",
      "SUBSYSTEM=pci_epc", "SEQNUM=1",
    ])
    #expect(event?.action == "add")
    #expect(event?.subsystem == "pci_epc")
    #expect(event?.name == "a40000000.pcie-ep")
  }

  @Test("the header replaces omitted fields")
  func header() {
    #expect(
      event(["change@/devices/virtual/block/loop0", "SUBSYSTEM=block"])
        == DeviceEvent(
          action: "change", subsystem: "block", path: "/devices/virtual/block/loop0"))
  }

  @Test(
    "other messages are ignored",
    arguments: [[], ["libudev"], ["add@/devices/x"], ["@/devices/x", "SUBSYSTEM=block"]])
  func others(items: [String]) {
    #expect(event(items) == nil)
  }
}

@Suite("The live machine")
struct LiveMachineTests {
  @Test("a machine has a release, a CPU and pages")
  func facts() {
    let facts = KernelFacts.live()
    #expect(facts.release.contains("."))
    #expect(facts.onlineCPUs >= 1)
    #expect(facts.pageSize >= 4096)
    #expect(facts.pageSize.nonzeroBitCount == 1)
  }

  @Test("endpoint controllers are listed by name, none on most machines")
  func controllers() throws {
    let names = try EndpointDevice.all().map(\.name)
    #expect(names == names.sorted())
  }
}
