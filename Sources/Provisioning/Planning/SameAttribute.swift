// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

/// Whether two texts of an attribute are equivalent: that of the kernel, and that of a profile, a journal or a plan.
///
/// Blanks at the end (a padded serial number), the line feed, and the NUL that clears a secret do not count. Fabrics options are the same in any order.
func sameAttributeText(_ a: String, _ b: String, at path: String = "") -> Bool {
  if path.lastComponent == "ctrl_opts" { return FabricsOptions.meanSame(a, b) }
  return a.withoutPadding == b.withoutPadding
}

extension String {
  fileprivate var withoutPadding: Substring {
    var text = Substring(self)
    while let last = text.last, last == "\n" || last == " " || last == "\0" { text.removeLast() }
    return text
  }
}

/// `dma_enable` of a function that was bound on a machine without a DMA engine: the driver writes 0 itself.
/// - Source: `pci-epf-nvme.c`, `pci_epf_nvme_bind`.
enum ClearedAtBind {
  /// Whether an attribute that should be on is off because bind found no DMA channels.
  static func explains(
    _ path: FilePath, shown current: String, wanted: String, on machine: Machine
  ) -> Bool {
    guard path.name == "dma_enable",
      Bool(attributeText: wanted) == true, Bool(attributeText: current) == false
    else { return false }
    let function = path.parent.parent
    guard Hazard.isBound(function, machine) else { return false }
    // All functions of a machine find the same channels, so the last message applies to each. If the log is lost or cannot be read, the
    // value is accepted.
    let lines = machine.log.allLines() ?? []
    let last = lines.last {
      $0.text.contains("pci_epf_nvme")
        && ($0.text.contains("DMA supported") || $0.text.isWithoutDMA)
    }
    return last?.text.isWithoutDMA ?? true
  }
}

extension String {
  fileprivate var isWithoutDMA: Bool { contains("DMA not supported") }
}
