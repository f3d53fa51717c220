// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// The kernel as it was built, and configfs.
extension Examination {
  /// Options that every driver requires, and their purposes.
  private static let options: [(name: String, purpose: String)] = [
    ("CONFIGFS_FS", "everything is configured through configfs"),
    ("PCI_ENDPOINT", "it is the kernel's PCI endpoint support"),
    ("PCI_ENDPOINT_CONFIGFS", "functions are created and bound below pci_ep in configfs"),
  ]

  static func build(_ option: String, or value: String = "y") -> String {
    "set CONFIG_\(option)=\(value) and build the kernel"
  }

  mutating func examineKernel() {
    see("kernel", "\(machine.facts.release), pages of \(machine.facts.pageSize) bytes")
    see("processors", "\(machine.facts.onlineCPUs) online")
    if let configuration {
      see("kernel options", "from \(configuration.source?.string ?? "memory")")
      for option in Self.options where !configuration.has(option.name) {
        find(
          .optionMissing, "CONFIG_\(option.name)", self.option(option.name).map { [$0] } ?? [],
          "\(machine.label) was built without it, but \(option.purpose)",
          remedy: Self.build(option.name))
      }
    } else {
      lookForEndpointSupport()
    }
    if isMounted {
      see("configfs", "mounted at \(machine.configFS.mountPoint)")
      return
    }
    let mountPoint = machine.configFS.mountPoint.string
    hide("functions, targets and null_blk devices", "configfs is not mounted at \(mountPoint)")
    if isSet("CONFIGFS_FS") != false {
      find(
        .configFSNotMounted, mountPoint, [Finding.Evidence(mountPoint, "not mounted")],
        "the trees below it are not visible; setup mounts it",
        remedy: "mount -t configfs none \(mountPoint)")
    }
  }

  /// Without the configuration, check the trees.
  private mutating func lookForEndpointSupport() {
    var reasons: [String] = []
    for path in KernelConfiguration.places(release: machine.facts.release) {
      do { _ = try files.bytes(of: path) } catch { reasons.append("\(path): \(error.nameAndText)") }
    }
    hide(
      "kernel options", reasons.joined(separator: ", ") + "; modprobe configs may provide the last")
    let support = "pci_ep"
    if isMounted, tree.unreadable[support] == nil, !has(support) {
      find(
        .endpointSupportMissing, full(support), [Finding.Evidence(full(support), "missing")],
        "\(machine.label) has no configurable PCI endpoint support",
        remedy: Self.build("PCI_ENDPOINT=y and CONFIG_PCI_ENDPOINT_CONFIGFS"))
    } else if !isMounted, isMissing("/sys/class/pci_epc") {
      find(
        .endpointSupportMissing, "/sys/class/pci_epc",
        [Finding.Evidence("/sys/class/pci_epc", "missing")],
        "\(machine.label) has no PCI endpoint support",
        remedy: Self.build("PCI_ENDPOINT=y and CONFIG_PCI_ENDPOINT_CONFIGFS"))
    }
  }

  /// Whether the kernel cannot have endpoint controllers, as far as is known.
  var lacksEndpointSupport: Bool {
    isSet("PCI_ENDPOINT") == false || found(.endpointSupportMissing)
  }

  func isMissing(_ directory: FilePath) -> Bool {
    do {
      _ = try files.names(in: directory)
      return false
    } catch { return error == .noSuchFileOrDirectory }
  }
}
