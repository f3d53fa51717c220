// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
public import Provisioning
public import SimulatedKernel
internal import LibC
public import SystemPackage

/// A profile of Configs/profiles with a simulated machine that can carry it out.
public struct ShippedProfile: Sendable, CustomStringConvertible {
  public let name: String
  public let kernelRelease: SimulatedKernel.Release

  public init(name: String, kernelRelease: SimulatedKernel.Release) {
    self.name = name
    self.kernelRelease = kernelRelease
  }

  public var description: String { "\(name) on \(kernelRelease.rawValue)" }

  /// Below the checkout.
  public static let directory: FilePath = repository.appending("Configs/profiles")

  /// The root of the checkout.
  public static let repository = FilePath(#filePath).removingLastComponent()
    .removingLastComponent().removingLastComponent()

  /// The names of all files, without `.json`.
  public static let names: [String] = fileNames(in: directory)
    .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }

  /// Every profile with each kernel release that can apply it.
  public static let all: [ShippedProfile] = names.flatMap { name in
    SimulatedKernel.Release.allCases.compactMap { kernelRelease in
      switch (name, kernelRelease) {
      // One requires nvmet_pci_epf, the other the out-of-tree driver.
      case ("null_blk-pci", .linux6_12), ("tcp", .linux7_2): nil
      default: ShippedProfile(name: name, kernelRelease: kernelRelease)
      }
    }
  }

  public var file: FilePath { Self.directory.appending(name + ".json") }

  public func located() throws -> Profile.Located { try Profile.decode(readFile(file)) }

  /// The machine that the profile requires: disks, controllers, a remote target.
  public var machine: SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    machine.storage["/dev/disk"] = .init(.directory)
    machine.storage["/dev/disk/by-partlabel"] = .init(.directory)
    machine.storage["/dev/disk/by-partlabel/nvme-endpoint"] = .init(
      .symbolicLink, target: "../../sda")
    machine.tcpTargets = [
      .init("192.0.2.10", subsystems: ["nqn.2026-01.org.example:remote"])
    ]
    machine.controllers[0].maximumFunctions = 2
    if name == "rockpro64" { machine.controllers[0].name = "fd000000.pcie-ep" }
    return machine
  }

  public func fresh() -> SimulatedMachine { SimulatedMachine(kernelRelease, machine: machine) }
}

/// The names in a directory, sorted, without those that begin with a dot.
public func fileNames(in directory: FilePath) -> [String] {
  ((try? directoryNames(directory)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
}
