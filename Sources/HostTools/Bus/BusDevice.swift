// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import LinuxFiles
package import NVMe
internal import SystemPackage

/// A PCI function of this machine, through sysfs: configuration space, BAR 0 and, where the nvme driver has it, its commands.
/// - Source: Linux `Documentation/PCI/sysfs-pci.rst`; `include/uapi/linux/nvme_ioctl.h`.
package final class BusDevice: HostView {
  /// `0000:01:00.0`
  package let name: String
  let directory: FilePath
  let machine: HostMachine
  private let space: [UInt8]
  private let commands: (any AdminCommands)?
  private var window: RegisterWindow?

  /// - Parameters:
  ///   - name: domain, bus, device and function, as in `/sys/bus/pci/devices`.
  ///   - machine: where it is.
  ///   - commands: who sends admin commands instead of the driver's node.
  /// - Throws: ``HostViewError`` when there is no such function.
  package init(
    _ name: String, on machine: HostMachine = .live, commands: (any AdminCommands)? = nil
  ) throws(HostViewError) {
    guard Self.isName(name) else {
      throw .failed("\(name) is not the name of a PCI function (domain:bus:device.function)")
    }
    self.name = name
    self.machine = machine
    self.commands = commands
    directory = machine.sysfs.appending("bus/pci/devices").appending(name)
    let path = directory.appending("config")
    do { space = try readBytes(path, limit: 4096) } catch {
      throw .unavailable(
        attempt: "read", path: path.string, errno: error,
        hint: "lspci -d ::0108 lists the NVMe controllers of this machine")
    }
  }

  /// Hexadecimal digits: domain (4 or more), bus (2), device (2), function (1).
  static func isName(_ text: String) -> Bool {
    func isHexadecimal(_ part: Substring, _ counts: ClosedRange<Int>) -> Bool {
      counts.contains(part.count) && part.allSatisfy { $0.isASCII && $0.isHexDigit }
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3 else { return false }
    let last = parts[2].split(separator: ".", omittingEmptySubsequences: false)
    return last.count == 2 && isHexadecimal(parts[0], 4...8) && isHexadecimal(parts[1], 2...2)
      && isHexadecimal(last[0], 2...2) && isHexadecimal(last[1], 1...1)
  }

  package var driver: String? {
    (try? linkText(directory.appending("driver")))?.lastComponent
  }

  /// The driver's name for the controller: `nvme0`.
  package var controllerName: String? {
    (try? directoryNames(directory.appending("nvme")))?.filter { $0.hasPrefix("nvme") }.min()
  }

  package var bar0Size: UInt64? {
    guard let line = try? readFile(directory.appending("resource")).split(separator: "\n").first
    else { return nil }
    // Start, end and flags.
    let numbers = line.split(separator: " ").compactMap { UInt64($0.dropFirst(2), radix: 16) }
    guard numbers.count == 3, numbers[1] > numbers[0] else { return nil }
    return numbers[1] - numbers[0] + 1
  }

  package var ioQueues: Int? {
    guard let controllerName,
      let text = try? readFile(
        directory.appending("nvme").appending(controllerName).appending("queue_count")),
      let count = Int(text.trimmed)
    else { return nil }
    return count - 1
  }

  package func configuration(at offset: Int, count: Int) throws(HostViewError) -> UInt32 {
    guard offset + count <= space.count else {
      throw .unavailable(
        attempt: "read byte \(offset) of", path: directory.appending("config").string,
        errno: .permissionDenied, hint: "reading beyond the first 64 bytes requires root")
    }
    return (0..<count).reduce(0) { $0 | UInt32(space[offset + $1]) << UInt32(8 * $1) }
  }

  package func register(_ register: Register) throws(HostViewError) -> UInt64 {
    let window = try mapped()
    let low = UInt64(window.read(at: register.offset))
    return register.byteCount == 4
      ? low : low | UInt64(window.read(at: register.offset + 4)) << 32
  }

  /// BAR 0 for loads and stores.
  func mapped() throws(HostViewError) -> RegisterWindow {
    if let window { return window }
    let path = directory.appending("resource0")
    do {
      let opened = try RegisterWindow(path)
      window = opened
      return opened
    } catch {
      throw .unavailable(
        attempt: "map", path: path.string, errno: error,
        hint: error == .invalidArgument
          ? "CONFIG_IO_STRICT_DEVMEM reserves the registers for the driver: boot with iomem=relaxed"
          : "access to registers requires root")
    }
  }

  package func identify(
    _ structure: IdentifyStructure, _ namespace: UInt32
  ) throws(HostViewError) -> [UInt8] {
    if let commands { return try commands.identify(structure, namespace) }
    guard let controllerName else {
      throw .failed("\(name) is not bound to an nvme driver, so no commands can be sent")
    }
    return try DriverCommands(node: machine.nodes.appending(controllerName)).identify(
      structure, namespace)
  }
}

/// The sender of admin commands.
package protocol AdminCommands {
  /// The 4096 bytes that Identify returns.
  func identify(_ structure: IdentifyStructure, _ namespace: UInt32) throws(HostViewError)
    -> [UInt8]
}

/// The nvme driver's pass-through.
struct DriverCommands: AdminCommands {
  let node: FilePath

  func identify(
    _ structure: IdentifyStructure, _ namespace: UInt32
  ) throws(HostViewError) -> [UInt8] {
    let descriptor = unsafe open(node.string, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .unavailable(
        attempt: "open", path: node.string, errno: .current, hint: "sending commands requires root")
    }
    defer { _ = close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let result = unsafe bytes.withUnsafeMutableBytes {
      unsafe epfnvme_nvme_identify(
        descriptor, UInt32(structure.rawValue), namespace, $0.baseAddress, UInt32($0.count))
    }
    guard result >= 0 else {
      throw .unavailable(
        attempt: "send \(structure) to", path: node.string, errno: Errno(rawValue: -result),
        hint: "see the kernel log for the reason")
    }
    guard result == 0 else {
      throw .refused(attempt: "\(structure)", Status(rawValue: UInt16(truncatingIfNeeded: result)))
    }
    return bytes
  }
}

/// The registers of a function, mapped.
@safe final class RegisterWindow {
  private let start: UnsafeMutableRawPointer
  private let count: Int

  /// - Throws: the errno of open, fstat or mmap.
  init(_ path: FilePath) throws(Errno) {
    let descriptor = unsafe open(path.string, O_RDWR | O_SYNC | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current }
    defer { _ = close(descriptor) }
    var information = stat()
    guard unsafe fstat(descriptor, &information) == 0 else { throw .current }
    // Registers and the doorbells of some queues.
    count = min(Int(information.st_size), 0x2000)
    guard count >= 0x1000 else { throw .invalidArgument }
    let mapped = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { throw .current }
    unsafe start = mapped
  }

  deinit { _ = unsafe munmap(start, count) }

  /// All ones outside the window, as for an access without a response.
  func read(at offset: Int) -> UInt32 {
    guard offset >= 0, offset & 3 == 0, offset + 4 <= count else { return .max }
    return unsafe UInt32(littleEndian: epfnvme_mmio_read32(start + offset))
  }

  func write(_ value: UInt32, at offset: Int) {
    guard offset >= 0, offset & 3 == 0, offset + 4 <= count else { return }
    unsafe epfnvme_mmio_write32(start + offset, value.littleEndian)
  }
}

/// A file's first bytes.
private func readBytes(_ path: FilePath, limit: Int) throws(Errno) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: limit)
  let count = unsafe bytes.withUnsafeMutableBytes {
    unsafe epfnvme_read_file(path.string, $0.baseAddress, $0.count)
  }
  guard count >= 0 else { throw Errno(rawValue: Int32(-count)) }
  return Array(bytes.prefix(Int(count)))
}
