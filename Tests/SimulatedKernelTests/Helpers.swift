// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelEvents
import KernelModules
import SimulatedKernel
import SystemPackage

/// Short paths below `/sys/kernel/config`, and results as values: what a table row says.
extension SimulatedKernel {
  func path(_ path: String) -> FilePath { FilePath("/sys/kernel/config/" + path) }

  /// The text of an attribute.
  func text(_ attribute: String) -> String? { try? read(path(attribute)) }

  @discardableResult
  func put(_ text: String, _ attribute: String) throws(Errno) -> Int {
    try write(text, to: path(attribute))
  }

  func make(_ directory: String) throws(Errno) { try createDirectory(path(directory)) }
  func drop(_ directory: String) throws(Errno) { try removeDirectory(path(directory)) }
  func link(_ link: String, _ target: String) throws(Errno) {
    try createLink(at: path(link), to: path(target))
  }
  func unlink(_ link: String) throws(Errno) { try removeLink(path(link)) }

  func names(_ directory: String) throws(Errno) -> [String] {
    try entries(of: path(directory)).map(\.name)
  }

  /// The errno of a call; nil when it works.
  func errno(_ body: (SimulatedKernel) throws -> Void) -> Errno? {
    do {
      try body(self)
      return nil
    } catch { return error as? Errno ?? (error as? ModuleError)?.errno }
  }

  /// The log lines of a body of work.
  func logged(_ body: (SimulatedKernel) throws -> Void) rethrows -> [String] {
    let before = logLines.count
    try body(self)
    return Array(logLines.dropFirst(before))
  }
}

/// Names that tests share.
enum Names {
  static let controller = "pci_ep/controllers/a40000000.pcie-ep"
  static let function = "pci_ep/functions/nvmet_pci_epf/f0"
  static let pciEPFNVMeFunction = "pci_ep/functions/pci_epf_nvme/f0"
  static let subsystem = "nvmet/subsystems/nq"
  static let port = "nvmet/ports/1"
}

extension SimulatedKernel {
  /// A subsystem with an enabled namespace on a null_blk device, linked to a port.
  func makeTarget(_ transport: String) throws {
    try load("nvmet")
    try load("null_blk", parameters: ["nr_devices=0"])
    try make("nullb/disk")
    try put("64\n", "nullb/disk/size")
    try put("1\n", "nullb/disk/memory_backed")
    try put("1\n", "nullb/disk/power")
    try make(Names.subsystem)
    try put("1\n", Names.subsystem + "/attr_allow_any_host")
    try put("4\n", Names.subsystem + "/attr_qid_max")
    try make(Names.subsystem + "/namespaces/1")
    try put("/dev/disk\n", Names.subsystem + "/namespaces/1/device_path")
    try put("1\n", Names.subsystem + "/namespaces/1/enable")
    try make(Names.port)
    try put(transport + "\n", Names.port + "/addr_trtype")
    if transport == "pci" { try load("nvmet-pci-epf") }
    try link(Names.port + "/subsystems/nq", Names.subsystem)
  }

  /// A function of nvmet_pci_epf, configured and not linked.
  func makeFunction(msix: Int = 8) throws {
    try makeTarget("pci")
    try put("0x1b96\n", Names.subsystem + "/attr_vendor_id")
    try make(Names.function)
    try put("0xbeef\n", Names.function + "/deviceid")
    try put("\(msix)\n", Names.function + "/msix_interrupts")
    try put("1\n", Names.function + "/nvme/portid")
    try put("nq\n", Names.function + "/nvme/subsysnqn")
  }

  /// A function of pci_epf_nvme, configured and not linked.
  func makePCIEPFNVMeFunction(
    msix: Int = 32, options: String = "transport=loop,nqn=nq,nr_io_queues=4"
  )
    throws
  {
    try makeTarget("loop")
    try load("pci-epf-nvme")
    try make(Names.pciEPFNVMeFunction)
    _ = wait(upTo: .seconds(1)) { text(Names.pciEPFNVMeFunction + "/nvme/mdts_kb") != nil }
    try put("0x15b7\n", Names.pciEPFNVMeFunction + "/vendorid")
    try put("\(msix)\n", Names.pciEPFNVMeFunction + "/msix_interrupts")
    try put(options, Names.pciEPFNVMeFunction + "/nvme/ctrl_opts")
  }

  /// Links the function to the one controller.
  func bind() throws(Errno) {
    let function =
      kernelRelease.generation == .linux7_2 ? Names.function : Names.pciEPFNVMeFunction
    try link(Names.controller + "/f0", function)
  }

  static func withVirtualController(_ kernelRelease: Release = .linux7_2) -> SimulatedKernel {
    var machine = Machine()
    machine.controllers = [.virtual("a40000000.pcie-ep")]
    return SimulatedKernel(kernelRelease, machine: machine)
  }
}
