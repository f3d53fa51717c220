// SPDX-License-Identifier: Apache-2.0
import HostTools
import ControllerEmulation
import Foundation
import HostDriver
import NVMe
import PCI
import SystemPackage
import NVMeEmulation

/// A controller that a host has probed, and what sysfs would show of it on the host's machine.
final class FakeBus {
  let function: NVMeFunction
  let view: EmulatedView
  let sysfs: FilePath
  private let root: URL
  private var device: URL { root.appending(path: "bus/pci/devices/\(Self.name)") }

  static let name = "0000:01:00.0"

  init(_ behaviour: Behaviour, without quirk: Quirk? = nil) throws {
    var model = ControllerModel(behaviour)
    if let quirk { model.quirks.remove(quirk) }
    model.vendorID = 0x15b7
    model.subsystemVendorID = 0x15b7
    model.serial = "0123456789abcdef"
    model.modelNumber = "Linux-pci-epf"
    model.firmware = "7.2.13"
    model.nqn = "nqn.2014-08.org.nvmexpress:a"
    model.namespaces = [
      Namespace(
        id: 1, backend: .memory(MemoryStore(count: 1 << 20)), uuid: (1...16).map { UInt8($0) },
        nguid: (17...32).map { UInt8($0) })
    ]
    let memory = HostMemory(count: 16 << 20)
    function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
    function.linkUp()
    let found = try host.probe()
    view = EmulatedView("emulation", function, host, found)

    root = FileManager.default.temporaryDirectory.appending(
      path: "epfnvme-bus-\(UUID().uuidString)")
    sysfs = FilePath(root.path)
    try FileManager.default.createDirectory(
      at: device.appending(path: "nvme/nvme0"), withIntermediateDirectories: true)
    try write(
      (0..<256).map { UInt8(function.configuration.read(offset: $0, width: .byte)) }, to: "config")
    var registers = [UInt8](repeating: 0, count: 0x2000)
    for offset in stride(from: 0, to: 0x1000, by: 4) {
      var value = UInt32(0)
      withUnsafeMutableBytes(of: &value) { function.readBAR(0, offset: UInt64(offset), into: $0) }
      withUnsafeBytes(of: value) { registers.replaceSubrange(offset..<offset + 4, with: $0) }
    }
    try write(registers, to: "resource0")
    let size = function.configuration.bars[0]?.size ?? 0
    let line = "0x00000000fe000000 0x\(String(0xfe00_0000 + size - 1, radix: 16)) 0x140204\n"
    try write(Array(line.utf8), to: "resource")
    try write(Array("\(found.ioQueues + 1)\n".utf8), to: "nvme/nvme0/queue_count")
    try FileManager.default.createSymbolicLink(
      atPath: device.appending(path: "driver").path,
      withDestinationPath: "../../../../bus/pci/drivers/nvme")
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  /// The disk as the machine shows it; Identify is answered by the emulation, edited.
  func disk(_ edit: @escaping Answers.Edit = { _, _ in }) throws -> BusDevice {
    try BusDevice(
      Self.name, on: HostMachine(sysfs: sysfs), commands: Answers(view: view, edit: edit))
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: device.appending(path: name))
  }

  /// Changes one byte of a file.
  func poke(_ name: String, _ offset: Int, _ value: UInt8) throws {
    let url = device.appending(path: name)
    var data = try Data(contentsOf: url)
    data[offset] = value
    try data.write(to: url)
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(at: device.appending(path: name))
  }

  struct Answers: AdminCommands {
    typealias Edit = (IdentifyStructure, inout [UInt8]) -> Void
    let view: EmulatedView
    let edit: Edit

    func identify(
      _ structure: IdentifyStructure, _ namespace: UInt32
    ) throws(HostViewError) -> [UInt8] {
      var bytes = try view.identify(structure, namespace)
      edit(structure, &bytes)
      return bytes
    }
  }
}
