// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import HostDriver
public import PCI
public import VFIOUser

/// A host in process at a server's socket, with separate memory and the driver of Linux.
public struct ServedGuest {
  /// The server's access to a host's memory.
  public enum Way: CaseIterable, Sendable { case shared, messages, oldMessages, both }

  /// No memory was to be had from the machine.
  public struct NoMemory: Error { public init() {} }

  public let shared: SharedMemory
  public let memory: HostMemory
  public let client: Client
  public let function: RemoteFunction
  public let host: LinuxHost

  public static let memoryCount = 16 << 20

  /// Connects, tells of the memory and of the event counters.
  /// - Parameters:
  ///   - model: like the one that is served: how many vectors there are is taken from it.
  ///   - kind: by what the host is interrupted: 2 MSI-X, 1 MSI, 0 the line.
  public init(
    _ socket: String, _ model: ControllerModel, _ way: Way = .shared, kind: Int = 2
  ) throws {
    guard let shared = SharedMemory(count: Self.memoryCount) else { throw NoMemory() }
    let memory = HostMemory()
    try unsafe memory.add(at: 0, backing: shared.bytes)
    let client = try Client(
      connectingTo: socket, memory: memory, messages: way == .oldMessages ? .narrow : .wide)
    let half = UInt64(Self.memoryCount / 2)
    switch way {
    case .shared: try client.map(shared, at: 0)
    case .messages, .oldMessages: try client.mapRemote(at: 0, count: UInt64(Self.memoryCount))
    case .both:
      // Buffers cross the border.
      try client.map(shared, at: 0, count: 1 << 18)
      try client.mapRemote(at: 1 << 18, count: half - 1 << 18)
      try client.map(shared, at: half, offset: half, count: Self.memoryCount / 2)
    }
    let twin = NVMeFunction(model, memory: HostMemory(), deviceID: 0x5fff, tableKeeper: .monitor)
    function = try RemoteFunction(
      client, like: twin, keeping: shared, kind: kind,
      vectors: kind == 0 ? 1 : kind == 1 ? 8 : 32)
    host = LinuxHost(function, memory: memory, clock: function)
    (self.shared, self.memory, self.client) = (shared, memory, client)
  }

  /// At an in-process machine of ``ServedMachine/model(_:)``.
  public init(
    _ machine: ServedMachine, _ behaviour: Behaviour, _ way: Way = .shared, kind: Int = 2,
    model change: (inout ControllerModel) -> Void = { _ in }
  ) throws {
    var model = ServedMachine.model(behaviour)
    change(&model)
    try self.init(machine.socket, model, way, kind: kind)
  }
}
