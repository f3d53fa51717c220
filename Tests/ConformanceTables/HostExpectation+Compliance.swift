// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation
internal import Numbers

extension HostExpectation {
  /// The checks of SPDK's compliance test, in its order: admin commands with good and bad fields.
  package static let compliance: [HostExpectation] = [
    HostExpectation("identify controller: an SGL is refused on the admin queue", "0x4002") { host in
      text(host.status(of: .init(opcode: 6, flags: 0x40, prp1: host.page(), words: [1])))
    },
    HostExpectation(
      "identify controller: a fused command is refused", "0x4002",
      pciEPFNVMe: .rule("pci_epf_nvme.md, 11: FUSE is not looked at", "0x0"),
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 14: with MORE", "0x6002")
    ) { host in text(host.status(of: .init(opcode: 6, flags: 1, prp1: host.page(), words: [1]))) },
    HostExpectation(
      "identify namespace: NSID 0 and FFFFFFFFh are refused, one that is not active is all zero",
      "0x400b 0x400b 0x0 zero",
      nvmetPCIEPF: .rule(
        "nvmet_pci_epf.md, 15: NSID 0 is not there, and zero", "0x0 0x600b 0x0 zero")
    ) { host in
      let (status, bytes) = host.identify(0, namespace: 5)
      let refused = [host.identify(0, namespace: 0).0, host.identify(0, namespace: .max).0]
      return text(refused + [status]) + (bytes.allSatisfy { $0 == 0 } ? " zero" : " data")
    },
    HostExpectation(
      "get features: all that are mandatory can be read", "none refused",
      pciEPFNVMe: .rule(
        "pci_epf_nvme.md, 11.6: nvmet of 6.12 refuses them", "0x1 0x2 0x4 0x5 0x8 0x9 0xa"),
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 16: nvmet refuses them", "0x2 0x4 0x5 0xa")
    ) { host in
      let mandatory: [UInt32] = [0x01, 0x02, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b]
      let refused = mandatory.filter { host.status(of: .init(opcode: 0xa, words: [$0, 0])) != 0 }
      return refused.isEmpty
        ? "none refused" : refused.map { hexadecimal($0) }.joined(separator: " ")
    },
    HostExpectation("get features: one that is not there is an invalid field", "yes") { host in
      [0x0c, 0x0d, 0x10, 0x11, 0x12, 0x13].allSatisfy {
        (host.status(of: .init(opcode: 0xa, words: [$0])) ?? 0) & 0x7ff == 2
      } ? "yes" : "no"
    },
    HostExpectation(
      "set features, number of queues: FFFFh is refused, less is granted", "0x4002 0x0"
    ) {
      host in
      text([
        host.status(of: .init(opcode: 9, words: [7, 0xffff_ffff])),
        host.status(of: .init(opcode: 9, words: [7, 0x0003_0003])),
      ])
    },
    HostExpectation("get log page: error, SMART and firmware logs are there", "0x0 0x0 0x0") {
      host in
      text(
        [(1, 0x0f), (2, 0x7f), (3, 0x7f)].map { (page: UInt32, count: UInt32) in
          host.status(
            of: .init(
              opcode: 2, namespace: .max, prp1: host.page(), words: [count << 16 | page, 0]))
        })
    },
    HostExpectation(
      "get log page: an offset moves the beginning, one beyond the page is refused",
      "moved 0x4002",
      pciEPFNVMe: .rule("pci_epf_nvme.md, 11.5: the target ignores it", "same 0x0"),
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 17: the target ignores it", "same 0x0")
    ) { host in
      func read(_ offset: UInt32) -> (UInt16?, [UInt8]) {
        let page = host.page()
        // Commands Supported and Effects: 4096 bytes.
        let status = host.status(
          of: .init(opcode: 2, prp1: page, words: [0x03ff_0005, 0, offset, 0]))
        return (status, host.bytes(at: page, 4096))
      }
      let whole = read(0).1
      let part = read(1024).1
      let isMoved = part.prefix(3072) == whole.dropFirst(1024) && part != whole
      return (isMoved ? "moved " : part == whole ? "same " : "other ") + text(read(8192).0)
    },
    HostExpectation(
      "fabrics property get: no command of a PCI controller", "0x4001",
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 14: refused as a field, with MORE", "0x6002")
    ) { host in text(host.status(of: .init(opcode: 0x7f, words: [0, 0]))) },
    HostExpectation("delete SQ: not the admin queue", "0x4101") { host in
      text(host.status(of: .init(opcode: 0, words: [0])))
    },
    HostExpectation("delete SQ: only once", "0x0 0x4101") { host in
      guard host.makeQueues() else { return "no queues" }
      return text([
        host.status(of: .init(opcode: 0, words: [1])),
        host.status(of: .init(opcode: 0, words: [1])),
      ])
    },
    HostExpectation("delete CQ: not the admin queue", "0x4101") { host in
      text(host.status(of: .init(opcode: 4, words: [0])))
    },
    HostExpectation(
      "delete CQ: not before its submission queue", "0x410c 0x0 0x0",
      pciEPFNVMe: .quirk(.completionQueueDeletedInUse, "0x0 0x0 0x4101"),
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 13: with another status", "0x4101 0x0 0x0")
    ) { host in
      guard host.makeQueues() else { return "no queues" }
      return text([
        host.status(of: .init(opcode: 4, words: [1])),
        host.status(of: .init(opcode: 0, words: [1])),
        host.status(of: .init(opcode: 4, words: [1])),
      ])
    },
    HostExpectation(
      "create CQ: the vector is there", "0x4108", nvmetPCIEPF: .quirk(.vectorNotChecked, "0x0")
    ) { host in text(host.createCompletionQueue(1, vector: 8)) },
    HostExpectation(
      "create SQ: size and completion queue are checked", "0x4102 0x4102 0x4100",
      nvmetPCIEPF: .rule(
        "nvmet_pci_epf.md, 13: another status for the queue", "0x4102 0x4102 0x4101")
    ) { host in
      guard host.createCompletionQueue(1) == 0 else { return "no queue" }
      return text([
        host.createSubmissionQueue(1, on: 1, depth: 1),
        host.createSubmissionQueue(1, on: 1, depth: 1025),
        host.createSubmissionQueue(1, on: 3),
      ])
    },
    HostExpectation(
      "create CQ and SQ: physically contiguous", "0x4002 0x4002",
      pciEPFNVMe: .quirk(.noncontiguousQueueIsInvalidQueue, "0x410c 0x410c"),
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 13: with another status", "0x410c 0x410c")
    ) { host in
      let queue = host.createCompletionQueue(2, flags: 2)
      guard host.createCompletionQueue(1) == 0 else { return "no queue" }
      return text([queue, host.createSubmissionQueue(1, on: 1, flags: 0)])
    },
    HostExpectation(
      "create I/O queues: as many as were granted, and not one more", "4 granted, 4 made, 0x4101"
    ) { host in
      let result = host.run(.init(opcode: 9, words: [7, 0x003f_003f]))?.result ?? 0
      let granted = Int(result & 0xffff) + 1
      let made = (1...granted).filter { host.makeQueues($0, depth: 16) }.count
      return "\(granted) granted, \(made) made, \(text(host.createCompletionQueue(granted + 1)))"
    },
    HostExpectation(
      "create SQ: two may share a completion queue, and both complete there", "0x0 1 2",
      nvmetPCIEPF: .quirk(.completionQueueOfSameID, "0x0 1")
    ) { host in
      guard host.makeQueues(1), host.createSubmissionQueue(2, on: 1) == 0 else {
        return "no queues"
      }
      host.submit(.init(opcode: 0, namespace: 1), to: 1)
      host.submit(.init(opcode: 0, namespace: 1), to: 2)
      var queues: [UInt16] = []
      while let (_, completion) = host.reap(1) { queues.append(completion.queue) }
      return "0x0 " + queues.map(String.init).joined(separator: " ")
    },
  ]
}
