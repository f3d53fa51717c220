// SPDX-License-Identifier: Apache-2.0
internal import ProfileEmulation
internal import Provisioning

extension TraceFile {
  /// Whether a command prints the trace instead of its other results.
  static func isResult(_ path: String?) -> Bool {
    path.map(DocumentFile.isStandardOutput) ?? false
  }

  /// Writes the trace into a file, or to standard output.
  /// - Throws: ``ProvisioningError`` of kind `cannotCreate`.
  func write(to path: String) throws(ProvisioningError) {
    guard !Self.isResult(path) else { return print(text) }
    try DocumentFile(name: "the trace", path: path, mode: 0o644).overwrite(text + "\n")
  }
}
