// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// Compares the driver's messages from binding a function with those of its emulation.
package enum BoardLog {
  /// Messages, identified by unique words, and the ids of their cases.
  private static let kinds: [(word: String, id: String, meaning: String)] = [
    ("supports MSI", "interrupt-vectors", "each queue pair requires a separate vector"),
    ("INTX", "interrupt-vectors", "each queue pair requires a separate vector"),
    (
      "New PCI ctrl", "controller-created",
      "the driver created the controller that the profile describes"
    ),
    ("fabrics controller created", "controller-created", "the target is connected"),
    (
      "NVMe PCI controller:", "io-queues",
      "the number of the target's I/O queues that the PCI side provides"
    ),
    ("DMA supported", "dma", "whether the driver uses DMA"),
    ("DMA not supported", "dma", "whether the driver uses DMA"),
    ("DMA disabled", "dma", "whether the driver uses DMA"),
  ]

  /// A case for each line that the emulation's driver has written for a function.
  /// - Parameters:
  ///   - expected: the emulation's lines from loading the driver to binding.
  ///   - lines: the kernel's, oldest first.
  ///   - driver: whose lines count.
  ///   - nqns: the subsystems of the functions, by which each finds its device: the kernel may number it otherwise.
  package static func cases(
    expected: [String], lines: [String], driver: String, nqns: [String]
  ) -> [Check.Case] {
    var cases: [Check.Case] = []
    var devices: [String: String] = [:]
    for nqn in nqns {
      guard let device = FunctionLog(driver: driver, nqn: nqn, in: expected).device else {
        continue
      }
      devices[device] = FunctionLog(driver: driver, nqn: nqn, in: lines).device
    }
    for wanted in expected {
      guard let device = device(of: wanted, driver), let kind = kind(of: wanted) else { continue }
      let id = "log \(device) \(kind.id)"
      let actual = devices[device] ?? device
      let own = lines.filter { Self.device(of: $0, driver) == actual }
        .map { $0.replacing("\(driver) \(actual): ", with: "\(driver) \(device): ") }
      // The last one of its kind: the function may have been bound before.
      let found = own.last { Self.kind(of: $0)?.id == kind.id }
      let outcome: Check.Outcome =
        if own.isEmpty {
          .skipped("the kernel log no longer has messages of \(device)")
        } else if let found,
          found == wanted || kind.id == "interrupt-vectors" && isEnough(found, wanted)
            || kind.id == "dma" && isAutomatic(wanted) && (isAutomatic(found) || isWithoutDMA(own))
        {
          .passed
        } else {
          .failed
        }
      cases.append(
        Check.Case(
          id: id, path: "/dev/kmsg", actual: found, expected: wanted, outcome: outcome,
          meaning: kind.meaning))
    }
    return cases
  }

  /// `nvmet_pci_epf.0` of `nvmet_pci_epf nvmet_pci_epf.0: …`.
  private static func device(of line: String, _ driver: String) -> String? {
    guard line.hasPrefix("\(driver) \(driver).") else { return nil }
    return line.dropFirst(driver.count + 1).split(separator: ":").first.map(String.init)
  }

  private static func kind(of line: String) -> (word: String, id: String, meaning: String)? {
    kinds.first { line.contains($0.word) }
  }

  /// The driver should use DMA if available: a machine without a DMA engine also passes.
  private static func isAutomatic(_ line: String) -> Bool { !line.contains("DMA disabled") }

  /// Whether a binding of the function found no DMA engine. The driver then clears `dma_enable`, so that it reports the next binding of the
  /// same function as "DMA disabled".
  /// - Source: `pci-epf-nvme.c`, `pci_epf_nvme_bind`.
  private static func isWithoutDMA(_ lines: [String]) -> Bool {
    lines.contains { $0.contains("DMA not supported") }
  }

  /// Hardware without MSI-X provides the same number of vectors with MSI.
  private static func isEnough(_ found: String, _ wanted: String) -> Bool {
    func vectors(_ line: String) -> Int? {
      line.split(separator: " ").dropLast().last.flatMap { Int($0) }
    }
    guard let found = vectors(found), let wanted = vectors(wanted) else { return false }
    return found >= wanted
  }
}
