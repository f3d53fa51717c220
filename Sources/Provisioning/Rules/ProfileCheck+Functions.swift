// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import Numbers
internal import NVMeTarget

/// The rules of endpoint functions and their targets.
extension ProfileCheck {
  func check(_ function: Profile.Function, _ path: String) {
    if function.classCode != 0x01_0802 {
      warn("\(path).classCode", "NVMe drivers match class 0x010802")
    }
    checkTarget(function, path)
    checkVectors(function, path)
    if function.mdtsKiB
      == ProfileSchema.function.row("mdtsKiB")?.upperBounds[.pciEPFNVMe].map(UInt32.init(clamping:)),
      profile.driver != .nvmetPCIEPF
    {
      warn("\(path).mdtsKiB", "the loop transport of pci_epf_nvme transfers at most 1020 KiB")
    }
    checkWindows(function, path)
  }

  private func checkTarget(_ function: Profile.Function, _ path: String) {
    switch function.target {
    case .local(let nqn, let spelled):
      let place = "\(path).target.\(spelled.rawValue)"
      checkSubsystemExists(nqn, place)
      if nqn.utf8.count > NQN.maximumLengthForEndpointFunction {
        error(
          place,
          "the NQN has \(nqn.utf8.count) bytes; an endpoint function can hold \(NQN.maximumLengthForEndpointFunction)",
          hint: "the kernel would write beyond the attribute's buffer")
      }
      if let index = profile.subsystems.firstIndex(where: { $0.nqn == nqn }) {
        let subsystem = profile.subsystems[index]
        if subsystem.allowAnyHost == false || !subsystem.allowedHosts.isEmpty {
          error(
            "subsystems[\(index)]", "an endpoint function connects with a random host NQN",
            hint: "its subsystem needs \"allowAnyHost\": true and no list of hosts")
        }
        if let vendor = subsystem.vendorID, vendor != function.vendorID {
          warn(
            "\(path).vendorID",
            "nvmet_pci_epf uses the subsystem's vendor ID, \(hexadecimal(vendor, digits: 4)), instead of this one"
          )
        }
      }
    case .tcp(let target): check(target, "\(path).target.tcp")
    }
    if function.dma == false, profile.driver == .nvmetPCIEPF {
      warn("\(path).dma", "nvmet_pci_epf cannot turn DMA off, and uses DMA where it is available")
    }
  }

  private func check(_ target: Profile.TCPTarget, _ path: String) {
    warnOfName(target.nqn, "\(path).nqn")
    if let host = target.hostNQN { warnOfName(host, "\(path).hostNQN") }
    for (key, name) in [("nqn", target.nqn), ("hostNQN", target.hostNQN ?? "")]
    where name.utf8.count > NQN.maximumLengthForEndpointFunction {
      error(
        "\(path).\(key)",
        "has \(name.utf8.count) bytes; the options of a connection allow \(NQN.maximumLengthForEndpointFunction)"
      )
    }
    for (key, address) in [("address", target.address), ("hostAddress", target.hostAddress)] {
      if let address, let problem = Self.problem(withScopeOf: address) {
        error("\(path).\(key)", problem, hint: Self.scopeHint(address))
      }
      guard let address, IPAddress(address) == nil else { continue }
      error(
        "\(path).\(key)", "\"\(address.prefix(60))\" is not an IP address",
        hint:
          "the kernel accepts no host names, and a scope (%eth0) only after a link-local address")
    }
  }

  private func checkVectors(_ function: Profile.Function, _ path: String) {
    // The admin queue has a vector too. With fewer vectors a host may use queues that the driver has no room for.
    for (queues, place) in queueWishes(function, path) {
      for (key, count) in [
        ("msixVectors", Int(function.msixVectors)), ("msiVectors", Int(function.msiVectors)),
      ] where count > 0 && count < queues + 1 {
        error(
          "\(path).\(key)",
          "\(queues) I/O queues (\(place)) and the admin queue need \(queues + 1) vectors, not \(count)",
          hint: "write \"\(key)\": \(queues + 1) or more, 0 for none, or fewer queues")
      }
    }
    if function.msixVectors == 1 || function.msiVectors == 1 {
      error(
        function.msixVectors == 1 ? "\(path).msixVectors" : "\(path).msiVectors",
        "the admin queue needs one vector: none would be left for an I/O queue")
    }
    if function.msixVectors == 0, function.msiVectors == 0 {
      warn(
        "\(path)",
        "without MSI-X and MSI vectors the function uses INTx, which most controllers cannot raise",
        hint: "set \"msixVectors\" and \"msiVectors\"")
    } else if function.msiVectors == 0 {
      warn(
        "\(path).msixVectors", "on a controller without MSI-X the function would silently use INTx",
        hint: "set \"msiVectors\" too")
    }
  }

