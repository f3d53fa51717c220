// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import LibC

/// A directory that only this process's user can reach, as long as this object lives.
public final class PrivateDirectory: Sendable {
  public let path: String

  public init() throws {
    var template = Array("/tmp/epfnvme-test-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
