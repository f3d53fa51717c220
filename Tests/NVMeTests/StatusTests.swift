// SPDX-License-Identifier: Apache-2.0
import NVMe
import Testing

/// The status field: its bits and names.
@Suite("Status")
struct StatusTests {
  /// - Source: NVM Express Base 2.1, 4.2.3.
  static let rows: [(Status, UInt16, String)] = [
    (.success, 0x0000, "success"),
    (.invalidField, 0x4002, "Invalid Field in Command (0x4002)"),
    (.invalidField.withMore, 0x6002, "Invalid Field in Command (0x6002)"),
    (.writeProtected.retriable.withMore, 0x2020, "Namespace is Write Protected (0x2020)"),
    (.lbaOutOfRange, 0x4080, "LBA Out of Range (0x4080)"),
    (.invalidQueueID, 0x4101, "Invalid Queue Identifier (0x4101)"),
    (.accessDenied.retriable.withMore, 0x2286, "Access Denied (0x2286)"),
    (.internalPathError, 0x4300, "Internal Path Error (0x4300)"),
    (0x07ff, 0x07ff, "error (0x7ff)"),
  ]

  @Test("number and words", arguments: rows)
  func words(status: Status, number: UInt16, text: String) {
    #expect(status.rawValue == number)
    #expect("\(status)" == text)
  }

  @Test("More and Do Not Retry are not part of the code")
  func flags() {
    let status = Status.invalidLogPage.withMore
    #expect(status.code == 0x109)
    #expect(status.isFinal && status.hasMore && !status.isSuccess)
    #expect(!status.retriable.isFinal)
  }
}
