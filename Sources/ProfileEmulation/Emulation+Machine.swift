// SPDX-License-Identifier: Apache-2.0
internal import EndpointProvisioning
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

extension Emulation {
  /// A simulated machine with everything that the profile requires: controllers, devices, files, remote targets.
  static func machine(for profile: Profile) -> SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    let named = Set(profile.functions.map(\.controller)).subtracting(["auto"]).sorted()
    if !named.isEmpty {
      machine.controllers = named.map { name in
        if SimulatedKernel.EndpointController.isPCIAddress(name) { return .link(name) }
        var controller = SimulatedKernel.EndpointController.rock5B
        controller.compatible = Self.boards.first { $0.name == name }?.compatible
        controller.name = name
        return controller
      }
    }
    for index in machine.controllers.indices {
      machine.controllers[index].maximumFunctions = 8
      machine.controllers[index].apply(profile)
    }
    for backing in profile.backings {
      switch backing.store {
      case .nullBlock: break
      case .block(let path): add(path, .init(.blockDevice, size: 64 << 30), to: &machine)
      case .file(let file): add(file, to: &machine)
      case .loopDevice(let loop): add(loop.file, to: &machine)
      }
    }
    for function in profile.functions {
      if case .tcp(let target) = function.target {
        machine.tcpTargets.append(
          .init(target.address, port: target.port, subsystems: [target.nqn]))
      }
    }
    return machine
  }

  /// Controllers whose names say which board has them.
  private static let boards: [SimulatedKernel.EndpointController] = [.rock5B, .rockPro64]

  private static func add(_ file: Profile.File, to machine: inout SimulatedKernel.Machine) {
    let size = (file.sizeMiB ?? 1024) << 20
    add(file.path, file.create ? nil : .init(.regularFile, size: size), to: &machine)
  }

  private static func add(
    _ path: String, _ object: SimulatedKernel.StoredObject?,
    to machine: inout SimulatedKernel.Machine
  ) {
    var directory = FilePath(path).removingLastComponent()
    while !directory.isEmpty, machine.storage[directory.string] == nil {
      machine.storage[directory.string] = .init(.directory)
      directory.removeLastComponent()
    }
    if let object { machine.storage[path] = object }
  }
}
