// SPDX-License-Identifier: Apache-2.0
internal import Provisioning
internal import LinuxFiles
internal import SystemPackage

/// A PCIe port in endpoint mode as the device tree has it.
/// - Source: `Documentation/devicetree/bindings/pci/pci-ep.yaml`; Devicetree Specification 0.4, 2.3.
struct DeviceTreeEndpoint {
  var path: FilePath
  /// Most specific first.
  var compatible: [String]
  /// `okay` when the node has no status.
  var status: String

  var isEnabled: Bool { status == "okay" || status == "ok" }

  /// The node at a path; nil when it is no endpoint.
  init?(_ path: FilePath, _ files: any SystemFiles) {
    guard let bytes = try? files.bytes(of: path.appending("compatible")) else { return nil }
    compatible = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    guard
      compatible.contains(where: {
        $0.hasSuffix("-ep") || $0.contains("pcie-ep") || $0.contains("pcie_ep")
      })
    else { return nil }
    self.path = path
    let status = (try? files.bytes(of: path.appending("status"))) ?? []
    self.status =
      status.isEmpty ? "okay" : String(decoding: status.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// All endpoints of a machine: below the root and below its buses.
  static func all(_ files: any SystemFiles) -> [DeviceTreeEndpoint] {
    var found: [DeviceTreeEndpoint] = []
    func look(in directory: FilePath, depth: Int) {
      for name in ((try? files.names(in: directory)) ?? []).sorted() {
        let path = directory.appending(name)
        if name.hasPrefix("pcie"), let endpoint = DeviceTreeEndpoint(path, files) {
          found.append(endpoint)
        } else if depth > 0, buses.contains(where: { name.hasPrefix($0) }) {
          look(in: path, depth: depth - 1)
        }
      }
    }
    look(in: root, depth: 3)
    return found
  }

  static let root: FilePath = "/proc/device-tree"
  private static let buses = ["soc", "bus", "axi", "interconnect", "fabric"]

  /// The option that builds the driver of the hardware; nil when it is not known here.
  var option: String? { KnownController.of(compatible)?.option }
}
