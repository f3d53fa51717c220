// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import LinuxFiles
internal import SimulatedKernel
internal import Synchronization
internal import SystemPackage

/// Attributes that stay open, by system calls.
final class LiveDescriptors: AttributeDescriptors {
  /// The descriptors of the process, by the number that calls have for them.
  private let numbers = Mutex<[Int: CInt]>([:])

  deinit {
    // A sequence that shows a difference ends with attributes open.
    for number in numbers.withLock({ $0.values.map(\.self) }) { LibC.close(number) }
  }

  func status(of path: FilePath) throws(Errno) -> EntryStatus {
    var status = stat()
    guard unsafe lstat(path.string, &status) == 0 else { throw .current }
    return EntryStatus(mode: status.st_mode, links: Int(status.st_nlink))
  }

  func linkText(of path: FilePath) throws(Errno) -> String { try LinuxFiles.linkText(path) }

  func openAttribute(_ path: FilePath, reading: Bool, writing: Bool) throws(Errno) -> Int {
    let mode = reading ? writing ? O_RDWR : O_RDONLY : O_WRONLY
    let descriptor = unsafe LibC.open(path.string, mode | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current }
    var status = stat()
    if unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      // As the simulation: directories are not held open here.
      LibC.close(descriptor)
      throw .isDirectory
    }
    return numbers.withLock { numbers in
      let number = (0...).first { numbers[$0] == nil } ?? 0
      numbers[number] = descriptor
      return number
    }
  }

  func readOpenAttribute(_ descriptor: Int) throws(Errno) -> [UInt8] {
    let number = try self.number(descriptor)
    var bytes = [UInt8](repeating: 0, count: 4097)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe LibC.read(number, $0.baseAddress, $0.count)
    }
    guard count >= 0 else { throw .current }
    return Array(bytes.prefix(count))
  }

  func writeOpenAttribute(_ text: String, to descriptor: Int) throws(Errno) -> Int {
    let number = try self.number(descriptor)
    var text = text
    let count = text.withUTF8 { unsafe LibC.write(number, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw .current }
    return count
  }

  func rewindOpenAttribute(_ descriptor: Int) throws(Errno) {
    guard lseek(try number(descriptor), 0, SEEK_SET) == 0 else { throw .current }
  }

  func closeAttribute(_ descriptor: Int) throws(Errno) {
    let number = try self.number(descriptor)
    numbers.withLock { $0[descriptor] = nil }
    guard LibC.close(number) == 0 else { throw .current }
  }

  private func number(_ descriptor: Int) throws(Errno) -> CInt {
    guard let number = numbers.withLock({ $0[descriptor] }) else { throw .badFileDescriptor }
    return number
  }
}
