// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import LinuxFiles
internal import NVMe
internal import SystemPackage

extension BusDevice {
  /// Unbinds the function from its driver, gives access to its registers, and rebinds it.
  ///
  /// Bus mastering is disabled meanwhile, so the function cannot access this machine's memory.
  /// - Returns: nil if the driver is bound again, otherwise the reason.
  /// - Throws: ``HostViewError`` when a disk of it is in use or it cannot be unbound from the driver; then nothing has changed.
  package func withRegisters(
    _ body: (any RegisterDrive) -> Void
  ) throws(HostViewError) -> HostViewError? {
    try refuseWhenInUse("take")
    let former = try unbind()
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
      try bind(to: former)
      return nil
    } catch { return error }
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

  static func failed(_ attempt: String, _ path: FilePath, _ errno: Errno) -> HostViewError {
    .unavailable(
      attempt: attempt, path: path.string, errno: errno,
      hint: "unbinding a disk requires root; see the kernel log")
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
