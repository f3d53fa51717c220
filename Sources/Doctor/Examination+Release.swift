// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import KernelHistory
internal import PCIEndpoint
internal import Provisioning

/// The bugs that the kernel has by its release.
extension Examination {
  mutating func examineRelease() {
    guard let release = KernelRelease(machine.facts.release) else {
      return hide(
        "known bugs of this kernel",
        "its release \"\(machine.facts.release)\" is not a version of Linux")
    }
    for change in KernelChange.all where concerns(change) {
      let id: Finding.ID
      switch change.presence(in: release) {
      case .absent: continue
      case .present: id = .knownKernelBug
      case .unknown: id = .possibleKernelBug
      }
      let reservation = release.reservation(about: change)
      let update = "install a kernel with the fix (\(change.endText))"
      find(
        id, change.name, [Finding.Evidence("uname -r", release.text)],
        "\(change.area.rawValue): \(change.shows)" + (reservation.map { " (\($0))" } ?? ""),
        remedy: change.workaround.map { "\(update); until then: \($0)" } ?? update)
    }
  }

  /// Whether the machine has what a row is about, and a user can notice it and do something about it.
  private func concerns(_ change: KernelChange) -> Bool {
    guard change.isFixed, change.effect != .minor, change.concerns(hardware) else { return false }
    return switch change.area {
    // The rows of the target are those since the driver has been in Linux.
    case .nvmetPCIEPF, .nvmet: drivers.contains(.nvmetPCIEPF)
    case .endpointCore: !drivers.isEmpty
    case .designWare, .rockchip: true
    case .hostPCI: false
    }
  }
}
