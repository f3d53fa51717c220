// SPDX-License-Identifier: Apache-2.0

/// The state of one function in `pci_ep` beyond its attributes.
struct EndpointFunctionState: Codable, Sendable, Hashable {
  /// A place at a controller: its directory and the function's number there.
  struct Place: Codable, Sendable, Hashable {
    var controller: Int
    var number: Int
  }

  var driver: String
  /// The device's number, `<driver>.<number>`.
  var number: Int
  var primary: Place?
  var secondary: Place?
  /// Marked as a virtual function, for the rest of its life.
  var isVirtual = false
  /// The physical function of a virtual function, and its number there.
  var physical: Place?
  /// It was bound as a virtual function once and still points to that controller.
  var hasStaleController = false
  var isBound = false
  var wasBoundBefore = false
  var msixAtBind = 0
  /// Its NVMe controller, if it exists.
  var nvme: FunctionController?
  /// The driver's set-up failed after bind; the link exists nevertheless.
  var failedToInitialize = false
  /// `pci_epf_nvme` after epc_deinit: the next init dereferences NULL.
  var isDeinitialized = false
  /// `pci_epf_nvme` after the controller refused BAR 0: its memory is freed and still pointed to. nil in older saves.
  var hasFreedBAR: Bool?

  var device: String { "\(driver).\(number)" }
  var logPrefix: String { "\(driver) \(device): " }
}
