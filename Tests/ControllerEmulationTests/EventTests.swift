// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// Asynchronous events of namespaces that change under a running controller: Base 5.1.2; nvmet_pci_epf.md, 18.
@Suite struct EventTests {
  private func host(_ behaviour: Behaviour) -> Host {
    let host = Host(documentedModel(behaviour))
    host.enable()
    // Namespace Attribute Notices.
    #expect(host.status(of: .init(opcode: 9, words: [0x0b, 0x100])) == 0)
    return host
  }

  private func second(_ id: UInt32 = 2) -> Namespace {
    Namespace(id: id, backend: .memory(MemoryStore(count: 1 << 20)))
  }

  private func update(_ host: Host, _ change: (inout [Namespace]) -> Void) {
    var namespaces = host.controller.model.namespaces
    change(&namespaces)
    host.controller.update(namespaces: namespaces, at: host.controller.now)
    host.drain()
  }

  /// The ids in the Changed Namespace List.
  private func changedNamespaces(_ host: Host, retainsEvent: Bool = false) -> [UInt32] {
    let page = host.page()
    let rae: UInt32 = retainsEvent ? 0x8000 : 0
    #expect(
      host.status(of: .init(opcode: 2, prp1: page, words: [0x03ff_0004 | rae])) == 0)
    return (0..<1024).compactMap { index in
      (try? host.memory.load(at: page + UInt64(4 * index), as: UInt32.self)).flatMap {
        $0 == 0 ? nil : $0
      }
    }
  }

  @Test(
    "a namespace that is added, removed or resized completes a request with notice 0, log 04h",
    arguments: [Behaviour.nvmetPCIEPF, .reference], ["comes", "goes", "grows", "is disabled"])
  func notice(_ behaviour: Behaviour, _ what: String) {
    let host = host(behaviour)
    host.submit(.init(opcode: 0x0c))
    host.pass(20)
    update(host) { namespaces in
      switch what {
      case "comes": namespaces.append(second())
      case "goes": namespaces.removeAll()
      case "grows": namespaces[0].backend = .memory(MemoryStore(count: 128 << 20))
      default: namespaces[0].isEnabled = false
      }
    }
    let event = host.reap()?.1
    #expect(event?.status == 0)
    #expect(event?.result == 0x0004_0002)
    #expect(changedNamespaces(host) == [what == "comes" ? 2 : 1])
    #expect(changedNamespaces(host) == [], "reading has cleared it")
  }

  @Test(
    "the next notice waits until the log page is read",
    arguments: [Behaviour.nvmetPCIEPF, .reference])
  func masked(_ behaviour: Behaviour) {
    let host = host(behaviour)
    for _ in 0..<2 { host.submit(.init(opcode: 0x0c)) }
    host.pass(20)
    update(host) { $0.append(second(2)) }
    #expect(host.reap()?.1.result == 0x0004_0002)
    update(host) { $0.append(second(3)) }
    host.pass(100)
    #expect(changedNamespaces(host) == [2, 3])
    update(host) { $0.append(second(4)) }
    #expect(host.reap()?.1.result == 0x0004_0002)
    #expect(changedNamespaces(host) == [4])
  }

  @Test("an event without a request waits for one", arguments: [Behaviour.nvmetPCIEPF, .reference])
  func held(_ behaviour: Behaviour) {
    let host = host(behaviour)
    update(host) { $0.append(second()) }
    host.submit(.init(opcode: 0x0c))
    #expect(host.reap()?.1.result == 0x0004_0002)
  }

  @Test("the last request is the first that nvmet completes; the specification's is the first")
  func order() {
    for (behaviour, isLast) in [(Behaviour.nvmetPCIEPF, true), (.reference, false)] {
      let host = host(behaviour)
      let ids = (0..<3).map { _ in host.submit(.init(opcode: 0x0c)) }
      host.pass(20)
      update(host) { $0.append(second()) }
      #expect(host.reap()?.id == (isLast ? ids.last : ids.first), "\(behaviour)")
    }
  }

  @Test("a host that has disabled the notices is not notified, but finds the list")
  func off() {
    let host = host(.reference)
    #expect(host.status(of: .init(opcode: 9, words: [0x0b, 0])) == 0)
    host.submit(.init(opcode: 0x0c))
    update(host) { $0.append(second()) }
    #expect(host.reap() == nil)
  }

  @Test("RAE keeps the list and the mask")
  func retained() {
    let host = host(.reference)
    update(host) { $0.append(second()) }
    #expect(changedNamespaces(host, retainsEvent: true) == [2])
    #expect(changedNamespaces(host) == [2])
    #expect(changedNamespaces(host) == [])
  }

  @Test("more than 1024 changed namespaces are one entry of FFFFFFFFh")
  func many() {
    let host = host(.reference)
    update(host) { $0 += (2..<1100).map { second($0) } }
    #expect(changedNamespaces(host) == [0xffff_ffff])
  }

  @Test("pci_epf_nvme does not notify its host, but Identify shows the new namespace")
  func pciEPFNVMe() {
    let host = Host(documentedModel(.pciEPFNVMe))
    host.enable()
    host.submit(.init(opcode: 0x0c))
    update(host) { $0.append(second()) }
    #expect(host.reap() == nil)
    #expect(host.identify(0, namespace: 2).1[0] != 0 || host.identify(0, namespace: 2).1[1] != 0)
  }
}
