// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import PCIEndpoint
internal import SimulatedKernel
internal import SystemPackage
internal import TestSupport

/// The fabrics options of `pci_epf_nvme`: this tool's reading of a text against the kernel's.
enum FabricsFuzzing {
  private static let function = FilePath("/sys/kernel/config/pci_ep/functions/pci_epf_nvme/f0")
  private static let controller = FilePath(
    "/sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep")

  static func run(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let options = FabricsOptions(attributeText: text) else {
      throw FuzzViolation("the text is refused: it could not be shown")
    }
    _ = options.problems
    for form in [options.attributeText, options.shownText] {
      let again = FabricsOptions(attributeText: form)
      try FuzzViolation.unless(
        again == options, "read again, other options: \(form.debugDescription)")
    }
    let isHidden = options.secret == nil || !options.description.contains("DHHC-1:")
    try FuzzViolation.unless(isHidden || options.secret == "DHHC-1:", "a secret is shown")
    try checkKernel(text, options)
  }

  /// Options with which the kernel connects have no problem.
  private static func checkKernel(_ text: String, _ options: FabricsOptions) throws {
    // A page less the terminator is the most that the kernel takes at once, and a zero ends the text.
    guard text.utf8.count < 4096, !text.utf8.contains(0) else { return }
    let kernel = try prepared.get().copy()
    guard (try? kernel.write(text, to: function.appending("nvme/ctrl_opts"))) != nil else { return }
    let isBound: Bool
    do {
      try kernel.createLink(at: controller.appending("f0"), to: function)
      isBound = true
    } catch { isBound = false }
    try FuzzViolation.unless(kernel.crashes.isEmpty, "the kernel crashed: \(kernel.crashes)")
    if isBound {
      try FuzzViolation.unless(
        options.problems.isEmpty,
        "the kernel accepts \(text.debugDescription), but: \(options.problems)")
    }
  }

  /// A kernel with a subsystem for loop and tcp, and a function that is not linked.
  private static let prepared = Result { () throws -> SimulatedKernel in
    var machine = SimulatedKernel.Machine()
    machine.options = [.authentication]
    machine.controllers = [.virtual("a40000000.pcie-ep")]
    machine.tcpTargets = [.init("192.0.2.10", subsystems: ["nq"])]
    let kernel = SimulatedKernel(.linux6_12, machine: machine)
    let root = FilePath("/sys/kernel/config")
    if !kernel.isConfigFSMounted { try kernel.mountConfigFS() }
    for module in ["nvmet", "null_blk", "pci-epf-nvme"] {
      try kernel.load(module, parameters: module == "null_blk" ? ["nr_devices=0"] : [])
    }
    func make(_ path: String) throws { try kernel.createDirectory(root.pushing(FilePath(path))) }
    func put(_ text: String, _ path: String) throws {
      _ = try kernel.write(text, to: root.pushing(FilePath(path)))
    }
    try make("nullb/disk")
    try put("1\n", "nullb/disk/memory_backed")
    try put("1\n", "nullb/disk/power")
    try make("nvmet/subsystems/nq")
    try put("1\n", "nvmet/subsystems/nq/attr_allow_any_host")
    try make("nvmet/subsystems/nq/namespaces/1")
    try put("/dev/disk\n", "nvmet/subsystems/nq/namespaces/1/device_path")
    try put("1\n", "nvmet/subsystems/nq/namespaces/1/enable")
    try make("nvmet/ports/1")
    try put("loop\n", "nvmet/ports/1/addr_trtype")
    try kernel.createLink(
      at: root.appending("nvmet/ports/1/subsystems/nq"), to: root.appending("nvmet/subsystems/nq"))
    try make("pci_ep/functions/pci_epf_nvme/f0")
    let group = function.appending("nvme/mdts_kb")
    _ = kernel.wait(upTo: .seconds(1)) { (try? kernel.read(group)) != nil }
    try put("0x15b7\n", "pci_ep/functions/pci_epf_nvme/f0/vendorid")
    try put("32\n", "pci_ep/functions/pci_epf_nvme/f0/msix_interrupts")
    return kernel
  }

  static let seeds: [[UInt8]] = [
    "transport=loop,nqn=nq,nr_io_queues=4,hidden_ns",
    "transport=tcp,nqn=nq,traddr=192.0.2.10,trsvcid=4420,host_traddr=192.0.2.1,host_iface=eth0\n",
    "transport=loop,nqn=nq,hostnqn=h,hostid=01234567-89ab-cdef-0123-456789abcdef,queue_size=0x10",
    "transport=tcp,nqn=nq,traddr=192.0.2.10,nr_write_queues=2,nr_poll_queues=03,reconnect_delay=4,"
      + "ctrl_loss_tmo=-1,fast_io_fail_tmo=5,keep_alive_tmo=0,tos=300,keyring=8,tls_key=9,tls",
    "transport=loop,nqn=nq,dhchap_secret=DHHC-1:00:abcd:,dhchap_ctrl_secret=DHHC-1:00:efgh:",
    "transport=loop,nqn=nq,duplicate_connect,disable_sqflow,hdr_digest,data_digest,discovery",
    "transport=rdma,traddr=::1", "transport=fc,host_traddr=a,traddr=b,nqn=nq",
    "transport=loop,nqn=my_hidden_ns", ",,\n=,a=b=c",
  ].map { Array($0.utf8) }
}
