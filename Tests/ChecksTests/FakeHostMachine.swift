// SPDX-License-Identifier: Apache-2.0
import HostTools
import Foundation
import Synchronization
import SystemPackage

/// A machine with NVMe controllers on its bus: directories as sysfs, procfs and /dev have them, and what the kernel does when its
/// files are written to.
final class FakeHostMachine: Sendable {
  struct Controller: Sendable {
    var name: String
    var vendor = "0x15b7"
    var device = "0x5fff"
    var classCode = "0x010802"
    /// Which driver has it: the nvme driver's number is that of its controller.
    var driver: String?
    var number = 0
  }

  let root: FilePath
  /// The writes so far, each with its path below the root.
  private let written = Mutex<[String]>([])
  /// The controllers that the next scan of the bus finds.
  private let hidden: Mutex<[Controller]>
  /// The functions that the nvme driver refuses.
  let refused: Set<String>

  init(_ controllers: [Controller], hidden: [Controller] = [], refusing refused: Set<String> = [])
    throws
  {
    root = FilePath(
      FileManager.default.temporaryDirectory.appending(path: "epfnvme-host-\(UUID().uuidString)")
        .path)
    self.hidden = Mutex(hidden)
    self.refused = refused
    for directory in ["sys/bus/pci/devices", "sys/bus/pci/drivers/nvme", "sys/class/nvme", "dev"] {
      try make(directory)
    }
    for file in ["sys/bus/pci/rescan", "proc/self/mountinfo", "proc/swaps"] {
      try write("", to: file)
    }
    for controller in controllers { try plug(controller) }
  }

  deinit { try? FileManager.default.removeItem(atPath: root.string) }

  var writes: [String] { written.withLock { $0 } }

  var machine: HostMachine {
    HostMachine(
      sysfs: root.appending("sys"), nodes: root.appending("dev"), procfs: root.appending("proc")
    ) { [self] (text, path) throws(Errno) in
      let file = String(path.string.dropFirst(root.string.count + 1))
      written.withLock { $0.append("\(text) > \(file)") }
      do { try take(text, file) } catch { throw error as? Errno ?? .ioError }
    }
  }

  var bus: HostBus { HostBus(machine) }

  /// The kernel's reaction to a write.
  private func take(_ text: String, _ file: String) throws {
    let parts = file.split(separator: "/").map(String.init)
    switch parts.last {
    case "rescan":
      guard exists(file) else { throw Errno.noSuchFileOrDirectory }
      let found = hidden.withLock { controllers in
        defer { controllers = [] }
        return controllers
      }
      for controller in found { try plug(controller) }
    case "remove":
      try unbind(parts[4])
      try FileManager.default.removeItem(atPath: at("sys/bus/pci/devices/\(parts[4])"))
    case "unbind":
      guard exists("sys/bus/pci/devices/\(text)/driver") else {
        throw Errno.operationNotSupportedByDevice
      }
      try unbind(text)
    case "bind":
      if parts[4] == "nvme", refused.contains(text) { throw Errno.operationNotSupportedByDevice }
      try bind(text, to: parts[4])
    default: throw Errno.permissionDenied
    }
  }

  func plug(_ controller: Controller) throws {
    let directory = "sys/bus/pci/devices/\(controller.name)"
    try make(directory)
    for (name, text) in [
      ("class", controller.classCode), ("vendor", controller.vendor), ("device", controller.device),
    ] { try write(text + "\n", to: "\(directory)/\(name)") }
    var configuration = [UInt8](repeating: 0, count: 64)
    for (offset, text) in [(0, controller.vendor), (2, controller.device)] {
      let number = UInt16(text.dropFirst(2), radix: 16) ?? 0
      configuration[offset] = UInt8(truncatingIfNeeded: number)
      configuration[offset + 1] = UInt8(truncatingIfNeeded: number >> 8)
    }
    // Memory decoding and bus mastering.
    configuration[4] = 6
    try Data(configuration).write(to: URL(fileURLWithPath: at("\(directory)/config")))
    try write("\(controller.number)", to: "\(directory)/.number")
    if let driver = controller.driver {
      try make("sys/bus/pci/drivers/\(driver)")
      try bind(controller.name, to: driver)
    }
  }

  private func bind(_ name: String, to driver: String) throws {
    let directory = "sys/bus/pci/devices/\(name)"
    try link("\(directory)/driver", to: "../../../../bus/pci/drivers/\(driver)")
    guard driver == "nvme" else { return }
    let number = try String(contentsOfFile: at("\(directory)/.number"), encoding: .utf8)
    let controller = "\(directory)/nvme/nvme\(number)"
    try make("\(controller)/nvme\(number)n1")
    for (file, text) in [
      ("state", "live"), ("serial", "serial-\(number)"), ("model", "Linux"), ("queue_count", "5"),
      ("subsysnqn", "nqn.2026-01.org.example:\(number)"), ("cntlid", "1"),
    ] { try write(text + "\n", to: "\(controller)/\(file)") }
    try link("sys/class/nvme/nvme\(number)/device", to: "../../../bus/pci/devices/\(name)")
    let block = "sys/class/block/nvme\(number)n1"
    try make("\(block)/holders")
    try make("\(block)/nvme\(number)n1p1/holders")
    try write("259:\(number)\n", to: "\(block)/dev")
    try write("259:1\(number)\n", to: "\(block)/nvme\(number)n1p1/dev")
    try write("1\n", to: "\(block)/nvme\(number)n1p1/partition")
    try write("2048\n", to: "\(block)/size")
    for node in ["nvme\(number)", "nvme\(number)n1"] { try write("", to: "dev/\(node)") }
  }

  private func unbind(_ name: String) throws {
    let directory = "sys/bus/pci/devices/\(name)"
    for file in ["driver", "nvme"] {
      try? FileManager.default.removeItem(atPath: at("\(directory)/\(file)"))
    }
  }

  /// The nvme driver is not in the kernel.
  func removeDriver() throws {
    try FileManager.default.removeItem(atPath: at("sys/bus/pci/drivers/nvme"))
  }

  // MARK: Files

  func at(_ path: String) -> String { root.string + "/" + path }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: at(path)) }

  /// Removes a file, a link or a directory.
  func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: at(path)) }

  func make(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: at(path), withIntermediateDirectories: true)
  }

  func write(_ text: String, to path: String) throws {
    let url = URL(fileURLWithPath: at(path))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  func overwrite(_ bytes: [UInt8], of path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: at(path)))
  }

  func link(_ path: String, to target: String) throws {
    let url = URL(fileURLWithPath: at(path))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? FileManager.default.removeItem(at: url)
    try FileManager.default.createSymbolicLink(atPath: url.path, withDestinationPath: target)
  }
}
