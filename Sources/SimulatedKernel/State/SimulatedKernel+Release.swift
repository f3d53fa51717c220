// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation
public import KernelHistory

extension SimulatedKernel {
  /// The kernel to simulate, and with it the NVMe endpoint function driver.
  ///
  /// The trees and the driver's rules are those of 7.2.13, or of 6.12; what another release does differently is in the table of
  /// ``KernelChange``.
  public struct Release: RawRepresentable, Codable, Sendable, Hashable {
    /// `7.2` for 7.2.13, `6.12` for 6.12-rc2; otherwise the version as it was given: `6.14.2`, `6.15`, `6.18.2-current-rockchip64`.
    public let rawValue: String
    public let version: KernelVersion

    /// Linux 7.2.13 with `nvmet_pci_epf`.
    public static let linux7_2 = Release("7.2", KernelVersion(7, 2, 13))
    /// Linux 6.12-rc2 with the out-of-tree `pci_epf_nvme`.
    public static let linux6_12 = Release("6.12", KernelVersion(6, 12, candidate: 2))

    private init(_ rawValue: String, _ version: KernelVersion) {
      self.rawValue = rawValue
      self.version = version
    }

    /// - Returns: nil for a text that is no release, or a release without an NVMe endpoint function driver, or one that is not known
    ///   here.
    public init?(rawValue: String) {
      if let known = Self.allCases.first(where: { $0.rawValue == rawValue }) {
        self = known
        return
      }
      guard let version = KernelRelease(rawValue)?.version,
        Self.series.contains(where: { $0.isSameSeries(as: version) })
      else { return nil }
      self.init(rawValue, version)
    }

    /// The mainline releases with a driver; 7.0 is the successor of 6.19.
    public static let series: [KernelVersion] =
      [KernelVersion(6, 12)] + (14...19).map { KernelVersion(6, $0) }
      + (0...3).map { KernelVersion(7, $0) }

    /// The releases whose trees and drivers were observed.
    public enum Generation: Sendable, Hashable, CaseIterable { case linux7_2, linux6_12 }

    public var generation: Generation {
      version.isSameSeries(as: Self.linux6_12.version) ? .linux6_12 : .linux7_2
    }

    /// `uname -r`.
    public var uname: String {
      let isVersion =
        Self.allCases.contains(self) || KernelVersion(rawValue)?.description == rawValue
      return isVersion ? version.uname : rawValue
    }

    /// The release with an NVMe endpoint function driver; nil for another driver.
    public init?(functionDriver: String) {
      guard let release = Self.allCases.first(where: { $0.functionDriver == functionDriver })
      else { return nil }
      self = release
    }

    /// The name of the NVMe endpoint function driver, which is its directory in `pci_ep/functions`.
    public var functionDriver: String {
      switch generation {
      case .linux7_2: "nvmet_pci_epf"
      case .linux6_12: "pci_epf_nvme"
      }
    }

    /// The names of the behaviours by release that the simulation imitates or diagnoses.
    public static var emulatedChanges: Set<String> {
      let trees: [KernelChange] = [
        .driverUnload, .portWithoutType, .lateGroups, .dmaBeforeInit, .keepAliveCrash,
        .deleteCrash, .tlsCrash,
      ]
      return Set(trees.map(\.name) + Quirk.allCases.compactMap { $0.change?.name })
    }

    /// Whether the release has a behaviour.
    public func has(_ change: KernelChange) -> Bool { change.isEmulated(in: version) }
  }
}

extension SimulatedKernel.Release: CaseIterable {
  /// The releases whose trees and drivers were observed.
  public static var allCases: [SimulatedKernel.Release] { [.linux7_2, .linux6_12] }
}
