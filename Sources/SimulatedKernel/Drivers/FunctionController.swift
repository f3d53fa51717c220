// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation

/// The controller behind a bound function: the values that the driver computes at creation.
public struct FunctionController: Codable, Sendable, Hashable {
  public enum Interrupts: String, Codable, Sendable, Hashable { case msix, msi, intx }

  /// The NVMe qualified name of the subsystem behind it.
  public var subsystem: String
  /// Without the admin queue.
  public var ioQueues: Int
  public var interrupts: Interrupts
  public var vectors: Int
  /// Bytes.
  public var maximumTransfer: Int
  /// Bytes, as the BAR allocator rounds it.
  public var bar0Size: UInt64
  /// Whether the driver has written header, BAR and interrupts to the endpoint controller.
  public var isInitialized = false
  public var isLinkUp = false
  public var isEnabled = false
  /// The controller id that nvmet assigned, if the driver has a separate controller.
  public var controllerID: Int?
  /// The connection to the target behind `pci_epf_nvme`.
  var fabrics: FabricsController?

  init(
    subsystem: String, ioQueues: Int, _ setup: DriverSetup, maximumTransfer: Int, bar0Size: UInt64,
    controllerID: Int? = nil
  ) {
    self.subsystem = subsystem
    self.ioQueues = ioQueues
    (interrupts, vectors) =
      switch setup.interrupts {
      case .msix(let count): (.msix, count)
      case .msi(let count): (.msi, count)
      case .intx: (.intx, 1)
      }
    self.maximumTransfer = maximumTransfer
    self.bar0Size = bar0Size
    self.controllerID = controllerID
  }
}
