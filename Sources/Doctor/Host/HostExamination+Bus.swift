// SPDX-License-Identifier: Apache-2.0
internal import HostTools
internal import Numbers
internal import Provisioning
internal import SystemPackage

/// The functions on the host's bus: resources, power, errors, driver.
extension HostExamination {
  mutating func examineBus(_ bus: HostBus, _ profile: Profile?) {
    examineMachine(bus.machine)
    let names: [String]
    do throws(HostViewError) { names = try bus.functions() } catch {
      return hide("PCI bus", ProvisioningError(error).message)
    }
    if let profile {
      for function in profile.functions { look(for: function, on: bus) }
    } else if names.isEmpty {
      find(
        .noController, .none,
        [
          Finding.Evidence(
            bus.machine.sysfs.appending("bus/pci/devices").string, "no function of class 010802")
        ])
    }
    // A function that disappears meanwhile is omitted.
    let devices = names.compactMap { try? BusDevice($0, on: bus.machine) }
    for device in devices {
      if let name = device.controllerName { self.names[device.name] = name }
      see(device.controllerName ?? device.name, Self.facts(of: device))
      examine(device, bus.machine)
    }
    lookForTwins(devices)
  }

  // MARK: The machine

  private mutating func examineMachine(_ machine: HostMachine) {
    let units = machine.names(in: machine.sysfs.appending("class/iommu"))
    see("IOMMU", units.isEmpty ? "none" : units.joined(separator: ", "))
    if let policy = machine.text(machine.sysfs.appending("module/pcie_aspm/parameters/policy")) {
      see("ASPM policy", policy)
    }
    let words = machine.text(machine.procfs.appending("cmdline"))?.split(separator: " ") ?? []
    let names = [
      "iommu", "intel_iommu", "amd_iommu", "arm-smmu", "intremap", "swiotlb", "pci=", "pcie_",
      "nvme",
    ]
    let found = words.filter { word in names.contains { word.hasPrefix($0) } }
    if !found.isEmpty { see("kernel command line", found.joined(separator: " ")) }
  }

  // MARK: The profile

  private mutating func look(for function: Profile.Function, on bus: HostBus) {
    let ids = DiskIDs(vendorID: function.vendorID, deviceID: function.deviceID)
    let all: [String]
    do throws(HostViewError) { all = try bus.functions([ids], ofAnyClass: true) } catch {
      return hide("function \(function.name)", ProvisioningError(error).message)
    }
    let disks = (try? bus.functions([ids])) ?? []
    guard disks.isEmpty else { return }
    if let other = all.first, let device = try? BusDevice(other, on: bus.machine) {
      find(
        .classDiffers, .function(other),
        [Finding.Evidence(device.path("class"), device.text("class") ?? "")])
    } else {
      find(
        .diskAbsent, .function(function.name),
        [
          Finding.Evidence(
            bus.machine.sysfs.appending("bus/pci/devices").string,
            "no function with the IDs \(ids.text)")
        ])
    }
  }

  // MARK: A function

  private mutating func examine(_ device: BusDevice, _ machine: HostMachine) {
    let function = HostLog.Device.function(device.name)
    func configuration(_ offset: Int, _ count: Int) -> UInt32 {
      (try? device.configuration(at: offset, count: count)) ?? 0
    }
    guard configuration(0, 2) != 0xffff else {
      return find(
        .functionGone, function,
        [Finding.Evidence(device.path("config"), "the vendor ID reads as ffff")])
    }
    examineCounters(of: device)
    if let line = device.text("resource")?.split(separator: "\n").first {
      let numbers = line.split(separator: " ").compactMap { UInt64($0.dropFirst(2), radix: 16) }
      // IORESOURCE_UNSET: the register has an address that the kernel does not use.
      if numbers.count == 3, numbers[1] > 0, numbers[0] == 0 || numbers[2] & 0x2000_0000 != 0 {
        find(.barUnassigned, function, [Finding.Evidence(device.path("resource"), String(line))])
      }
    }
    switch device.driver {
    case nil:
      find(
        .driverAbsent, function, [Finding.Evidence(device.path("driver"), "missing")])
    case "nvme"?:
      let command = configuration(4, 2)
      guard command & 2 != 0 else {
        return find(
          .configurationLost, function,
          [
            Finding.Evidence(
              device.path("config"),
              "command register \(hexadecimal(command)): memory decoding is off")
          ])
      }
      if let state = device.text("power_state"), state.hasPrefix("D"), state != "D0" {
        find(.powerState, function, [Finding.Evidence(device.path("power_state"), state)])
      }
      examineController(of: device, machine)
    case let driver?:
      find(.driverOther, function, [Finding.Evidence(device.path("driver"), driver)])
    }
  }

