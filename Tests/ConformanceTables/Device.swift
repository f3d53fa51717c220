// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
package import PCI

/// A controller that ``Host`` drives: the emulation, in its virtual time, or a real one.
package protocol Device: AnyObject {
  /// The host's memory.
  var memory: HostMemory { get }
  /// The longest wait of ``Host/reap(_:)`` for a completion: a number of pauses of a number of nanoseconds.
  var patience: (pauses: Int, nanoseconds: UInt64) { get }

  func read(_ offset: Int) -> UInt32
  func write(_ offset: Int, _ value: UInt32)
  func pass(nanoseconds: UInt64)
  /// Lets time pass for an event that ends the wait in real time; virtual time passes whole.
  func pass(nanoseconds: UInt64, until isDone: () -> Bool)
  func linkUp()
  func linkDown()
  /// A function-level reset.
  func reset()
  /// The events since the last call.
  func takeEvents() -> DeviceEvents
}

package struct DeviceEvents {
  /// The driver's kernel messages.
  package var log: [String] = []
  /// Vectors, in the order of the interrupts.
  package var interrupts: [UInt16] = []
  package var diagnoses: [Diagnosis] = []

  package init() {}
}

/// The emulation.
package final class EmulatedDevice: Device {
  package let memory: HostMemory
  package let controller: any EmulatedController

  package init(_ model: ControllerModel, memoryBytes: Int = 8 << 20) {
    memory = HostMemory(count: memoryBytes)
    controller = model.makeController(memory: memory)
  }

  package var patience: (pauses: Int, nanoseconds: UInt64) { (200, 5_000_000) }
  package func read(_ offset: Int) -> UInt32 { controller.readRegister(offset) }
  package func write(_ offset: Int, _ value: UInt32) {
    controller.writeRegister(offset, value, at: controller.now)
  }
  package func pass(nanoseconds: UInt64) {
    controller.advance(to: VirtualTime(nanoseconds: controller.now.nanoseconds + nanoseconds))
  }
  package func pass(nanoseconds: UInt64, until isDone: () -> Bool) {
    pass(nanoseconds: nanoseconds)
  }
  package func linkUp() { controller.linkUp(at: controller.now) }
  package func linkDown() { controller.linkDown(at: controller.now) }
  package func reset() { controller.reset(at: controller.now) }

  package func takeEvents() -> DeviceEvents {
    var events = DeviceEvents()
    controller.takeEffects { effects in
      events.log = effects.log.map(\.text)
      events.interrupts = effects.interrupts
      events.diagnoses = effects.diagnoses
    }
    return events
  }
}
