// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
public import PCI

/// A named sequence of events of hosts and one controller.
public struct Scenario: Sendable, Hashable {
  /// One thing that happens.
  public enum Step: Sendable, Hashable {
    case linkUp, linkDown
    /// Linux's driver finds the controller and its namespaces.
    case probe
    /// Verified I/O on every namespace that was found.
    case verify
    case shutDown
    /// Firmware boots from it, and leaves it enabled.
    case firmware
    /// The conformance host checks the specification.
    case examine
    /// A register write, and a wait until CSTS shows bits.
    case write(offset: Int, value: UInt32)
    case waitForStatus(mask: UInt32, value: UInt32, milliseconds: UInt64)
    case wait(milliseconds: UInt64)
    case functionLevelReset
    /// A reset of the link by the bridge above, which the function sees as a conventional reset.
    case hotReset
  }

  public var name: String
  public var summary: String
  public var steps: [Step]

  private init(_ name: String, _ summary: String, _ steps: [Step]) {
    self.name = name
    self.summary = summary
    self.steps = steps
  }

  /// The default scenario is the first.
  public static let all: [Scenario] = [
    Scenario(
      "linux", "probe, verified I/O, orderly shutdown", [.linkUp, .probe, .verify, .shutDown]),
    Scenario(
      "firmware", "firmware boots from it and leaves it enabled; then Linux",
      [.linkUp, .firmware, .probe, .verify, .shutDown]),
    Scenario(
      "kexec", "a second kernel finds live queues that were never shut down",
      [.linkUp, .probe, .verify, .probe, .verify, .shutDown]),
    Scenario(
      "reset", "CC.EN cleared while the host runs, then a new probe",
      [
        .linkUp, .probe, .verify, .write(offset: 0x14, value: 0x0046_0000),
        .waitForStatus(mask: 1, value: 0, milliseconds: 7500), .probe, .verify, .shutDown,
      ]),
    Scenario(
      "function-reset", "a function-level reset, then a new probe",
      [.linkUp, .probe, .verify, .functionLevelReset, .probe, .verify, .shutDown]),
    Scenario(
      "hot-reset", "the bridge resets the link, then a new probe",
      [.linkUp, .probe, .verify, .hotReset, .probe, .verify, .shutDown]),
    Scenario(
      "link-flap", "the link goes down and up again, then a new probe",
      [.linkUp, .probe, .verify, .linkDown, .wait(milliseconds: 100), .linkUp, .probe, .verify]
        + [.shutDown]),
    Scenario(
      "restart", "an orderly shutdown, the link goes down and up, then a new probe",
      [
        .linkUp, .probe, .verify, .shutDown, .linkDown, .wait(milliseconds: 5000), .linkUp, .probe,
        .verify, .shutDown,
      ]),
    Scenario(
      "abrupt-shutdown", "an abrupt shutdown, CC.SHN = 10b, as at a power failure",
      [
        .linkUp, .probe, .verify, .write(offset: 0x14, value: 0x0046_8001),
        .waitForStatus(mask: 0xc, value: 8, milliseconds: 5000),
      ]),
    Scenario(
      "conformance", "the conformance host, which checks the specification rule by rule",
      [.linkUp, .examine]),
    Scenario(
      "idle", "ten minutes without a command between two reads of the status",
      [.linkUp, .probe, .verify, .wait(milliseconds: 600_000), .verify, .shutDown]),
  ]

  public static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }
}

extension Scenario.Step: CustomStringConvertible {
  public var description: String {
    switch self {
    case .linkUp: return "link up"
    case .linkDown: return "link down"
    case .probe: return "probe"
    case .verify: return "verified I/O"
    case .shutDown: return "shutdown"
    case .firmware: return "firmware"
    case .examine: return "examination"
    case .write(let offset, let value):
      return "write \(hexadecimal(value)) to \(hexadecimal(offset))"
    case .waitForStatus(let mask, let value, _):
      return "wait for CSTS & \(hexadecimal(mask)) = \(hexadecimal(value))"
    case .wait(let milliseconds): return "\(milliseconds) ms pass"
    case .functionLevelReset: return "function-level reset"
    case .hotReset: return "hot reset"
    }
  }
}

