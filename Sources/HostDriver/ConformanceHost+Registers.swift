// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
internal import PCI

/// The function, the registers, and the ways in and out of operation.
extension ConformanceHost {
  func examineFunction() {
    let space = function.configuration
    let classCode = space.read(offset: 0x08, width: .doubleword) >> 8
    require(
      "pci-class", "PCIe 3.1.1", "the class code is 010802h", classCode == 0x01_0802,
      hexadecimal(classCode))
    let bar = space.read(offset: 0x10, width: .doubleword)
    require(
      "pci-bar0", "PCIe 3.1.1", "BAR 0 is memory with 64-bit addresses", bar & 7 == 4,
      hexadecimal(bar))
    var ids: Set<UInt8> = []
    var offset = Int(space.read(offset: 0x34, width: .byte))
    // A list that leads back to itself has no end.
    for _ in 0..<48 where offset != 0 {
      ids.insert(UInt8(truncatingIfNeeded: space.read(offset: offset, width: .byte)))
      offset = Int(space.read(offset: offset + 1, width: .byte))
    }
    require(
      "pci-capabilities", "PCI 6.7", "the list of capabilities ends", offset == 0, "it does not")
    require(
      "pci-power", "PCIe 3.2.1", "there is a power management capability", ids.contains(0x01),
      "none")
    require(
      "pci-interrupts", "PCIe 3.2", "there is MSI or MSI-X, if more than one vector is needed",
      ids.contains(0x05) || ids.contains(0x11) || space.read(offset: 0x3d, width: .byte) != 0,
      "no way to interrupt")
    require(
      "pci-express", "PCIe 3.2.4", "there is a PCI Express capability", ids.contains(0x10), "none")
  }

  func examineRegisters() {
    let entries = capabilities[.maximumQueueEntries]
    require("cap-mqes", "Base 3.1.4.1", "CAP.MQES is at least 1", entries >= 1, "\(entries)")
    require(
      "cap-pages", "Base 3.1.4.1", "CAP.MPSMIN is not above CAP.MPSMAX",
      capabilities[.minimumPageSize] <= capabilities[.maximumPageSize],
      "\(capabilities[.minimumPageSize]) above \(capabilities[.maximumPageSize])")
    require(
      "cap-css", "Base 3.1.4.1", "CAP.CSS has a bit set", capabilities.commandSets != 0, "none")
    let version = read(.version)
    require(
      "vs", "Base 3.1.4.2", "VS is a version that exists",
      (0x01_0000...0x02_0300).contains(version) && version & 0xff <= 1 && version >> 8 & 0xff <= 4,
      hexadecimal(version))
    require(
      "cc-reset", "Base 3.1.4.5", "CC.EN is 0 after a reset", read(.configuration) & 1 == 0,
      hexadecimal(read(.configuration)))
    require(
      "csts-reset", "Base 3.1.4.6", "CSTS is 0 after a reset", read(.status) == 0,
      hexadecimal(read(.status)))
    let places: [(String, String, Int)] = [
      ("cap", "Base 3.1.4.1", 0x00), ("cap-high", "Base 3.1.4.1", 0x04),
      ("vs", "Base 3.1.4.2", 0x08), ("csts", "Base 3.1.4.6", 0x1c),
    ]
    for (name, source, offset) in places {
      let before = read(at: offset)
      write(at: offset, ~before & ~0x10)
      let after = read(at: offset)
      // If it was accepted, restore it, so that the other rules can be checked.
      if after != before { write(at: offset, before) }
      require(
        "\(name)-read-only", source, "a write does not change it", after == before,
        "\(hexadecimal(before)) became \(hexadecimal(after))")
    }
  }

