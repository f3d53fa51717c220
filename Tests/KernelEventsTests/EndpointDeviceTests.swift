// SPDX-License-Identifier: Apache-2.0
import Foundation
import KernelEvents
import SystemPackage
import Testing

@Suite("The modules of endpoint controllers")
struct EndpointDeviceTests {
  /// A sysfs with one endpoint controller.
  /// - Parameter links: below its platform device: where a link is and where it leads.
  private func modules(_ links: [String: String]) throws -> [String] {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "epfnvme-epc-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let device = root.appending(path: "class/pci_epc/a40000000.pcie-ep/device")
    try FileManager.default.createDirectory(at: device, withIntermediateDirectories: true)
    for (name, target) in links.sorted(by: { $0.key < $1.key }) {
      try FileManager.default.createSymbolicLink(
        atPath: device.appending(path: name).path, withDestinationPath: target)
    }
    let driver = root.appending(path: "drivers/rockchip-dw-pcie")
    try FileManager.default.createDirectory(at: driver, withIntermediateDirectories: true)
    let module = root.appending(path: "drivers/board-ep")
    try FileManager.default.createDirectory(at: module, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: module.appending(path: "module").path, withDestinationPath: "../../module/board_ep")
    return EndpointDevice.modules(sysfs: FilePath(root.path))
  }

  @Test("the driver's module, as sysfs names it")
  func named() throws {
    #expect(try modules(["driver": "../../../../drivers/board-ep"]) == ["board_ep"])
  }

  @Test("a driver in the kernel image that sysfs does not name, by what it is called")
  func builtIn() throws {
    #expect(try modules(["driver": "../../../../drivers/rockchip-dw-pcie"]) == ["pcie_dw_rockchip"])
  }

  @Test("none of an unknown driver, without a driver, and without the class")
  func none() throws {
    #expect(try modules(["driver": "../../../../drivers/unknown"]) == [])
    #expect(try modules([:]) == [])
    #expect(EndpointDevice.modules(sysfs: "/nonexistent") == [])
  }
}
