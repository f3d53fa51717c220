// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation

/// The parsers and state machines that take foreign bytes, each as a function of bytes: for libFuzzer (`make fuzz`), and for the replay of
/// its findings in the tests.
package enum FuzzTarget: String, CaseIterable, Sendable {
  case profile
  case fabricsOptions = "ctrl-opts"
  case nvmetcli, nvmetcfg, script
  case hostLog = "host-log"
  case boardLog = "board-log"
  case state, journal
  case reference
  case nvmetPCIEPF = "nvmet_pci_epf"
  case pciEPFNVMe = "pci_epf_nvme"
  case dataPointers = "data-pointers"
  case vfioUser = "vfio-user"
  case link

  /// Processes an input. A trap is a finding.
  /// - Throws: ``FuzzViolation`` for a wrong result, which is a finding, too.
  package func run(_ bytes: [UInt8]) throws {
    switch self {
    case .profile: try ProfileFuzzing.profile(bytes)
    case .fabricsOptions: try FabricsFuzzing.run(bytes)
    case .nvmetcli: try ProfileFuzzing.nvmetcli(bytes)
    case .nvmetcfg: try ProfileFuzzing.nvmetcfg(bytes)
    case .script: try ProfileFuzzing.script(bytes)
    case .hostLog: try LogFuzzing.host(bytes)
    case .boardLog: try LogFuzzing.board(bytes)
    case .state: try MachineFuzzing.state(bytes)
    case .journal: try MachineFuzzing.journal(bytes)
    case .reference: try ControllerFuzzing.run(.reference, bytes)
    case .nvmetPCIEPF: try ControllerFuzzing.run(.nvmetPCIEPF, bytes)
    case .pciEPFNVMe: try ControllerFuzzing.run(.pciEPFNVMe, bytes)
    case .dataPointers: try DataPointerFuzzing.run(bytes)
    case .vfioUser: try SessionFuzzing.server(bytes)
    case .link: try SessionFuzzing.link(bytes)
    }
  }

  /// Inputs to begin with, which reach the deep parts.
  package func seeds() throws -> [[UInt8]] {
    switch self {
    case .profile: try ProfileFuzzing.profileSeeds()
    case .fabricsOptions: FabricsFuzzing.seeds
    case .nvmetcli: try ProfileFuzzing.nvmetcliSeeds()
    case .nvmetcfg: ProfileFuzzing.nvmetcfgSeeds
    case .script: ProfileFuzzing.scriptSeeds
    case .hostLog: LogFuzzing.hostSeeds
    case .boardLog: try LogFuzzing.boardSeeds()
    case .state: try MachineFuzzing.stateSeeds()
    case .journal: try MachineFuzzing.journalSeeds()
    case .reference, .nvmetPCIEPF, .pciEPFNVMe: ControllerFuzzing.seeds
    case .dataPointers: DataPointerFuzzing.seeds
    case .vfioUser: SessionFuzzing.serverSeeds
    case .link: SessionFuzzing.linkSeeds
    }
  }

  /// The longest input that libFuzzer tries, bytes.
  package var longest: Int {
    switch self {
    case .state: 1 << 17
    case .profile, .nvmetcli, .nvmetcfg, .journal, .hostLog, .boardLog: 1 << 14
    case .script, .fabricsOptions: 1 << 11
    case .reference, .nvmetPCIEPF, .pciEPFNVMe, .dataPointers, .vfioUser, .link: 1 << 12
    }
  }
}

/// A result that an input must not have.
package struct FuzzViolation: Error, CustomStringConvertible {
  package var description: String
  init(_ description: String) { self.description = description }

  /// - Throws: the violation, if the condition is false.
  static func unless(
    _ condition: Bool, _ description: @autoclosure () -> String
  ) throws(FuzzViolation) {
    if !condition { throw FuzzViolation(description()) }
  }
}

/// An input as a sequence of integers; zeroes past its end.
struct FuzzInput {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isEmpty: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type = T.self) -> T {
    var value: T = 0
    for index in 0..<(T.bitWidth / 8) { value |= T(byte()) << T(8 * index) }
    return value
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    let part = rest.prefix(count)
    rest = rest.dropFirst(count)
    return Array(part)
  }
}

extension [UInt8] {
  /// Appends an integer, little-endian.
  mutating func add<T: FixedWidthInteger>(_ value: T) {
    for shift in stride(from: 0, to: T.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }
}
