// SPDX-License-Identifier: Apache-2.0
import NVMe
import Testing

/// Commands that are decoded from an entry and encoded into one.
@Suite struct RequestTests {
  // NVM Express Base 2.1, 5.2.1
  @Test(
    "Create I/O Completion Queue has its fields in CDW10 and CDW11",
    arguments: [
      (true, true, 0x0005_0003), (true, false, 0x0005_0001), (false, false, 0x0005_0000),
    ] as [(Bool, Bool, UInt32)])
  func completionQueue(isContiguous: Bool, raisesInterrupts: Bool, word: UInt32) {
    let request = CompletionQueueRequest(
      id: 5, size: 63, address: 0x1_2345_6000, isContiguous: isContiguous,
      raisesInterrupts: raisesInterrupts, vector: 5)
    let command = request.command
    #expect(command.adminOpcode == .createIOCompletionQueue)
    #expect(command.cdw10 == 0x003f_0005)
    #expect(command.cdw11 == word)
    #expect(CompletionQueueRequest(command) == request)
  }

  // NVM Express Base 2.1, 5.2.2
  @Test("Create I/O Submission Queue has its fields in CDW10 and CDW11", arguments: [true, false])
  func submissionQueue(isContiguous: Bool) {
    let request = SubmissionQueueRequest(
      id: 0xffff, size: 0xffff, address: 0x7000, isContiguous: isContiguous, completionQueue: 2)
    let command = request.command
    #expect(command.adminOpcode == .createIOSubmissionQueue)
    #expect(command.cdw10 == 0xffff_ffff)
    #expect(command.cdw11 == (isContiguous ? 0x0002_0001 : 0x0002_0000))
    #expect(SubmissionQueueRequest(command) == request)
  }

  // NVM Express Base 2.1, 5.1.12
  @Test("Get Log Page has its fields in CDW10 to CDW14")
  func logPage() {
    let request = LogPageRequest(
      .namespaceAccess, byteCount: 4 << 16 | 4, offset: 0x1_0000_0004, retainsEvent: true,
      parameter: 1, identifier: 7, commandSet: .zoned)
    #expect(request.words == [0x0000_810c, 0x0007_0001, 4, 1, 0x0200_0000])
    let command = SubmissionEntry(
      opcode: AdminOpcode.getLogPage.rawValue, id: 1, words: request.words)
    #expect(LogPageRequest(command) == request)
    #expect(request.hasGroupsOnly)
  }

  // NVM Command Set 1.1, 3.3
  @Test("a command on blocks has its range in CDW10 to CDW12, FUA in bit 30")
  func blocks() {
    var words = SubmissionEntry.words(firstBlock: 0x1_0000_0002, count: 0x1_0000)
    words[2] |= 1 << 30
    let command = SubmissionEntry(opcode: NVMOpcode.write.rawValue, id: 1, words: words)
    #expect(command.firstBlock == 0x1_0000_0002)
    #expect(command.blockCount == 0x1_0000)
    #expect(command.isDurable)
  }

  @Test("an entry keeps its opcode and flags when it gets an identifier")
  func identifier() {
    var command = SubmissionEntry(opcode: 0x7f, id: 0xffff)
    command.dwords[0] |= 0x4000
    command.id = 0x1234
    #expect(command.dwords[0] == 0x1234_407f)
    #expect(command.usesSGL)
  }
}
