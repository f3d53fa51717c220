// SPDX-License-Identifier: Apache-2.0
internal import LibC
package import SystemPackage

/// The whole of a small file of procfs or sysfs.
package func readFile(_ path: FilePath) throws(Errno) -> String {
  String(decoding: try readBytes(path), as: UTF8.self)
}

/// The whole of a small file, which need not be text.
/// - Throws: also EFBIG for more than 64 MiB, since no file that is read completely is larger, and `/dev/zero` never ends.
package func readBytes(_ path: FilePath) throws(Errno) -> [UInt8] {
  let file = try Descriptor(opening: path, O_RDONLY)
  return try file.readToEnd()
}

/// The names in a directory, without `.` and `..`.
package func directoryNames(_ path: FilePath) throws(Errno) -> [String] {
  try directoryEntries(path).map(\.name)
}

/// The entries of a directory, without `.` and `..`, each with its type: `DT_DIR`, `DT_LNK` and others.
package func directoryEntries(_ path: FilePath) throws(Errno) -> [(name: String, type: CInt)] {
  guard let stream = unsafe opendir(path.string) else { throw .current }
  defer { unsafe _ = closedir(stream) }
  var entries: [(name: String, type: CInt)] = []
  while let entry = unsafe readdir(stream) {
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
    }
    guard name != ".", name != ".." else { continue }
    entries.append((name, unsafe CInt(entry.pointee.d_type)))
  }
  return entries
}

extension String {
  /// Without the line feed of sysfs.
  package var trimmed: String { last == "\n" ? String(dropLast()) : self }
}

/// The text of a symbolic link's target.
package func linkText(_ path: FilePath) throws(Errno) -> String {
  unsafe try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) {
    (buffer) throws(Errno) -> String in
    guard let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else {
      throw .noMemory
    }
    let count = unsafe readlink(path.string, start, buffer.count)
    guard count >= 0 else { throw .current }
    return unsafe String(decoding: buffer[..<count], as: UTF8.self)
  }
}
