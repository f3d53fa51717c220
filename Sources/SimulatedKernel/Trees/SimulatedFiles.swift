// SPDX-License-Identifier: Apache-2.0
internal import KernelModules
public import LinuxFiles
public import SystemPackage

extension SimulatedKernel {
  /// The contents of procfs and sysfs of this kernel, as far as its machine has them.
  public var systemFiles: SimulatedFiles {
    observe { kernel in
      var files = SimulatedFiles()
      files.add("/proc/config.gz", kernel.configurationText)
      files.add("/proc/cmdline", "console=ttyS2,1500000 root=/dev/mmcblk0p1 rw\n")
      files.add("/proc/sys/kernel/modules_disabled", "0\n")
      files.addDirectory(FilePath("/lib/modules/\(kernel.release)"))
      files.addDirectory("/sys/class/iommu")
      files.addDirectory("/sys/class/dma")
      if kernel.machine.hasEndpointSupport {
        files.addDirectory("/sys/class/pci_epc")
        files.addDirectory("/sys/bus/pci-epf/devices")
        for controller in kernel.machine.controllers {
          files.addDirectory(FilePath("/sys/class/pci_epc/\(controller.name)"))
        }
        if kernel.machine.controllers.contains(where: \.hasDMA) {
          for channel in ["dma0chan0", "dma0chan1"] {
            files.addDirectory(FilePath("/sys/class/dma/\(channel)"))
          }
        }
        for function in kernel.functions.values {
          files.addLink(
            FilePath("/sys/bus/pci-epf/devices/\(function.device)/driver"),
            to: "../../bus/pci-epf/drivers/\(function.driver)")
        }
      }
      return files
    }
  }

  /// The options that the doctor and the rules read.
  static let knownOptions = [
    "CONFIGFS_FS", "PCI_ENDPOINT", "PCI_ENDPOINT_CONFIGFS", "NVME_TARGET", "NVME_TARGET_PCI_EPF",
    "NVME_TARGET_LOOP", "NVME_TARGET_TCP", "NVME_TARGET_TCP_TLS", "NVME_TARGET_PASSTHRU",
    "NVME_TARGET_AUTH", "NVME_TARGET_DEBUGFS", "NVME_FABRICS", "NVME_TCP", "BLK_DEV_NULL_BLK",
    "BLK_DEV_NULL_BLK_FAULT_INJECTION", "BLK_DEV_LOOP", "BLK_DEV_INTEGRITY", "PCI_P2PDMA",
  ]
}

extension KernelState {
  /// The value of an option: built in, module, or not set; nil for options that this kernel does not simulate.
  func option(_ name: String) -> ModuleState? {
    func built(_ isSet: Bool) -> ModuleState { isSet ? .builtIn : .missing }
    return switch name {
    case "CONFIGFS_FS": moduleState("configfs")
    case "NVME_TARGET": moduleState("nvmet")
    case "PCI_ENDPOINT", "PCI_ENDPOINT_CONFIGFS": built(machine.hasEndpointSupport)
    case "NVME_TARGET_PCI_EPF": moduleState("nvmet_pci_epf")
    case "PCI_EPF_NVME": moduleState("pci_epf_nvme")
    case "NVME_TARGET_LOOP": moduleState("nvme_loop")
    case "NVME_TARGET_TCP": moduleState("nvmet_tcp")
    case "NVME_FABRICS": moduleState("nvme_fabrics")
    case "NVME_TCP": moduleState("nvme_tcp")
    case "BLK_DEV_NULL_BLK": moduleState("null_blk")
    case "BLK_DEV_LOOP": moduleState("loop")
    case "NVME_TARGET_PASSTHRU": built(has(.passthru))
    case "NVME_TARGET_AUTH": built(has(.authentication))
    case "BLK_DEV_INTEGRITY": built(has(.integrity))
    case "PCI_P2PDMA": built(has(.peerToPeerMemory))
    case "NVME_TARGET_DEBUGFS": built(has(.debugFS))
    case "NVME_TARGET_TCP_TLS": built(has(.tcpTLS))
    case "BLK_DEV_NULL_BLK_FAULT_INJECTION": built(has(.nullBlockFaults))
    default: nil
    }
  }

  /// The kernel's configuration, with the simulated options.
  var configurationText: String {
    var text = ""
    for name in SimulatedKernel.knownOptions {
      switch option(name) ?? .missing {
      case .builtIn: text += "CONFIG_\(name)=y\n"
      case .loaded, .loadable: text += "CONFIG_\(name)=m\n"
      case .missing: text += "# CONFIG_\(name) is not set\n"
      }
    }
    return text
  }
}

/// Files, directories and links by absolute path.
public struct SimulatedFiles: SystemFiles, Hashable {
  private enum Entry: Hashable {
    case file([UInt8])
    case link(String)
  }

  private var entries: [FilePath: Entry] = [:]
  private var children: [FilePath: Set<String>] = [:]
  private var failures: [FilePath: Errno] = [:]

  public init() {}

  public mutating func add(_ path: FilePath, _ text: String) {
    addDirectory(path.removingLastComponent())
    entries[path] = .file(Array(text.utf8))
    failures[path] = nil
    name(path)
  }

  public mutating func add(_ path: FilePath, bytes: [UInt8]) {
    add(path, "")
    entries[path] = .file(bytes)
  }

  public mutating func addDirectory(_ path: FilePath) {
    guard children[path] == nil else { return }
    children[path] = []
    guard !path.removingRoot().isEmpty else { return }
    addDirectory(path.removingLastComponent())
    name(path)
  }

  public mutating func addLink(_ path: FilePath, to target: String) {
    addDirectory(path.removingLastComponent())
    entries[path] = .link(target)
    failures[path] = nil
    name(path)
  }

  /// Makes each access to a path, and to paths below it, fail.
  public mutating func fail(_ path: FilePath, _ error: Errno) { failures[path] = error }

  /// Removes a path, with all paths below it.
  public mutating func remove(_ path: FilePath) {
    entries = entries.filter { !$0.key.starts(with: path) }
    children = children.filter { !$0.key.starts(with: path) }
    failures = failures.filter { !$0.key.starts(with: path) }
    if let last = path.lastComponent?.string {
      children[path.removingLastComponent()]?.remove(last)
    }
  }

  private mutating func name(_ path: FilePath) {
    guard let last = path.lastComponent?.string else { return }
    children[path.removingLastComponent(), default: []].insert(last)
  }

  /// The entry at a path, or the error of reaching it.
  private func entry(_ path: FilePath) throws(Errno) -> Entry? {
    // The nearest one.
    let failing = failures.keys.filter { path.starts(with: $0) }
    if let nearest = failing.max(by: { $0.length < $1.length }), let error = failures[nearest] {
      throw error
    }
    return entries[path]
  }

  public func bytes(of path: FilePath) throws(Errno) -> [UInt8] {
    switch try entry(path) {
    case .file(let bytes): return bytes
    default: throw children[path] == nil ? .noSuchFileOrDirectory : .isDirectory
    }
  }

  public func names(in directory: FilePath) throws(Errno) -> [String] {
    _ = try entry(directory)
    guard let names = children[directory] else { throw .noSuchFileOrDirectory }
    return names.sorted()
  }

  public func linkText(of path: FilePath) throws(Errno) -> String {
    guard case .link(let target) = try entry(path) else { throw .noSuchFileOrDirectory }
    return target
  }
}
