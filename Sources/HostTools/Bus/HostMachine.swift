// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import LinuxFiles
package import SystemPackage

/// The machine that has disks on its PCI bus: where its kernel shows them, and how it is written to.
package struct HostMachine: Sendable {
  /// Where sysfs is mounted.
  package var sysfs: FilePath
  /// Where the device nodes are.
  package var nodes: FilePath
  /// Where procfs is mounted.
  package var procfs: FilePath
  /// Writes a text to a file of sysfs with one `write(2)`.
  package var write: @Sendable (_ text: String, _ path: FilePath) throws(Errno) -> Void

  package init(
    sysfs: FilePath = "/sys", nodes: FilePath = "/dev", procfs: FilePath = "/proc",
    write: @escaping @Sendable (String, FilePath) throws(Errno) -> Void = HostMachine.writeAtOnce
  ) {
    self.sysfs = sysfs
    self.nodes = nodes
    self.procfs = procfs
    self.write = write
  }

  package static let live = HostMachine()

  /// Writes a text to an existing file with one `write(2)`, as sysfs requires.
  @Sendable package static func writeAtOnce(_ text: String, _ path: FilePath) throws(Errno) {
    let descriptor = try Descriptor(opening: path, O_WRONLY)
    let bytes = Array(text.utf8)
    let count = unsafe bytes.withUnsafeBytes {
      unsafe LibC.write(descriptor.number, $0.baseAddress, $0.count)
    }
    if count < 0 { throw .current }
    if count < bytes.count { throw .ioError }
  }
}
