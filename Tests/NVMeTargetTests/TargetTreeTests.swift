// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import NVMeTarget
import RecordedConfigFS
import SystemPackage
import Testing

@Suite("The nvmet tree")
struct TargetTreeTests {
  let backend = RecordedConfigFS(
    directories: [
      "nvmet/subsystems/nq/namespaces/1", "nvmet/subsystems/nq/allowed_hosts",
      "nvmet/ports/1/subsystems",
      "nvmet/ports/1/referrals", "nvmet/ports/1/ana_groups/1", "nvmet/hosts",
    ], attributes: ["nvmet/discovery_nqn": "nqn.2014-08.org.nvmexpress.discovery\n"])
  var tree: TargetTree { TargetTree(on: backend) }

  @Test("a target is created by calls on the kernel's paths")
  func build() throws {
    let nqn = try NQN("nqn.2026-01.org.example:disk")
    let subsystem = try tree.subsystems.create(nqn)
    #expect(subsystem.nqn == nqn)
    _ = try tree.subsystems["nq"].namespaces.create(2)
    let port = try tree.ports.create(7)
    #expect(port.id == 7)
    try tree.ports[1].subsystems.link(subsystem)
    let host = try tree.hosts.create(nqn)
    try tree.subsystems["nq"].allowedHosts.link(host)
    _ = try tree.ports[1].anaGroups.create(2)
    try tree.discoveryNQN.write(DiscoveryNQN(nqn))
    let root = FilePath("/config/nvmet")
    #expect(
      backend.calls
        == [
          .createDirectory(root.appending("subsystems").appending(nqn.text)),
          .createDirectory("/config/nvmet/subsystems/nq/namespaces/2"),
          .createDirectory("/config/nvmet/ports/7"),
          .createLink(
            root.appending("ports/1/subsystems").appending(nqn.text),
            to: root.appending("subsystems").appending(nqn.text)),
          .createDirectory(root.appending("hosts").appending(nqn.text)),
          .createLink(
            root.appending("subsystems/nq/allowed_hosts").appending(nqn.text),
            to: root.appending("hosts").appending(nqn.text)),
          .createDirectory("/config/nvmet/ports/1/ana_groups/2"),
          .write("/config/nvmet/discovery_nqn", nqn.text),
        ])
  }

  @Test("objects of others are found, with the numbers in their names")
  func found() throws {
    #expect(try tree.subsystems.all().map(\.name) == ["nq"])
    #expect(try tree.subsystems["nq"].namespaces.all().map(\.id) == [1])
    #expect(try tree.ports.all().map(\.id) == [1])
    #expect(try tree.ports[1].anaGroups.all().map(\.id) == [1])
    #expect(try tree.discoveryNQN.read() == DiscoveryNQN(.discovery))
    #expect(tree.ports["0x10"].id == 16)
    #expect(tree.subsystems["nq"].namespaces["010"].id == 8)
  }

  @Test("each attribute has the kernel's name")
  func names() {
    let s = tree.subsystems["nq"]
    let subsystem = [
      s.allowsAnyHost.path, s.version.path, s.serial.path, s.minimumControllerID.path,
      s.maximumControllerID.path, s.vendorID.path, s.subsystemVendorID.path, s.model.path,
      s.maximumQueueID.path, s.organization.path, s.firmware.path,
      s.offersProtectionInformation.path,
    ]
    #expect(
      subsystem.map(name)
        == [
          "attr_allow_any_host", "attr_version", "attr_serial", "attr_cntlid_min",
          "attr_cntlid_max", "attr_vendor_id", "attr_subsys_vendor_id", "attr_model",
          "attr_qid_max", "attr_ieee_oui", "attr_firmware", "attr_pi_enable",
        ])
    let n = s.namespaces[1]
    let namespace = [
      n.devicePath.path, n.nguid.path, n.uuid.path, n.anaGroupID.path, n.isEnabled.path,
      n.usesBufferedIO.path, n.revalidateSize.path, n.supportsReservations.path, n.peerMemory.path,
    ]
    #expect(
      namespace.map(name)
        == [
          "device_path", "device_nguid", "device_uuid", "ana_grpid", "enable", "buffered_io",
          "revalidate_size", "resv_enable", "p2pmem",
        ])
    let t = s.passthru
    #expect(
      [
        t.devicePath.path, t.isEnabled.path, t.adminTimeout.path, t.ioTimeout.path,
        t.clearsIDs.path,
      ].map(name) == ["device_path", "enable", "admin_timeout", "io_timeout", "clear_ids"])
    #expect(t.directory.path == "/config/nvmet/subsystems/nq/passthru")
  }

  @Test("each attribute of ports and hosts has the kernel's name")
  func portNames() {
    let p = tree.ports[1]
    let port = [
      p.addressFamily.path, p.secureChannel.path, p.address.path, p.serviceID.path,
      p.transport.path, p.transportSpecificAddress.path, p.inlineDataSize.path,
      p.maximumQueueSize.path, p.maximumTransfer.path, p.offersProtectionInformation.path,
    ]
    #expect(
      port.map(name)
        == [
          "addr_adrfam", "addr_treq", "addr_traddr", "addr_trsvcid", "addr_trtype", "addr_tsas",
          "param_inline_data_size", "param_max_queue_size", "param_mdts", "param_pi_enable",
        ])
    let r = p.referrals["x"]
    let referral = [
      r.addressFamily.path, r.portID.path, r.secureChannel.path, r.address.path, r.serviceID.path,
      r.transport.path, r.isEnabled.path,
    ]
    #expect(
      referral.map(name)
        == [
          "addr_adrfam", "addr_portid", "addr_treq", "addr_traddr", "addr_trsvcid", "addr_trtype",
          "enable",
        ])
    #expect(name(p.anaGroups[1].state.path) == "ana_state")
    let h = tree.hosts["h"]
    #expect(
      [h.key.path, h.controllerKey.path, h.hash.path, h.group.path].map(name)
        == ["dhchap_key", "dhchap_ctrl_key", "dhchap_hash", "dhchap_dhgroup"])
  }

  @Test("a refused key is not in the error")
  func hiddenKey() throws {
    let key = try AuthenticationKey("DHHC-1:01:YWJj:")
    let error = #expect(throws: ConfigFSError.self) { try tree.hosts["h"].key.write(key) }
    #expect(error?.value == "(hidden)")
  }

  private func name(_ path: FilePath) -> String? { path.lastComponent?.string }
}
