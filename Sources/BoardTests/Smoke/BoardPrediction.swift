// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// The values that a board will show for a profile, from provisioning the profile on an emulated board.
package struct BoardPrediction: Sendable {
  /// The function driver.
  package var driver: String
  /// The kernel messages from loading the driver to binding.
  package var log: [String]
  /// configfs of the emulated machine.
  package var tree: TreeSnapshot
  /// Attributes that the kernel sets according to its version and the profile does not set.
  package var unknown: Set<String>

  package init(driver: String, log: [String], tree: TreeSnapshot, unknown: Set<String>) {
    self.driver = driver
    self.log = log
    self.tree = tree
    self.unknown = unknown
  }

  /// The PCI header and the vector counts of a function.
  private static let header: Set<String> = [
    "vendorid", "deviceid", "revid", "progif_code", "subclass_code", "baseclass_code",
    "cache_line_size", "subsys_vendor_id", "subsys_id", "interrupt_pin", "msi_interrupts",
    "msix_interrupts",
  ]
  /// The data of Identify Controller and Identify Namespace.
  private static let identity: Set<String> = [
    "attr_model", "attr_serial", "attr_firmware", "attr_version", "attr_ieee_oui",
    "attr_vendor_id", "attr_subsys_vendor_id", "attr_cntlid_min", "attr_cntlid_max",
    "attr_qid_max", "device_uuid", "device_nguid", "ana_grpid", "enable",
  ]

  enum Part { case header, identity }

  /// One value held against the prediction.
  struct Comparison {
    var path: String
    var expected: String
    var actual: String?
    var agrees: Bool { actual?.trimmedRight == expected.trimmedRight }
    var sentence: String { "\(path): \"\(actual ?? "missing")\", predicted \"\(expected)\"" }
  }

  /// The values of a part that both trees have.
  func comparisons(_ part: Part, with tree: TreeSnapshot) -> [Comparison] {
    let names = part == .header ? Self.header : Self.identity
    let root = part == .header ? "pci_ep/functions/" : "nvmet/subsystems/"
    return self.tree.entries.keys.sorted().compactMap { path in
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      guard path.hasPrefix(root), names.contains(name), !unknown.contains(name),
        let expected = self.tree.text(path), tree.entries[path] != nil
      else { return nil }
      return Comparison(path: path, expected: expected, actual: tree.text(path))
    }
  }
}

extension String {
  fileprivate var trimmedRight: Substring {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return text
  }
}
