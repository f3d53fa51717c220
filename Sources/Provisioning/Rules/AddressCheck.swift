// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import NVMeTarget
internal import SystemPackage

/// The addresses of ports that a plan enables: the kernel refuses one that the machine does not have, and one that another port has.
///
/// Found before the first write, since at boot a network may be later than the profile.
/// - Source: `drivers/nvme/target/tcp.c`, `nvmet_tcp_add_port`.
struct AddressCheck {
  let machine: Machine

  /// One error for each port that the kernel would refuse, with its path in the profile.
  func problems(
    _ profile: Profile, _ steps: [Step]
  ) -> [(path: String, error: ProvisioningError)] {
    let ports = TargetTree(on: machine.configFS).ports
    let prefix = ports.directory.path.string + "/"
    let enabled = Set(
      steps.compactMap { step -> String? in
        guard case .link(let path, _) = step.operation, path.hasPrefix(prefix) else { return nil }
        return path.dropFirst(prefix.count).split(separator: "/").first.map(String.init)
      })
    return profile.ports.enumerated().compactMap { index, port in
      guard port.transport == .tcp || port.transport == .rdma, enabled.contains("\(port.id)"),
        let text = port.address, let address = IPAddress(text)
      else { return nil }
      let path = "ports[\(index)].address"
      let error = missing(text, path) ?? taken(port, address, path)
      return error.map { (path, $0) }
    }
  }

  private func missing(_ address: String, _ path: String) -> ProvisioningError? {
    guard machine.addressProblem(address) == .addressNotAvailable else { return nil }
    return ProvisioningError(
      .inputMissing, "\(path): \(machine.label) does not have the address \(address)",
      operation: "link", path: path, value: address, errno: .addressNotAvailable,
      hint:
        "bring its interface up (ip -brief address lists addresses), order the unit after network-online.target, or wait: setup --wait-for 30"
    )
  }

  private func taken(
    _ port: Profile.Port, _ address: IPAddress, _ path: String
  ) -> ProvisioningError? {
    let tree = TargetTree(on: machine.configFS).ports
    guard tree.exists, let others = try? tree.all() else { return nil }
    for other in others where other.id != port.id {
      guard (try? other.transport.read())?.rawValue == port.transport.rawValue,
        (try? other.subsystems.directory.links())?.isEmpty == false,
        let text = try? machine.configFS.read(other.address.path),
        let listening = IPAddress(text.withoutTrailingNewline), listening.overlaps(address),
        let service = try? machine.configFS.read(other.serviceID.path),
        service.withoutTrailingNewline.kernelInteger(Int.self)
          == port.service?.kernelInteger(Int.self)
      else { continue }
      return ProvisioningError(
        .impossible,
        "\(path): the address is taken by nvmet port \(other.name), which listens on \(text.withoutTrailingNewline):\(service.withoutTrailingNewline)",
        operation: "link", path: path, value: port.address, errno: .addressInUse,
        hint: "use another \"service\", or declare that port's id: ports can be shared")
    }
    return nil
  }
}

extension ProvisioningError {
  /// Whether something is missing that may appear later: a device, a file, an address.
  var isMissingInput: Bool {
    kind == .inputMissing && (errno == .noSuchFileOrDirectory || errno == .addressNotAvailable)
  }
}
