// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
internal import PCI

/// The quirks of an endpoint controller's hardware and driver that a host can see of a function.
///
/// A race in the hardware is diagnosed when a host causes it, and not imitated.
struct HardwareQuirks {
  /// The function's extended capabilities.
  let capabilities: [ExtendedCapability]
  /// Whether a message can be written after its window was unmapped.
  let hasUnmapRace: Bool
  /// Whether the driver keeps the first MSI address.
  let cachesAddress: Bool
  private let trainsDuringReset: Bool
  private let controller: String
  /// The MSI address that the driver has mapped.
  private var mapped: UInt64?
  private var told: Set<Quirk> = []
  /// Since they were last taken, each quirk once in the life of the function.
  private var diagnoses: [Diagnosis] = []

  init(_ model: ControllerModel) {
    capabilities =
      model.hasHardware(.addressTranslationBroken)
      ? [.addressTranslation(AddressTranslation())] : []
    hasUnmapRace = model.hasHardware(.interruptWriteAfterUnmap)
    cachesAddress = model.hasHardware(.interruptAddressCached)
    trainsDuringReset = model.hasHardware(.linkTrainingDuringHotReset)
    controller = model.hardware.first ?? ""
  }

  /// MSI-X messages that are sent one after the other: an earlier one may be on its way when its window is unmapped.
  /// - Source: `drivers/pci/controller/dwc/pcie-designware-ep.c`, `dw_pcie_ep_raise_msix_irq`.
  mutating func send(_ vectors: [UInt16]) {
    guard vectors.count > 1 else { return }
    tell(
      .interruptWriteAfterUnmap,
      "vectors \(vectors.prefix(8).map { "\($0)" }.joined(separator: ", ")) follow each other: a message may still be on its way when its window is unmapped, and then reaches another address of the host"
    )
  }

  /// Whether a message is lost: to another MSI address than the first one, when the driver warns and does not send it.
  mutating func loses(_ action: InterruptVectors.Action) -> Bool {
    guard case .message(let vector, let address, _) = action else { return false }
    guard let mapped, mapped != address else {
      mapped = address
      return false
    }
    tell(
      .interruptAddressCached,
      "vector \(vector) is not sent: the window leads to MSI address \(hexadecimal(mapped)), and the host has changed it to \(hexadecimal(address))"
    )
    return true
  }

  /// The host resets the link.
  /// - Source: `drivers/pci/controller/dwc/pcie-dw-rockchip.c`, `rockchip_pcie_ep_sys_irq_thread`.
  mutating func hotReset() {
    guard trainsDuringReset else { return }
    tell(
      .linkTrainingDuringHotReset,
      "the link may train before the registers are written again: the host can find a wrong header or BAR size until the board restarts"
    )
  }

  private mutating func tell(_ quirk: Quirk, _ text: String) {
    guard told.insert(quirk).inserted else { return }
    diagnoses.append(Diagnosis(fault: "\(controller): \(quirk.rawValue)", text: text))
  }

  mutating func takeDiagnoses() -> [Diagnosis] {
    defer { diagnoses = [] }
    return diagnoses
  }
}
