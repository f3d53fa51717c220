// SPDX-License-Identifier: Apache-2.0
import HostTools
import ControllerEmulation
import NVMe
import Provisioning
import Testing

/// Enable, disable and shutdown by registers, a controller beside its emulation.
@Suite("Lockstep")
struct LockstepTests {
  /// A controller that the link has come up for; time passes as it is told.
  private func registers(_ behaviour: Behaviour, without quirk: Quirk? = nil) throws
    -> EmulatedRegisters
  {
    let bus = try FakeBus(behaviour, without: quirk)
    return EmulatedRegisters(bus.function)
  }

  private func run(_ disk: any RegisterDrive, _ emulation: any RegisterDrive) -> [Check.Case] {
    Lockstep.run(disk, against: emulation, name: "disk", shutdownLimit: 0)
  }

  @Test("a controller that equals its emulation passes every step", arguments: Behaviour.allCases)
  func same(behaviour: Behaviour) throws {
    let cases = try run(registers(behaviour), registers(behaviour))
    #expect(cases.count == Lockstep.steps.count)
    #expect(cases.filter { !$0.hasPassed }.isEmpty, "\(cases.filter { !$0.hasPassed })")
  }

  /// A quirk of a driver, and the steps at which a controller without it differs from one with it.
  static let quirks: [(Quirk, [String])] = [
    (.abruptShutdownIgnored, ["abrupt-shutdown", "reset-after-abrupt"]),
    (.failedEnableIsSilent, ["enable-with-small-entries", "reset-at-the-end"]),
    (.shutdownWhileDisabledIgnored, ["shutdown-while-disabled", "clear-notification"]),
  ]

  @Test("a controller without a quirk is distinguished from one with it", arguments: quirks)
  func quirk(quirk: Quirk, steps: [String]) throws {
    let behaviour = quirk.behaviour
    let cases = try run(registers(behaviour, without: quirk), registers(behaviour))
    let failed = cases.filter { !$0.hasPassed }.map { String($0.id.dropFirst("lockstep ".count)) }
    #expect(failed.contains(steps[0]), "\(failed)")
    #expect(Set(failed).isSubset(of: steps), "\(failed)")
  }

  /// Answers like another one, but its changes come late or never.
  private final class Slow: RegisterDrive {
    let inner: EmulatedRegisters
    /// The factor by which the controller is slower; nil for one that never becomes ready.
    let factor: Int?
    private var pauses = 0
    init(_ inner: EmulatedRegisters, factor: Int?) {
      self.inner = inner
      self.factor = factor
    }
    func read(_ register: Register) -> UInt32 {
      let value = inner.read(register)
      return factor == nil && register == .status ? value & ~1 : value
    }
    func write(_ register: Register, _ value: UInt32) { inner.write(register, value) }
    func pause() {
      pauses += 1
      if pauses % (factor ?? 1) == 0 { inner.pause() }
    }
    var milliseconds: UInt64 { UInt64(pauses) }
  }

  @Test("a slow controller within CAP.TO passes")
  func slow() throws {
    let cases = try run(
      Slow(registers(.nvmetPCIEPF), factor: 300), registers(.nvmetPCIEPF))
    let enable = try #require(cases.first { $0.id == "lockstep enable" })
    #expect(enable.hasPassed, "\(enable)")
  }

  @Test("a controller that never becomes ready fails at enable, and the step has its changes")
  func neverReady() throws {
    let cases = try run(Slow(registers(.nvmetPCIEPF), factor: nil), registers(.nvmetPCIEPF))
    let enable = try #require(cases.first { $0.id == "lockstep enable" })
    #expect(!enable.hasPassed)
    #expect(enable.actual == "0x0 in 0 ms")
    #expect(enable.expected == "0x0 -> 0x1 within 7500 ms")
  }

  @Test("an interrupted run omits the remaining steps")
  func interrupted() throws {
    var asked = 0
    let cases = Lockstep.run(
      try registers(.reference), against: try registers(.reference), name: "disk", shutdownLimit: 0
    ) {
      asked += 1
      return asked > 3
    }
    #expect(cases.map(\.id) == ["lockstep reset", "lockstep enable", "lockstep disable"])
  }
}