  /// The requested number of I/O queues, and its key.
  private func queueWishes(_ function: Profile.Function, _ path: String) -> [(Int, String)] {
    var wishes: [(Int, String)] = []
    if let queues = function.ioQueues { wishes.append((Int(queues), "ioQueues")) }
    if let limit = profile.subsystem(function.target.nqn)?.maximumQueueID {
      wishes.append((Int(limit), "maximumQueueID"))
      if let queues = function.ioQueues, queues > limit {
        error(
          "\(path).ioQueues", "\(queues) I/O queues, but the subsystem's maximumQueueID is \(limit)"
        )
      }
    }
    return wishes
  }

  private func checkWindows(_ function: Profile.Function, _ path: String) {
    guard let features = function.controllerFeatures else { return }
    let place = "\(path).controllerFeatures"
    if profile.driver != .pciEPFNVMe, let problem = OutboundWindowRule.problem(function) {
      // Which kernel the profile is for is known only on the machine, which refuses it.
      warn(
        "\(place).outboundWindows",
        "\(problem) with nvmet_pci_epf since Linux \(OutboundWindowRule.beginText)",
        hint: OutboundWindowRule.hint)
    }
    if features.msix == false, features.msi == false || function.msiVectors == 0 {
      error(place, "this controller would use INTx", hint: "set \"msiVectors\"")
    }
    if features.msix == false, function.msixVectors > 0 {
      warn("\(path).msixVectors", "the controller has no MSI-X; MSI is used")
    }
  }

  // MARK: Drivers

  /// A value that one of the drivers does not support: an error if the profile names that driver, otherwise a warning.
  func drivers() {
    for driver in Profile.DriverChoice.allCases
    where driver != .auto && (profile.driver == .auto || profile.driver == driver) {
      for limit in DriverLimit.all(of: profile, with: driver) {
        if profile.driver == driver {
          error(limit.path, limit.message, hint: limit.hint)
        } else {
          warn(limit.path, limit.message, hint: limit.hint)
        }
      }
    }
  }

  /// Each driver keeps one configuration header for all of its functions.
  func sharedHeaders() {
    guard let first = profile.functions.first else { return }
    for (index, function) in profile.functions.enumerated().dropFirst() {
      let differing = Profile.DriverChoice.allCases.filter { driver in
        driver != .auto && (profile.driver == .auto || profile.driver == driver)
          && profile.header(of: function, with: driver) != profile.header(of: first, with: driver)
      }
      guard !differing.isEmpty else { continue }
      let own = profile.header(of: function, with: .pciEPFNVMe)
      let isOfSubsystem =
        differing == [.nvmetPCIEPF] && own == profile.header(of: first, with: .pciEPFNVMe)
      warn(
        "functions[\(index)]",
        "the driver keeps one configuration header for all functions; this one differs from functions[0]"
          + (isOfSubsystem
            ? " with nvmet_pci_epf, which takes the vendor IDs from the subsystems" : ""),
        hint:
          "works if the controller initialises at once; if it waits for PERST#, all functions have these values"
      )
    }
  }

  func functionCounts() {
    for (index, function) in profile.functions.enumerated() {
      guard let limit = function.controllerFeatures?.maximumFunctions else { continue }
      let count = profile.functions.filter { $0.controller == function.controller }.count
      if count > limit {
        error(
          "functions[\(index)].controllerFeatures.maximumFunctions",
          "\(count) functions, but the controller \"\(function.controller)\" has \(limit)")
        return
      }
    }
  }
}
