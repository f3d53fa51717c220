// SPDX-License-Identifier: Apache-2.0
public import PCI

/// A controller of any behaviour, as its owner uses it: accesses of the host and link events go in with their times, effects come out.
///
/// ``ControllerModel/makeController(memory:)`` creates one. Each call dispatches once, into code that is specialised for the behaviour.
public protocol EmulatedController: AnyObject {
  var model: ControllerModel { get }
  var now: VirtualTime { get }
  var isLinkUp: Bool { get }
  /// Whether the host has the controller enabled.
  var isEnabled: Bool { get }
  /// Whether some host has asked for Identify Controller.
  var hasBeenIdentified: Bool { get }
  var counters: IOCounters { get }
  /// The number of I/O submission queues that the host has created.
  var liveIOQueues: Int { get }
  /// The doorbells that the host can map, if there are any.
  var mappedDoorbells: MappedAreas? { get }
  /// The level of the interrupt pin; nil if it is pulsed for each interrupt.
  var pinLevel: Bool? { get }

  /// The time of the next internal event; ``VirtualTime/never`` if only the host can cause one.
  var nextDue: VirtualTime { get }
  /// The time of the next event that a host could notice, unless the host acts before: like ``nextDue`` without polls that cannot find
  /// anything.
  ///
  /// A caller that waits for a host in real time may sleep until then. Does not access the host's memory.
  var nextWork: VirtualTime { get }
  /// Advances time: all events that are due until then happen, in order of time.
  func advance(to time: VirtualTime)

  /// The link has come up; register polling starts.
  func linkUp(at time: VirtualTime)
  /// The link has gone down; commands end without completions.
  func linkDown(at time: VirtualTime)
  /// The function is unbound from its endpoint controller, or the endpoint controller is removed: epc_deinit, unbind.
  func remove(at time: VirtualTime)
  /// A conventional or function-level reset: everything as it was at first.
  func reset(at time: VirtualTime)
  /// Replaces the namespaces, and notifies the host of those that were added, removed or changed.
  func update(namespaces: [Namespace], at time: VirtualTime)

  /// The value at an offset of BAR 0, 4 bytes; zero outside registers and doorbells.
  func readRegister(_ offset: Int) -> UInt32
  /// The same for any bytes of BAR 0; bytes that read zero are not written to the buffer.
  func readRegisters(at offset: Int, into buffer: UnsafeMutableRawBufferPointer)
  /// The host writes 4 bytes of BAR 0.
  func writeRegister(_ offset: Int, _ value: UInt32, at time: VirtualTime)

  /// Switches ``Effects/trace`` on or off.
  func trace(_ isOn: Bool)
  /// Returns the collected effects and clears them.
  func takeEffects(_ body: (borrowing Effects) -> Void)
}

extension ControllerModel {
  /// Creates the controller.
  /// - Precondition: queue, vector and transfer limits are positive.
  public func makeController(memory: HostMemory) -> any EmulatedController {
    behaviour.implementation.makeController(self, memory: memory)
  }
}

/// The storage of a controller.
///
/// Each behaviour has a subclass that is not generic, and conforms to ``EmulatedController``: its witnesses are specialised, while a
/// generic class would have one unspecialised method table for all behaviours.
class ControllerBox<B: ControllerBehaviour> {
  final var controller: Controller<B>

  init(_ model: ControllerModel, memory: HostMemory) {
    controller = Controller(model, memory: memory)
  }

  final var model: ControllerModel { controller.model }
  final var now: VirtualTime { controller.now }
  final var isLinkUp: Bool { controller.isLinkUp }
  final var isEnabled: Bool { controller.isEnabled }
  final var hasBeenIdentified: Bool { controller.hasBeenIdentified }
  final var counters: IOCounters { controller.counters }
  final var liveIOQueues: Int { controller.liveIOQueues }
  final var mappedDoorbells: MappedAreas? { controller.doorbellPages?.areas }
  final var pinLevel: Bool? { B.pinLevel(controller) }

  final var nextDue: VirtualTime { controller.nextDue }
  final var nextWork: VirtualTime { controller.nextWork }
  final func advance(to time: VirtualTime) { controller.advance(to: time) }

  final func linkUp(at time: VirtualTime) { controller.linkUp(at: time) }
  final func linkDown(at time: VirtualTime) { controller.linkDown(at: time) }
  final func remove(at time: VirtualTime) { controller.remove(at: time) }
  final func reset(at time: VirtualTime) { controller.reset(at: time) }
  final func update(namespaces: [Namespace], at time: VirtualTime) {
    controller.update(namespaces: namespaces, at: time)
  }

  final func readRegister(_ offset: Int) -> UInt32 { controller.readRegister(offset) }
  final func readRegisters(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    unsafe controller.readRegisters(at: offset, into: buffer)
  }
  final func writeRegister(_ offset: Int, _ value: UInt32, at time: VirtualTime) {
    controller.writeRegister(offset, value, at: time)
  }

  final func trace(_ isOn: Bool) { controller.trace(isOn) }
  final func takeEffects(_ body: (borrowing Effects) -> Void) { controller.takeEffects(body) }
}