/// The board's end of a link, for scenarios with link events.
public protocol LinkControl: AnyObject {
  func linkUp()
  func linkDown()
}

/// Plays scenarios on one function.
public final class ScenarioPlayer {
  private let function: any Function
  private let memory: HostMemory
  private let clock: any HostClock
  private let link: any LinkControl
  /// The host that has probed last.
  public private(set) var host: LinuxHost
  /// The result of the last probe.
  public private(set) var found: ProbeResult?
  /// Bytes that were written and found again.
  public private(set) var verified = 0
  /// The results of the conformance host.
  public private(set) var examination: ConformanceReport?
  /// Of 4 KiB, on each namespace.
  public var transfers = 64
  /// The machine that the host's controllers are on; nil for a new one at each probe.
  public var machine: LinuxMachine?

  /// - Parameter memory: at least 16 MiB from address 0.
  public init(
    _ function: any Function, memory: HostMemory, clock: any HostClock, link: any LinkControl
  ) {
    self.function = function
    self.memory = memory
    self.clock = clock
    self.link = link
    host = LinuxHost(function, memory: memory, clock: clock)
  }

  /// Plays one step.
  /// - Throws: ``HostError`` when the controller does not do its part.
  public func play(_ step: Scenario.Step) throws(HostError) {
    switch step {
    case .linkUp: link.linkUp()
    case .linkDown: link.linkDown()
    case .probe:
      // A new host without knowledge of the previous one.
      host = LinuxHost(function, memory: memory, clock: clock)
      if let machine { host.machine = machine }
      found = try host.probe()
    case .verify:
      for namespace in found?.namespaces ?? [] {
        verified += try host.verify(namespace, transfers: transfers)
      }
    case .shutDown: try host.shutDown()
    case .firmware: try FirmwareHost(function, memory: memory, clock: clock).boot()
    case .examine: examination = try examine()
    case .write(let offset, let value): host.write(at: offset, value)
    case .waitForStatus(let mask, let value, let milliseconds):
      for _ in 0..<milliseconds where host.read(.status) & mask != value {
        clock.wait(milliseconds: 1)
      }
      let status = host.read(.status)
      guard status & mask == value else {
        throw HostError(
          step: "\(step)",
          message: "not after \(milliseconds) ms, CSTS=\(hexadecimal(status))")
      }
    case .wait(let milliseconds): clock.wait(milliseconds: milliseconds)
    case .functionLevelReset: try resetFunction()
    case .hotReset:
      function.reset(.conventional)
      // As long as the specification requires after a conventional reset.
      clock.wait(milliseconds: 100)
    }
  }

  /// Lets the conformance host examine the function.
  /// - Parameters:
  ///   - omitted: rules that are not examined.
  ///   - last: the rule after which nothing more is examined.
  public func examine(
    omitting omitted: Set<String> = [], last: String? = nil
  ) throws(HostError) -> ConformanceReport {
    let host = ConformanceHost(function, memory: memory, clock: clock)
    host.omitted = omitted
    host.last = last
    return try host.examine()
  }

  /// A function-level reset, and the 100 ms that the specification requires.
  private func resetFunction() throws(HostError) {
    guard function.requestReset() else {
      throw HostError(step: "function-level reset", message: "no PCI Express capability")
    }
    clock.wait(milliseconds: 100)
  }
}

extension Function {
  /// Requests a function-level reset, as a host does: Device Control, bit 15, of the PCI Express capability.
  /// - Returns: false without the capability.
  public func requestReset() -> Bool {
    guard let offset = configuration.offset(of: .pciExpress) else { return false }
    let control = configuration.read(offset: offset + 8, width: .word)
    writeConfiguration(offset: offset + 8, width: .word, value: control | 0x8000)
    return true
  }
}
