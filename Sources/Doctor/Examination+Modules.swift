// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// Function drivers and modules: there, loaded, or why not.
extension Examination {
  /// A required module, with its kernel option.
  private struct Need {
    var module: String
    var option: String
    var purpose: String
  }

  mutating func examineModules() {
    drivers = FunctionDriver.nvmeDrivers.filter { driver in
      has("pci_ep/functions/\(driver.name)") || state(of: Self.need(driver)) != .missing
    }
    examineDrivers()
    var missing = false
    var loadable: [Need] = []
    var states: [String] = []
    for need in needs {
      let state = state(of: need)
      states.append("\(need.module) \(Self.words[state] ?? state.rawValue)")
      if state == .loadable { loadable.append(need) }
      guard state == .missing else { continue }
      missing = true
      lack(need)
    }
    if !states.isEmpty { see("modules", states.joined(separator: ", ")) }
    if missing { return }
    examineLoading(of: loadable)
  }

  private static let words: [ModuleState: String] = [
    .builtIn: "built in", .loaded: "loaded", .loadable: "can be loaded", .missing: "missing",
  ]

  private static func need(_ driver: FunctionDriver) -> Need {
    Need(
      module: driver.moduleName,
      option: driver == .nvmetPCIEPF ? "NVME_TARGET_PCI_EPF" : "PCI_EPF_NVME",
      purpose: "it is the driver of the endpoint function")
  }

  /// The modules that the profile requires; without a profile, those for a local subsystem.
  private var needs: [Need] {
    guard let driver, drivers.contains(driver) else { return [] }
    let wanted = profile?.profile
    var needs = [Self.need(driver)]
    if wanted?.subsystems.isEmpty != true {
      needs.append(
        Need(module: "nvmet", option: "NVME_TARGET", purpose: "it implements NVMe subsystems"))
    }
    if driver == .pciEPFNVMe {
      needs.append(
        Need(
          module: "nvme-fabrics", option: "NVME_FABRICS",
          purpose: "pci_epf_nvme connects through it; NVME_TARGET_LOOP or NVME_TCP select it"))
      let isLocal = wanted?.functions.contains {
        if case .local = $0.target { true } else { false }
      }
      if isLocal ?? true {
        needs.append(
          Need(
            module: "nvme-loop", option: "NVME_TARGET_LOOP",
            purpose: "pci_epf_nvme reaches local subsystems through it"))
      }
      if wanted?.isRemote == true {
        needs.append(
          Need(module: "nvme-tcp", option: "NVME_TCP", purpose: "a remote target is reached by TCP")
        )
      }
    }
    for port in wanted?.ports ?? [] where port.transport == .tcp || port.transport == .rdma {
      let isTCP = port.transport == .tcp
      needs.append(
        Need(
          module: isTCP ? "nvmet-tcp" : "nvmet-rdma",
          option: isTCP ? "NVME_TARGET_TCP" : "NVME_TARGET_RDMA",
          purpose: "ports[] has a port of this type"))
    }
    for backing in wanted?.backings ?? [] {
      switch backing.store {
      case .nullBlock:
        needs.append(
          Need(
            module: "null_blk", option: "BLK_DEV_NULL_BLK",
            purpose: "backings.\(backing.name) is such a device"))
      case .loopDevice:
        needs.append(
          Need(
            module: "loop", option: "BLK_DEV_LOOP",
            purpose: "backings.\(backing.name) is such a device"))
      case .file, .block: break
      }
    }
    var seen: Set<String> = []
    return needs.filter { seen.insert($0.module).inserted }
  }

  /// The configuration lists built-in drivers even if no list of modules is installed.
  private func state(of need: Need) -> ModuleState {
    let state = (try? machine.modules.state(of: need.module)) ?? .missing
    return state == .missing && configuration?[need.option] == .builtIn ? .builtIn : state
  }

