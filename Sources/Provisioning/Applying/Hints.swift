// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

/// Hints for known failures.
enum Hints {
  /// - Parameter kernelLog: the kernel's lines about the operation, which may name a cause that the errno does not.
  static func hint(
    for operation: Operation, _ errno: Errno?, kernelLog: [String] = []
  ) -> String {
    guard let errno else { return general }
    if case .link = operation, let hint = hint(forConnectLines: kernelLog) { return hint }
    let path = FilePath(operation.path)
    let name = path.name
    switch (operation, errno) {
    case (_, .permissionDenied) where operation.path.contains("/ports/"):
      return "an nvmet port accepts changes only while no subsystem is linked to it"
    case (.write, .permissionDenied), (.createDirectory, .permissionDenied), (_, .notPermitted):
      return "run as root; if you already do, the kernel does not permit this"
    case (.write, .resourceBusy) where operation.path.contains("/namespaces/"):
      return "the namespace is enabled; disable it, change the value, enable it again"
    case (.write, .resourceBusy) where operation.path.contains("/nullb/"):
      return "the device is powered on; power it off, change the value, power it on again"
    case (.write, .resourceBusy):
      return "a controller holds this value; unlink the function first"
    case (.write, .invalidArgument) where name == "start":
      return "the endpoint controller's driver could not start the link; see the kernel log lines"
    case (.write, .invalidArgument)
    where ["attr_model", "attr_serial", "attr_firmware", "attr_ieee_oui", "attr_version"].contains(
      name):
      return "a host has already identified this subsystem; tear it down and set it up again"
    case (.write, .invalidArgument) where name == "enable":
      return
        "nvmet could not use the backing: a file system without O_DIRECT needs \"bufferedIO\": true"
    case (.write, .noSuchFileOrDirectory) where name == "enable":
      return "the backing does not exist; check device_path"
    case (.write, .alreadyInProcess) where name == "start":
      return "another process started or stopped this controller"
    case (.write, .noSuchFileOrDirectory):
      return "this kernel has no such attribute; remove the key from the profile"
    case (.link, .addressNotAvailable) where operation.path.contains("/ports/"):
      return
        "no interface of this machine has the port's address (ip -brief address); --wait-for SECONDS waits for it"
    case (.link, .addressInUse) where operation.path.contains("/ports/"):
      return
        "another port or program listens on the port's address and service: epfnvme status lists the ports, ss -ltnp the programs"
    case (.link, .resourceBusy): return "the function is already bound to a controller"
    case (.link, .invalidArgument) where operation.path.contains("/ports/"):
      return "the transport of the port is missing or refused its address"
    case (.link, .invalidArgument):
      return "the driver refused the function: too many functions, or unsuitable options"
    case (.link, .notSupported): return "the endpoint controller's driver reports no features"
    case (.link, .operationNotSupportedByDevice):
      return "the controller's BAR 0 cannot hold the NVMe registers"
    case (.link, .noMemory): return hint(forMemoryLines: kernelLog)
    case (.link, .ioError):
      return "the NVMe target refused the connection; see the kernel log lines"
    case (.link, .alreadyInProcess):
      return "an earlier connection to this target is still up: nvme disconnect -n NQN"
    case (.link, .connectionRefused):
      return
        "the machine at the target's address replies, but nothing listens on the port: start the target there, and compare its port (addr_trsvcid) with the profile's"
    case (.link, .timedOut):
      return
        "no reply from the target's address: check that it is correct, that the machine is up, and that no firewall drops the packets (ping, nc -z ADDRESS PORT)"
    case (.link, .networkUnreachable):
      return
        "this machine has no route to the target's address: bring its network interface up first (ip route get ADDRESS)"
    case (.link, .noRouteToHost):
      return
        "no machine replies at the target's address on its network: check that it is correct, and that the machine is up"
    case (.link, .addressNotAvailable):
      return "this machine does not have the address that hostAddress (host_traddr) names"
    case (.createDirectory, .fileExists): return "another process created it; run again"
    case (.removeDirectory, .directoryNotEmpty):
      return "another process created an entry in it; remove that, then run teardown again"
    case (.removeDirectory, .resourceBusy):
      return "something links to it; remove that link, then run teardown again"
    case (.attachLoop, .resourceBusy): return "every loop device is in use"
    case (_, .noSpace): return "free some space, then run again"
    default: return general
    }
  }

