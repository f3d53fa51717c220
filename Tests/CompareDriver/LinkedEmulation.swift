// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI

/// The emulated controller, as if it were behind the endpoint link.
final class LinkedEmulation: Device {
  private let device: EmulatedDevice

  init(_ model: ControllerModel) { device = EmulatedDevice(model, memoryBytes: 16 << 20) }

  var memory: HostMemory { device.memory }
  var patience: (pauses: Int, nanoseconds: UInt64) { device.patience }
  func read(_ offset: Int) -> UInt32 { device.read(offset) }
  func write(_ offset: Int, _ value: UInt32) { device.write(offset, value) }
  func pass(nanoseconds: UInt64) { device.pass(nanoseconds: nanoseconds) }
  func pass(nanoseconds: UInt64, until isDone: () -> Bool) {
    device.pass(nanoseconds: nanoseconds, until: isDone)
  }
  func linkUp() { device.linkUp() }
  func linkDown() { device.linkDown() }

  /// The link tells the board of a function-level reset as of a hot reset (endpoint-link.md, 4).
  func reset() {
    device.linkDown()
    device.linkUp()
  }

  func takeEvents() -> DeviceEvents { device.takeEvents() }
}