  private mutating func examineDrivers() {
    if drivers.isEmpty {
      let needs = FunctionDriver.nvmeDrivers.map(Self.need)
      // With the option a driver was built: only its file is missing.
      if let built = needs.first(where: { isSet($0.option) == true }) { return lack(built) }
      find(
        .driverMissing, "nvmet_pci_epf, pci_epf_nvme",
        [option("NVME_TARGET_PCI_EPF")].compactMap(\.self) + [
          lookup("neither nvmet-pci-epf nor pci-epf-nvme")
        ],
        "no driver can present a function of this machine as an NVMe controller",
        remedy:
          isOlder(than: [6, 14])
          ? "use Linux 6.14 or later with CONFIG_NVME_TARGET_PCI_EPF=m, or build the out-of-tree pci_epf_nvme for this kernel"
          : "set CONFIG_NVME_TARGET=m and CONFIG_NVME_TARGET_PCI_EPF=m and build the kernel"
      )
      return
    }
    see("function driver", drivers.map(\.name).joined(separator: " and "))
    if drivers.count == 2, profile?.profile.driver ?? .auto == .auto,
      profile?.profile.isRemote != true
    {
      find(
        .twoDrivers, drivers.map(\.name).joined(separator: ", "),
        drivers.map { Finding.Evidence(full("pci_ep/functions/\($0.name)"), presence($0)) },
        "\"driver\": \"auto\" selects nvmet_pci_epf, with which a profile for pci_epf_nvme behaves differently",
        remedy: "name one in the profile: \"driver\": \"pci_epf_nvme\"")
    }
    if drivers.contains(.nvmetPCIEPF), driver == .nvmetPCIEPF,
      isSet("NVME_TARGET_TCP_TLS") == true, let evidence = option("NVME_TARGET_TCP_TLS")
    {
      find(
        .tlsKernel, "CONFIG_NVME_TARGET_TCP_TLS", [evidence],
        "nvmet_pci_epf crashes such a kernel as soon as a controller is created; setup refuses",
        remedy: "build the kernel without CONFIG_NVME_TARGET_TCP_TLS")
    }
  }

  private func presence(_ driver: FunctionDriver) -> String {
    has("pci_ep/functions/\(driver.name)") ? "present" : "module \(driver.moduleName) can be loaded"
  }

  private mutating func lack(_ need: Need) {
    if isSet(need.option) == false {
      find(
        .optionMissing, "CONFIG_\(need.option)", option(need.option).map { [$0] } ?? [],
        "\(machine.label) was built without the module \(need.module): \(need.purpose)",
        remedy: Self.build(need.option, or: "m"))
      return
    }
    find(
      .moduleMissing, need.module,
      [option(need.option)].compactMap(\.self) + [lookup("no module \(need.module)")],
      "the module \(need.module) is not installed for this kernel: \(need.purpose)",
      remedy:
        "install the modules of exactly this kernel (make modules_install, or its package) and run depmod; the option is CONFIG_\(need.option)"
    )
  }

  /// The directory of the modules, as evidence.
  private func lookup(_ result: String) -> Finding.Evidence {
    let directory = "/lib/modules/\(machine.facts.release)"
    return Finding.Evidence(directory, isMissing(FilePath(directory)) ? "missing" : result)
  }

  private func isOlder(than version: [Int]) -> Bool {
    let numbers = machine.facts.release.split(whereSeparator: { !$0.isNumber }).prefix(2)
      .compactMap { Int($0) }
    return numbers.lexicographicallyPrecedes(version)
  }

  private mutating func examineLoading(of needs: [Need]) {
    guard !needs.isEmpty else { return }
    let names = needs.map(\.module)
    let switchFile: FilePath = "/proc/sys/kernel/modules_disabled"
    if (try? files.text(of: switchFile)) == "1" {
      find(
        .moduleLoadingDisabled, names.joined(separator: ", "),
        [Finding.Evidence(switchFile.string, "1")],
        "the kernel loads no more modules until the next boot, and these are not loaded",
        remedy:
          "reboot; load \(names.joined(separator: ", ")) before kernel.modules_disabled is set")
    }
    for directory in Self.configurations {
      for file in ((try? files.names(in: directory)) ?? []).sorted() where file.hasSuffix(".conf") {
        let path = directory.appending(file)
        guard let text = try? files.text(of: path) else { continue }
        for line in text.split(separator: "\n") {
          let words = line.split(whereSeparator: \.isWhitespace)
          guard words.count > 2, words[0] == "install",
            names.contains(where: { Self.canonical($0) == Self.canonical(String(words[1])) })
          else { continue }
          find(
            .moduleOverridden, String(words[1]), [Finding.Evidence(path.string, String(line))],
            "loading the module runs this command instead",
            remedy: "remove the line from \(path), or load it with insmod")
        }
      }
    }
    for need in needs {
      let name = Self.canonical(need.module)
      guard
        let line = log?.last(where: { line in
          line.text.hasPrefix("\(name): ") && Self.refusals.contains { line.text.contains($0) }
        })
      else { continue }
      find(
        .moduleRefused, need.module, [evidence(line)],
        "the kernel rejected this module file: it was built for another kernel, or a required module is missing",
        remedy:
          "build and install it for \(machine.facts.release), run depmod, then modprobe \(need.module)"
      )
    }
  }

  /// - Source: `man 5 modprobe.d`.
  private static let configurations: [FilePath] = [
    "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/lib/modprobe.d",
  ]

  /// - Source: `kernel/module/main.c`, `check_modinfo`, `simplify_symbols`; `kernel/module/version.c`; `kernel/module/signing.c`.
  private static let refusals = [
    "Unknown symbol", "disagrees about version of symbol", "version magic", "is rejected",
  ]

  private static func canonical(_ name: String) -> String {
    String(name.map { $0 == "-" ? "_" : $0 })
  }
}