  /// The memory that a link of a function to its controller takes.
  /// - Source: `drivers/pci/endpoint/pci-epf-core.c`, `pci_epf_alloc_space`; `pci-epc-mem.c`, `pci_epc_mem_alloc_addr`.
  private static func hint(forMemoryLines lines: [String]) -> String {
    let contiguous =
      "no contiguous memory for BAR 0: compare CmaFree in /proc/meminfo with its size (1 MiB on controllers with resizable BARs), and boot with a larger area (cma=128M on the kernel's command line)"
    let outbound =
      "no outbound memory: too few or too small address windows in the controller's device tree (addr_space), or another function has them all"
    let registers = "a BAR 0 of fixed size that cannot hold the NVMe registers"
    if lines.contains(where: { $0.contains("failed to allocate mem space") || $0.contains("cma:") })
    {
      return contiguous
    }
    if lines.contains(where: {
      $0.contains("BAR is not enough") || $0.contains("larger than fixed")
    }) {
      return registers
    }
    return "one of: \(contiguous); \(outbound); \(registers)"
  }

  /// Hints from messages of the fabrics host and the target while a function was bound.
  /// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_create_ctrl`, `nvmf_log_connect_error`; `pci-epf-nvme.c`.
  private static func hint(forConnectLines lines: [String]) -> String? {
    func line(with text: String) -> String? { lines.last { $0.contains(text) } }
    if line(with: "No nvme fabrics options specified") != nil {
      return
        "nvme/ctrl_opts of the function is empty: write transport=...,nqn=... to it before the function is linked"
    }
    if let said = line(with: "no handler found for transport") {
      let name = said.split(separator: " ").last.map { $0.filter { $0 != "." } } ?? ""
      return
        "the kernel has no NVMe host driver for the transport \(name): modprobe nvme-\(name); the kernel needs CONFIG_NVME_\(name == "loop" ? "TARGET_LOOP" : name.uppercased())"
    }
    if line(with: "is not allowed") != nil {
      return
        "the target does not allow this host: set attr_allow_any_host there, or link the host NQN into allowed_hosts"
    }
    if line(with: "Connect Invalid Data Parameter, subsysnqn") != nil
      || line(with: "could not find subsystem") != nil
    {
      return "the target has no such subsystem behind this port: compare its NQN with the profile's"
    }
    if line(with: "invalid interface passed") != nil {
      return "this machine has no network interface of that name (host_iface)"
    }
    if line(with: "unknown parameter or missing value") != nil {
      return
        "the kernel does not know an option of nvme/ctrl_opts; hidden_ns requires a kernel with the driver's patches"
    }
    return nil
  }

  private static let general =
    "the kernel gave no further reason; see dmesg"

  static func hint(forControllerLines lines: [String]) -> String {
    func has(_ text: String) -> Bool { lines.contains { $0.contains(text) } }
    if has("Port not found") { return "the nvmet port with the function's portid is not enabled" }
    if has("not allowed") { return "the subsystem needs attr_allow_any_host = 1" }
    if has("Invalid maximum number of queues") {
      return "at least two interrupt vectors are required"
    }
    if has("MSI-X") {
      return "the controller refused the number of MSI-X vectors; try msixVectors 0 and msiVectors"
    }
    if has("MSI") { return "the controller refused the number of MSI vectors" }
    if has("Set BAR 0 failed") {
      return "the controller could not map BAR 0; \(Hazard.freedBAR.safeOrder)"
    }
    if has("BAR 0") { return "the controller could not map BAR 0" }
    if has("configuration header") { return "the controller refused the configuration header" }
    return "see the kernel log lines; everything has been undone"
  }
}