  /// The error counters of AER. Unsupported requests and ACS violations also happen while a healthy device is enumerated.
  private mutating func examineCounters(of device: BusDevice) {
    let function = HostLog.Device.function(device.name)
    for file in ["aer_dev_fatal", "aer_dev_nonfatal"] {
      let errors = device.counters(file).filter {
        $0.count > 0 && !$0.name.hasPrefix("TOTAL") && !["UnsupReq", "ACSViol"].contains($0.name)
      }
      if errors.isEmpty { continue }
      find(.uncorrectedErrors, function, [Self.evidence(device.path(file), errors)])
    }
    let corrected = device.counters("aer_dev_correctable").filter { $0.name != "TOTAL_ERR_COR" }
    if corrected.reduce(0, { $0 &+ $1.count }) >= Self.acceptable {
      find(
        .correctedErrors, function,
        [Self.evidence(device.path("aer_dev_correctable"), corrected.filter { $0.count > 0 })])
    }
  }

  /// Corrected errors since the boot that a good link may have, from training and from power states.
  private static let acceptable: UInt64 = 100

  private static func evidence(
    _ path: String, _ counters: [(name: String, count: UInt64)]
  ) -> Finding.Evidence {
    Finding.Evidence(path, counters.map { "\($0.name) \($0.count)" }.joined(separator: ", "))
  }

  private static func facts(of device: BusDevice) -> String {
    var facts = [device.name]
    if let vendor = device.text("vendor"), let id = device.text("device") {
      facts.append("\(vendor.dropFirst(2)):\(id.dropFirst(2))")
    }
    facts.append(device.driver.map { "driver \($0)" } ?? "no driver")
    if let state = device.controllerState { facts.append(state) }
    if let queues = device.ioQueues { facts.append("\(queues) I/O queues") }
    facts += device.disks.map(\.string)
    if let speed = device.text("current_link_speed"), let width = device.text("current_link_width")
    {
      let best = device.text("max_link_speed").map { " of \($0)" } ?? ""
      facts.append("link \(speed) x\(width)\(best)")
    }
    if let power = device.text("power_state") { facts.append(power) }
    let aspm = device.names(in: "link").filter {
      $0.hasSuffix("aspm") && device.text("link/\($0)") == "1"
    }
    if !aspm.isEmpty {
      facts.append("ASPM " + aspm.map { String($0.dropLast(5)) }.joined(separator: "+"))
    }
    if let group = device.linkName("iommu_group") {
      let type = device.text("iommu_group/type").map { " (\($0))" } ?? ""
      facts.append("IOMMU group \(group)\(type)")
      let members = device.names(in: "iommu_group/devices").filter { $0 != device.name }
      if !members.isEmpty { facts.append("with \(members.joined(separator: ", "))") }
    } else {
      facts.append("no IOMMU group")
    }
    let vectors = device.names(in: "msi_irqs")
    let kind = vectors.first.flatMap { device.text("msi_irqs/\($0)") }
    facts.append(kind.map { "\(vectors.count) vectors of \($0.uppercased())" } ?? "no MSI vectors")
    return facts.joined(separator: ", ")
  }
}
