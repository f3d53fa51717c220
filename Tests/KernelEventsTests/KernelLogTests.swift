// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KernelEvents

@Suite("The kernel's log")
struct KernelLogTests {
  @Test("a record has a priority, a number and a text; what follows its line names the device")
  func record() throws {
    let record = try #require(
      KernelLogRecord(
        parsing: "6,339,5140900,-;nvmet: adding nsid 1 to subsystem nq\n SUBSYSTEM=x\n DEVICE=y\n"))
    #expect(record.sequence == 339)
    #expect(record.level == 6)
    #expect(record.facility == 0)
    #expect(!record.continues)
    #expect(record.text == "nvmet: adding nsid 1 to subsystem nq")
  }

  @Test("the text may contain what separates the fields")
  func separators() {
    #expect(KernelLogRecord(parsing: "3,1,2,-;a;b,c\n")?.text == "a;b,c")
    #expect(KernelLogRecord(parsing: "3,1,2,-,caller=T1;a\n")?.text == "a")
    #expect(KernelLogRecord(parsing: "3,1,2,-;\n")?.text == "")
  }

  @Test(
    "escaped bytes are decoded",
    arguments: [
      ("a\\x0ab", "a\nb"), ("\\xc3\\xbc", "ü"), ("a\\x5cb", "a\\b"), ("a\\xzz", "a\\xzz"),
      ("a\\x1", "a\\x1"),
    ])
  func escapes(text: String, shown: String) {
    #expect(KernelLogRecord(parsing: "6,1,2,-;\(text)\n")?.text == shown)
  }

  @Test(
    "malformed records are refused",
    arguments: ["", "text", "6,1,2;text", "a,1,2,-;text", "6,b,2,-;text"])
  func noRecord(text: String) {
    #expect(KernelLogRecord(parsing: text) == nil)
  }

  private func window(_ records: [String], capacity: Int = 10) -> KernelLogWindow {
    var window = KernelLogWindow(capacity: capacity)
    for record in records {
      if let record = KernelLogRecord(parsing: record) { window.append(record) }
    }
    return window
  }

  @Test("a window begins at its mark")
  func mark() {
    let window = window(["6,5,0,-;a\n", "4,6,0,-;b\n", "3,7,0,-;c\n"])
    #expect(window.next == 8)
    #expect(
      window.lines(from: 6)
        == [KernelLogLine(level: 4, text: "b"), KernelLogLine(level: 3, text: "c")])
    #expect(window.lines(from: 8).isEmpty)
  }

  @Test("fragments are joined, and what programs wrote is left out")
  func fragments() {
    let window = window(["6,1,0,c;a\n", "30,2,0,-;systemd[1]: hello\n", "6,3,0,+;b\n"])
    #expect(window.lines(from: 0) == [KernelLogLine(level: 6, text: "ab")])
  }

  @Test("a full window drops the older half")
  func capacity() {
    let window = window((0..<9).map { "6,\($0),0,-;\($0)\n" }, capacity: 4)
    #expect(window.next == 9)
    #expect(window.lines(from: 0).map(\.text) == ["6", "7", "8"])
  }

  @Test("the live log has a mark without older records after it, or cannot be read")
  func live() {
    let log = LiveKernelLog()
    if let first = log.mark(), let second = log.mark() {
      #expect(first.sequence <= second.sequence)
      #expect(log.lines(since: KernelLogMark(sequence: .max)).isEmpty)
    } else {
      #expect(log.lines(since: KernelLogMark(sequence: 0)).isEmpty)
    }
  }

  @Test("a record with the last sequence number is kept, and its successor has the same")
  func lastSequence() throws {
    var window = KernelLogWindow(capacity: 4)
    window.append(try #require(KernelLogRecord(parsing: "6,18446744073709551615,1,-;end")))
    #expect(window.next == .max)
    #expect(window.lines(from: .max).map(\.text) == ["end"])
  }
}
