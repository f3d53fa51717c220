// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import LinuxFiles
internal import NVMe
internal import SystemPackage

extension BusDevice {
  /// Takes the function from its driver, lets its registers be driven, and gives it back.
  ///
  /// The function is no bus master meanwhile: whatever it does, it does not reach this machine's memory.
  /// - Returns: what the driver's return looks like: nil, or why it did not come back.
  /// - Throws: ``HostViewError`` when a disk of it is in use or it cannot be taken from the driver; then nothing has changed.
  public func withRegisters(
    _ body: (any RegisterDrive) -> Void
  ) throws(HostViewError) -> HostViewError? {
    try refuseWhenInUse()
    let former = driver
    if former != nil { try write(name, to: "driver/unbind") }
    do throws(HostViewError) {
      try write("1", to: "enable")
      try setCommand()
      body(LiveRegisters(try mapped()))
    } catch {
      try? write("0", to: "enable")
      _ = giveBack(to: former)
      throw error
    }
    try? write("0", to: "enable")
    return giveBack(to: former)
  }

  private func giveBack(to former: String?) -> HostViewError? {
    guard let former else { return nil }
    do throws(HostViewError) {
      try write(name, to: "subsystem/drivers/\(former)/bind")
      return nil
    } catch { return error }
  }

  /// Whoever uses a disk, or a partition of it, holds it exclusively.
  private func refuseWhenInUse() throws(HostViewError) {
    for node in disks {
      let descriptor = unsafe open(node.string, O_RDONLY | O_EXCL | O_CLOEXEC)
      guard descriptor < 0 else {
        _ = close(descriptor)
        continue
      }
      let error = Errno.current
      // A namespace without a node is nobody's disk.
      guard error != .noSuchFileOrDirectory else { continue }
      throw .unavailable(
        attempt: "take", path: node.string, errno: error,
        hint: error == .resourceBusy
          ? "it is mounted, or part of something that is: unmount it first"
          : "the disk cannot be opened to see whether it is in use")
    }
  }

  /// `nvme0n1` of `nvme0n1` and of `nvme0c1n1`; nil for anything else.
  static func diskName(_ entry: String) -> String? {
    let rest = entry.dropFirst("nvme".count)
    let instance = rest.prefix { $0.isNumber }
    var tail = rest.dropFirst(instance.count)
    if tail.first == "c" { tail = tail.dropFirst().drop { $0.isNumber } }
    guard !instance.isEmpty, tail.first == "n", tail.count > 1,
      tail.dropFirst().allSatisfy(\.isNumber)
    else { return nil }
    return "nvme\(instance)\(tail)"
  }

  /// Memory space on, bus master off.
  private func setCommand() throws(HostViewError) {
    let path = directory.appending("config")
    let descriptor = unsafe open(path.string, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failed("open", path, .current) }
    defer { _ = close(descriptor) }
    var word: UInt16 = 0
    let read = unsafe withUnsafeMutableBytes(of: &word) {
      unsafe pread(descriptor, $0.baseAddress, 2, 4)
    }
    guard read == 2 else { throw Self.failed("read", path, .current) }
    word = (UInt16(littleEndian: word) | 2) & ~4
    word = word.littleEndian
    let written = unsafe withUnsafeBytes(of: &word) {
      unsafe pwrite(descriptor, $0.baseAddress, 2, 4)
    }
    guard written == 2 else { throw Self.failed("write", path, .current) }
  }

  private func write(_ text: String, to file: String) throws(HostViewError) {
    let path = directory.appending(file)
    let descriptor = unsafe open(path.string, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failed("open", path, .current) }
    defer { _ = close(descriptor) }
    let bytes = Array(text.utf8)
    let count = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
    }
    guard count == bytes.count else { throw Self.failed("write \"\(text)\" to", path, .current) }
  }

  private static func failed(_ attempt: String, _ path: FilePath, _ errno: Errno) -> HostViewError {
    .unavailable(
      attempt: attempt, path: path.string, errno: errno,
      hint: "taking a disk from its driver is for root only; the kernel log says more")
  }
}

/// The registers of a function that no driver has, in real time.
private final class LiveRegisters: RegisterDrive {
  private let window: RegisterWindow
  init(_ window: RegisterWindow) { self.window = window }

  func read(_ register: Register) -> UInt32 { window.read(at: register.offset) }
  func write(_ register: Register, _ value: UInt32) { window.write(value, at: register.offset) }
  func pause() { _ = usleep(200) }

  var milliseconds: UInt64 {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
  }
}