  func examineEnable() throws(HostError) {
    let isEarly = enable(configuration & ~0x00ff_0000)
    require(
      "enable-without-entry-sizes", "Base 3.5.1",
      "RDY is set although CC.IOSQES and CC.IOCQES are 0: they are needed for I/O queues only",
      isEarly, "CSTS=\(hexadecimal(read(.status)))")
    let isGone = disable()
    require(
      "disable", "Base 3.7.2", "RDY is cleared within CAP.TO after EN is cleared", isGone,
      "CSTS=\(hexadecimal(read(.status)))")
    // A controller that polls CC and is not ready shows RDY = 0 before it has detected the change.
    clock.wait(milliseconds: 100)
    examineEntrySizes()
    let isReady = enable(configuration)
    require(
      "enable", "Base 3.5.1", "RDY is set within CAP.TO after EN is set", isReady,
      "CSTS=\(hexadecimal(read(.status)))")
    guard isReady else { throw HostError(step: "CC.EN", message: "the controller is not ready") }
  }

  /// Entries of 128 bytes, which Identify Controller does not offer. The entries of the admin queue always have 64.
  private func examineEntrySizes() {
    let isReady = enable(configuration & ~0x00ff_0000 | 0x0047_0000)
    let end = isReady ? run(admin(.identify, prp1: page(), words: [1])) : nil
    require(
      "enable-large-entry-sizes", "Base 3.1.4.5",
      "with an I/O entry size that the controller does not have, RDY stays 0 or admin commands work",
      !isReady || end?.status.isSuccess == true, end.map { "\($0.status)" } ?? "no completion")
    _ = disable()
    clock.wait(milliseconds: 100)
  }

  /// A controller reset under way of everything, from the host's side.
  func examineReset() throws(HostError) {
    let before = (
      read(.adminQueueAttributes), read64(.adminSubmissionQueue), read64(.adminCompletionQueue)
    )
    let isGone = disable()
    require(
      "reset-ready", "Base 3.7.2", "RDY is cleared with commands outstanding", isGone,
      "CSTS=\(hexadecimal(read(.status)))")
    let after = (
      read(.adminQueueAttributes), read64(.adminSubmissionQueue), read64(.adminCompletionQueue)
    )
    require(
      "reset-admin-queue", "Base 3.7.2", "AQA, ASQ and ACQ survive a controller reset",
      before == after, "\(after)")
    guard enable(configuration) else {
      return require(
        "reset-enable", "Base 3.7.2", "the controller can be enabled again", false,
        "CSTS=\(hexadecimal(read(.status)))")
    }
    require(
      "reset-queues", "Base 3.7.2", "a controller reset deletes the I/O queues",
      admin(.deleteIOSubmissionQueue, words: [1]), ends: .invalidQueueID)
  }

  func examineShutdown() throws(HostError) {
    for (name, bits) in [("abrupt", UInt32(0x8000)), ("normal", UInt32(0x4000))] {
      write(.configuration, read(.configuration) & ~0xc000 | bits)
      for _ in 0..<5000 where read(.status) & 0xc != 8 { clock.wait(milliseconds: 1) }
      let status = read(.status)
      require(
        "shutdown-\(name)", "Base 3.6.1", "CSTS.SHST becomes 10b", status & 0xc == 8,
        "CSTS=\(hexadecimal(status))")
      require(
        "shutdown-\(name)-ready", "Base 3.6.1",
        "a shutdown does not clear RDY: only the host clears EN", status & 1 == 1,
        "CSTS=\(hexadecimal(status))")
      require(
        "shutdown-\(name)-cc", "Base 3.6.1", "only the host changes CC",
        read(.configuration) & 0xc001 == bits | 1,
        "CC=\(hexadecimal(read(.configuration)))")
      _ = disable()
      guard enable(configuration) else {
        throw HostError(
          step: "after \(name == "abrupt" ? "an" : "a") \(name) shutdown",
          message: "the controller is not ready")
      }
      require(
        "shutdown-\(name)-cleared", "Base 3.1.4.6", "CSTS.SHST is 00b after the next enable",
        read(.status) & 0xc == 0, "CSTS=\(hexadecimal(read(.status)))")
    }
    _ = disable()
  }
}
