// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

/// System calls beyond those of `ConfigFSBackend`: attributes that stay open, and `lstat(2)`.
extension SimulatedKernel {
  /// `lstat(2)`.
  package func status(of path: FilePath) throws(Errno) -> EntryStatus {
    try look(.list, path.string) { (kernel) throws(Errno) in try kernel.status(of: path.string) }
  }

  /// `open(2)` of an attribute.
  /// - Returns: the lowest free number of a descriptor, counted from 0.
  package func openAttribute(
    _ path: FilePath, reading: Bool, writing: Bool
  ) throws(Errno) -> Int {
    try change(.read, path.string) { (kernel) throws(Errno) in
      try kernel.openAttribute(path.string, reading: reading, writing: writing)
    }
  }

  /// `read(2)` of a page at the descriptor's position.
  package func readOpenAttribute(_ descriptor: Int) throws(Errno) -> [UInt8] {
    try change(.read, "") { (kernel) throws(Errno) in try kernel.readOpenAttribute(descriptor) }
  }

  /// `write(2)`.
  /// - Returns: the number of bytes that the kernel accepted.
  package func writeOpenAttribute(_ text: String, to descriptor: Int) throws(Errno) -> Int {
    try change(.write, "") { (kernel) throws(Errno) in
      try kernel.writeOpenAttribute(text, to: descriptor)
    }
  }

  /// `lseek(2)` to the beginning.
  package func rewindOpenAttribute(_ descriptor: Int) throws(Errno) {
    try change(.read, "") { (kernel) throws(Errno) in try kernel.rewindOpenAttribute(descriptor) }
  }

  /// `close(2)`.
  package func closeAttribute(_ descriptor: Int) throws(Errno) {
    try change(.read, "") { (kernel) throws(Errno) in try kernel.closeAttribute(descriptor) }
  }
}
