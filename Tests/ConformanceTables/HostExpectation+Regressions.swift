// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation
internal import Numbers

extension HostExpectation {
  /// Sequences that have failed with hosts: enable, reset, shutdown, abort, deletion, events.
  package static let regressions: [HostExpectation] = [
    HostExpectation("enable: CC without EN does not make it ready, EN does", "0 1") { host in
      host.write(0x14, 0)
      host.pass(20)
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      let before = host.status & 1
      host.write(0x14, 0x0046_0001)
      host.pass(20)
      return "\(before) \(host.status & 1)"
    },
    HostExpectation("reset: RDY goes, the admin queue's registers stay", "0 same") { host in
      let registers = [0x24, 0x28, 0x2c, 0x30, 0x34]
      let before = registers.map(host.read)
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      return "\(host.status & 1) \(registers.map(host.read) == before ? "same" : "lost")"
    },
    HostExpectation("reset: doorbells and phases start anew, three times", "0x0 0x0 0x0") { host in
      text(
        (0..<3).map { _ in
          host.write(0x14, 0x0046_0000)
          host.pass(20)
          host.enable()
          _ = host.identify(1)
          return host.identify(1).0
        })
    },
    HostExpectation("reset: I/O queues are gone and can be made again", "made 0x4101 made") {
      host in
      let first = host.makeQueues()
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      host.enable()
      let gone = host.status(of: .init(opcode: 0, words: [1]))
      return "\(first ? "made" : "no") \(text(gone)) \(host.makeQueues() ? "made" : "no")"
    },
    HostExpectation("reset with queues alive, as after kexec: nothing is left of them", "made") {
      host in
      _ = host.makeQueues(1)
      _ = host.makeQueues(2)
      // No deletion, no shutdown.
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      host.enable()
      return host.makeQueues(1) && host.makeQueues(2) ? "made" : "no"
    },
    HostExpectation(
      "reset: event requests end without a completion", "none",
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 8: they complete with 0x4006 before", "0x4006")
    ) { host in
      host.submit(.init(opcode: 0x0c))
      host.pass(20)
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      return text(host.reap()?.1.status)
    },
    HostExpectation("reset: the number of queues can be set again", "0x0") { host in
      _ = host.makeQueues()
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      host.enable()
      return text(host.status(of: .init(opcode: 9, words: [7, 0x0003_0003])))
    },
    HostExpectation(
      "number of queues: not once there are queues", "0x400c",
      pciEPFNVMe: .rule("pci_epf_nvme.md, 11.6: the target does not know of the queues", "0x0"),
      nvmetPCIEPF: .rule("nvmet_pci_epf.md, 16: not looked at", "0x0")
    ) { host in
      _ = host.makeQueues()
      return text(host.status(of: .init(opcode: 9, words: [7, 0x0001_0001])))
    },
    HostExpectation("shutdown: normal completes", "2") { host in
      host.write(0x14, 0x0046_4001)
      host.pass(20)
      return "\(host.status >> 2 & 3)"
    },
    HostExpectation(
      "shutdown: abrupt completes", "2", pciEPFNVMe: .quirk(.abruptShutdownIgnored, "0")
    ) { host in
      host.write(0x14, 0x0046_8001)
      host.pass(20)
      return "\(host.status >> 2 & 3)"
    },
    HostExpectation(
      "shutdown: completes on a disabled controller, too", "2",
      pciEPFNVMe: .rule("pci_epf_nvme.md, 10.1: only while enabled", "0"),
      nvmetPCIEPF: .quirk(.shutdownWhileDisabledIgnored, "0")
    ) { host in
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      host.write(0x14, 0x0046_4000)
      host.pass(20)
      return "\(host.status >> 2 & 3)"
    },
    HostExpectation(
      "enable after shutdown: ready, no shutdown left, and commands work", "0x1 0x0",
      pciEPFNVMe: .quirk(.shutdownStatusSticks, "0x9 0x0")
    ) { host in
      host.write(0x14, 0x0046_4001)
      host.pass(20)
      host.write(0x14, 0x0046_0000)
      host.pass(20)
      host.enable()
      return hexadecimal(host.status) + " " + text(host.identify(1).0)
    },
    HostExpectation("subsystem reset: not there, and the write does nothing", "1 0x0") { host in
      host.write(0x20, 0x4e56_4d65)
      host.pass(20)
      return "\(host.status & 1) \(text(host.identify(1).0))"
    },
    HostExpectation("abort: a command that has ended is not aborted, and says so", "0x0 1") {
      host in
      guard host.makeQueues() else { return "no queues" }
      let completion = host.run(.init(opcode: 8, words: [1 | 99 << 16]))
      return "\(text(completion?.status)) \(completion.map { "\($0.result & 1)" } ?? "none")"
    },
    HostExpectation("abort: a command that waits still completes", "0x0 0x0") { host in
      guard host.makeQueues() else { return "no queues" }
      let id = host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      let abort = host.status(of: .init(opcode: 8, words: [1 | UInt32(id) << 16]))
      host.ring(1)
      return text([abort, host.reap(1)?.1.status])
    },
    HostExpectation("delete SQ: what it has fetched completes before the answer", "0x0 0x0 0x0") {
      host in
      guard host.makeQueues() else { return "no queues" }
      host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      host.ring(1)
      host.pass(20)
      let answer = host.status(of: .init(opcode: 0, words: [1]))
      return text([answer, host.reap(1)?.1.status, host.reap(1)?.1.status])
    },
    HostExpectation("delete and create: a queue's id is free again", "0x0 0x0 made") { host in
      guard host.makeQueues() else { return "no queues" }
      let deleted = [
        host.status(of: .init(opcode: 0, words: [1])),
        host.status(of: .init(opcode: 4, words: [1])),
      ]
      return text(deleted) + (host.makeQueues() ? " made" : " no")
    },
    HostExpectation(
      "events: as many requests as AERL says wait, the next one is one too many", "0x4105",
      pciEPFNVMe: .quirk(.asyncEventsNeverComplete, "none")
    ) { host in
      for _ in 0..<5 { host.submit(.init(opcode: 0x0c)) }
      host.pass(20)
      return text(host.reap()?.1.status)
    },
    HostExpectation("a link that flaps: the controller comes back", "0 1 0x0") { host in
      host.device.linkDown()
      host.pass(20)
      let down = host.status & 1
      host.write(0x14, 0)
      host.enable()
      return "\(down) \(host.status & 1) \(text(host.identify(1).0))"
    },
    HostExpectation("a function-level reset: disabled, and enabled again", "0 1 0x0") { host in
      host.device.reset()
      let after = host.status & 1
      host.enable()
      return "\(after) \(host.status & 1) \(text(host.identify(1).0))"
    },
  ]
}
