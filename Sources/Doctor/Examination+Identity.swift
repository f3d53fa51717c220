// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// The contents of configuration space: IDs, class, vectors.
extension Examination {
  /// The vendor ID that the host reads: `nvmet_pci_epf` uses that of the subsystem.
  private func vendor(of function: Function) -> (path: String, value: Int)? {
    var path = "\(function.path)/vendorid"
    if function.driver == .nvmetPCIEPF, let nqn = subsystem(of: function) {
      let own = "nvmet/subsystems/\(nqn)/attr_vendor_id"
      if has(own) { path = own }
    }
    return number(path).map { (path, $0) }
  }

  mutating func examineIdentity(of function: Function) {
    if let vendor = vendor(of: function), let device = number("\(function.path)/deviceid") {
      let isBlank = vendor.value == 0 || vendor.value == 0xffff
      let idEvidence = [evidence(vendor.path), evidence("\(function.path)/deviceid")]
      let remedy =
        "before the function is linked: echo 0x15b7 > \(full(vendor.path)) and your device ID > \(full("\(function.path)/deviceid"))"
      // The values of register 00h with which a host treats the slot as empty.
      if isBlank, device == 0 || device == 0xffff {
        find(
          .idInvisible, function.name, idEvidence,
          "a host treats a slot with these IDs as empty: the device is invisible",
          remedy: remedy)
      } else if isBlank {
        find(
          .vendorUnset, function.name, idEvidence,
          function.driver == .nvmetPCIEPF
            ? "the vendor ID that the host sees is the subsystem's, and it is not set"
            : "the vendor ID is not set", remedy: remedy)
      }
    }
    let names = ["baseclass_code", "subclass_code", "progif_code"]
    let code = names.compactMap { number("\(function.path)/\($0)") }
    if code.count == 3, code != [1, 8, 2] {
      find(
        .classCode, function.name, names.map { evidence("\(function.path)/\($0)") },
        "hosts select the NVMe driver by the class code 010802, which is the drivers' default",
        remedy:
          "before the function is linked: echo 1, 8 and 2 into \(names.joined(separator: ", ")) of \(full(function.path))"
      )
    }
    guard function.driver == .pciEPFNVMe else { return }
    if let own = number("\(function.path)/subsys_vendor_id"), own != 0,
      let vendor = number("\(function.path)/vendorid"), own != vendor
    {
      find(
        .subsystemVendorIgnored, function.name,
        [evidence("\(function.path)/subsys_vendor_id"), evidence("\(function.path)/vendorid")],
        "pci_epf_nvme puts the vendor ID into SSVID of Identify Controller; the subsystem vendor ID appears in configuration space only",
        remedy: "none is needed unless the host's software compares the two")
    }
    if let limit = number("\(function.path)/nvme/mdts_kb"), [1, 2, 4].contains(limit) {
      find(
        .transferLimit, function.name, [evidence("\(function.path)/nvme/mdts_kb")],
        "pci_epf_nvme reports an invalid MDTS for 1, 2 and 4 KiB",
        remedy:
          "echo 128 > \(full("\(function.path)/nvme/mdts_kb")) while the host has the controller disabled"
      )
    }
  }

  // MARK: Vectors

  mutating func examineVectors(of function: Function) {
    guard let vectors = vectors(of: function) else { return }
    let vectorEvidence = [
      evidence("\(function.path)/msix_interrupts"), evidence("\(function.path)/msi_interrupts"),
    ]
    let write =
      "unlink the function, echo 32 > \(full("\(function.path)/msix_interrupts")) and msi_interrupts, link it again"
    switch vectors {
    case 0:
      find(
        .noVectors, function.name, vectorEvidence,
        "without MSI-X and MSI vectors the function uses INTx, which most endpoint controllers cannot raise",
        remedy: write)
    case 1:
      find(
        .tooFewVectors, function.name, vectorEvidence,
        "each queue requires a vector, including the admin queue: the minimum is two", remedy: write
      )
    default:
      examineQueues(of: function, vectors, vectorEvidence)
      lookForFallback(of: function, vectorEvidence)
    }
  }

  private mutating func examineQueues(
    of function: Function, _ vectors: Int, _ vectorEvidence: [Finding.Evidence]
  ) {
    guard function.driver == .nvmetPCIEPF, let nqn = subsystem(of: function) else { return }
    let path = "nvmet/subsystems/\(nqn)/attr_qid_max"
    guard let maximum = number(path), maximum + 1 > vectors else { return }
    find(
      .vectorsBelowQueues, function.name, [evidence(path)] + vectorEvidence,
      "the host may create \(maximum) I/O queues, but there are vectors for \(vectors - 1): with a queue beyond those, the driver writes outside its arrays",
      remedy:
        "with the function unlinked: echo \(vectors - 1) > \(full(path)); or configure \(maximum + 1) vectors"
    )
  }

  /// Vectors were requested, but the driver reported none when it created the controller.
  private mutating func lookForFallback(of function: Function, _ vectorEvidence: [Finding.Evidence])
  {
    guard let log, functions.count(where: { $0.driver == function.driver }) == 1 else { return }
    let prefix = "\(function.driver.name) \(function.driver.name)."
    let lines = log.filter { $0.text.hasPrefix(prefix) }
    guard let created = lines.lastIndex(where: { $0.text.isAboutCreation }) else { return }
    let before = lines[..<created]
    let last = before.lastIndex { $0.text.isAboutCreation || $0.text.isAboutRemoval }
    guard
      !before[(last ?? before.startIndex)...].contains(where: { $0.text.contains(" supports MSI") })
    else { return }
    find(
      .intxFallback, function.name, vectorEvidence + [evidence(lines[created])],
      "the endpoint controller supports none of the interrupt types that the function requests, so the function uses INTx, which most controllers cannot raise",
      remedy:
        "request both types: unlink the function, echo 32 > msix_interrupts and > msi_interrupts, link it again"
    )
  }

  /// All functions of a driver share one header.
  mutating func examineHeaders() {
    let bound = functions.filter { $0.driver == .nvmetPCIEPF && $0.controller != nil }
    for name in ["attr_vendor_id", "attr_subsys_vendor_id"] {
      let paths = bound.compactMap { subsystem(of: $0).map { "nvmet/subsystems/\($0)/\(name)" } }
      guard Set(paths.compactMap { tree.text($0) }).count > 1 else { continue }
      find(
        .headerConflict, name, paths.map { evidence($0) },
        "all functions of nvmet_pci_epf share one PCI header: if it is written late, all have the values of the last function",
        remedy: "set the same \(name) in the subsystems before their functions are linked")
    }
  }
}
