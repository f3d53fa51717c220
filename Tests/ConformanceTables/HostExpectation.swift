// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import Numbers

/// Something that a host may expect of every NVMe controller, and where the drivers are known to do otherwise.
package struct HostExpectation: Sendable {
  /// A driver's own outcome, and what makes it so.
  package struct Deviation: Sendable {
    package enum Reason: Sendable {
      /// Can be switched off.
      case quirk(Quirk)
      /// A rule of the driver, by section of the reference.
      case rule(String)
    }
    package var outcome: String
    package var reason: Reason

    static func quirk(_ quirk: Quirk, _ outcome: String) -> Self {
      Self(outcome: outcome, reason: .quirk(quirk))
    }
    static func rule(_ section: String, _ outcome: String) -> Self {
      Self(outcome: outcome, reason: .rule(section))
    }
  }

  package var name: String
  /// The behaviour of the specification and of the reference controller.
  package var outcome: String
  /// Those of the drivers, where they do otherwise.
  package var deviations: [Behaviour: Deviation]
  /// Drives an enabled controller, and says what came of it.
  package var run: @Sendable (Host) -> String

  init(
    _ name: String, _ outcome: String, pciEPFNVMe: Deviation? = nil, nvmetPCIEPF: Deviation? = nil,
    _ run: @escaping @Sendable (Host) -> String
  ) {
    self.name = name
    self.outcome = outcome
    deviations = [.pciEPFNVMe: pciEPFNVMe, .nvmetPCIEPF: nvmetPCIEPF].compactMapValues { $0 }
    self.run = run
  }

  /// Both tables.
  package static let all = compliance + regressions

  /// The result on a new, enabled controller.
  package func observe(_ behaviour: Behaviour, without quirk: Quirk? = nil) -> String {
    var model = documentedModel(behaviour)
    if let quirk { model.quirks.remove(quirk) }
    return observe(EmulatedDevice(model))
  }

  /// The result on a new device, which is enabled first.
  package func observe(_ device: any Device) -> String {
    let host = Host(device)
    host.enable()
    return run(host)
  }
}

/// Statuses as text: `0x4101`, or `none` for a command that never completes.
func text(_ status: UInt16?) -> String {
  status.map { hexadecimal($0) } ?? "none"
}

func text(_ statuses: [UInt16?]) -> String { statuses.map(text).joined(separator: " ") }
