// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import HostDriver
import LibC
import LinuxFiles
import PCI
import ProfileEmulation
import Provisioning
import SimulatedKernel
import SystemPackage

/// Compares the real driver, behind the socket of `epfnvme link`, with its emulation.
///
///     CompareDriver SOCKET PROFILE DRIVER conformance all|RULE
///     CompareDriver SOCKET PROFILE DRIVER table CONSOLE FIRST
///     CompareDriver SOCKET PROFILE DRIVER random|windows SEED SEQUENCES ACTIONS CONSOLE FIRST
///
/// The board has set up the profile, and its machine writes the kernel's lines to the file CONSOLE. Prints `difference`, name, what the real driver does, what the emulation does, separated by tabs; at the end
/// `compared` with the number of comparisons and of differences. The exit status is 0 also with differences; 3 if the controller is of no more
/// use, after `lost` with the number of the next row or sequence: the caller boots the board again, and continues there.
@main
struct CompareDriver {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 5, let release = SimulatedKernel.Release(functionDriver: arguments[3])
    else {
      print("CompareDriver SOCKET PROFILE DRIVER conformance|table|random|windows …")
      exit(64)
    }
    let socket = arguments[1]
    let bytes = [UInt8](try readFile(FilePath(arguments[2])).utf8)
    let located = try Profile.decode(bytes)
    let emulation = try Emulation(located, release)
    func number(_ index: Int) -> UInt64? {
      arguments.indices.contains(index) ? UInt64(arguments[index]) : nil
    }
    switch arguments[4] {
    case "conformance": try conformance(socket, emulation, arguments[5])
    case "table":
      try table(
        socket, emulation, try BoardLog(arguments[5], driver: arguments[3]),
        from: Int(number(6) ?? 0))
    case "random", "windows":
      var model = try Self.model(emulation)
      model.usesDMA = arguments[4] == "random"
      let device = try LinkedDevice(socket)
      device.awaitsInterrupts = false
      RandomComparison(
        seed: number(5) ?? 1, sequences: Int(number(6) ?? 10), actions: Int(number(7) ?? 40),
        first: Int(number(9) ?? 0), device: device,
        log: try BoardLog(arguments[8], driver: arguments[3]), model: model,
        emulation: LinkedEmulation(model)
      ).run()
    default: exit(64)
    }
  }

  /// The emulated controller of the profile.
  static func model(_ emulation: Emulation) throws -> ControllerModel {
    var model: ControllerModel?
    try emulation.forEachEndpoint { (_, endpoint) throws(ProvisioningError) in
      model = endpoint.function.model
    }
    guard var model else { exit(65) }
    // Like the lab's kernel.
    model.hasAuthentication = false
    // Each emulated controller has an empty disk, like the board's.
    model.namespaces = model.namespaces.map { namespace in
      var namespace = namespace
      namespace.backend = .memory(MemoryStore(count: 128 << 20))
      return namespace
    }
    return model
  }

  /// The rules of the conformance host, but those that the driver does not survive; or one of these alone.
  static func conformance(_ socket: String, _ emulation: Emulation, _ rule: String) throws {
    let isAll = rule == "all"
    let omitted = ConformanceHost.failingReads.subtracting([rule])
    var emulated = ConformanceReport()
    try emulation.forEachEndpoint { (_, endpoint) throws(ProvisioningError) in
      try endpoint.play(.linkUp)
      emulated =
        (try? endpoint.player.examine(omitting: omitted, last: isAll ? nil : rule)) ?? emulated
    }
    if !isAll { emulated.rules.removeAll { $0.id != rule } }
    let device = try LinkedDevice(socket)
    let host = ConformanceHost(device.function, memory: device.memory, clock: device.function)
    host.omitted = omitted
    host.last = isAll ? nil : rule
    var real = ConformanceReport()
    do { real = try host.examine() } catch {
      print("failed", "\(error)", separator: "\t")
      real = host.examination
    }
    var report = Report()
    let found = Dictionary(real.rules.map { ($0.id, $0) }) { first, _ in first }
    for rule in emulated.rules {
      guard let other = found[rule.id] else {
        report.compare(rule.id, real: "not examined", emulated: rule.found ?? "kept")
        continue
      }
      report.compare(
        rule.id, real: other.found ?? "kept", emulated: rule.found ?? "kept")
    }
    for rule in real.rules where isAll && !emulated.rules.contains(where: { $0.id == rule.id }) {
      report.compare(rule.id, real: rule.found ?? "kept", emulated: "not examined")
    }
    report.write()
  }

  /// The rows of the conformance table, each on a controller that was reset: the outcome, and the kernel's lines.
  static func table(
    _ socket: String, _ emulation: Emulation, _ log: BoardLog, from first: Int
  ) throws {
    let device = try LinkedDevice(socket)
    let model = try model(emulation)
    func text(_ outcome: String, _ lines: [String]) -> String {
      ([outcome] + lines.sorted()).joined(separator: " | ")
    }
    var report = Report()
    for (index, row) in HostExpectation.all.enumerated().dropFirst(first) {
      let emulated = Host(LinkedEmulation(model))
      emulated.enable()
      let count = emulated.log.count
      let wanted = row.run(emulated)
      emulated.drain()
      let lines = Array(emulated.log[count...])
      let real = Host(device)
      real.enable()
      _ = log.take()
      let outcome = row.run(real)
      report.compare(
        row.name, real: text(outcome, log.take(atLeast: lines.count)),
        emulated: text(wanted, lines))
      guard isAlive(device) else {
        report.write()
        print("lost", index + 1, separator: "\t")
        exit(3)
      }
    }
    report.write()
  }

  /// Whether the controller comes up after a reset, and answers.
  static func isAlive(_ device: any Device) -> Bool {
    device.reset()
    let host = Host(device)
    host.enable()
    guard host.status & 3 == 1, host.identify(1).0 == 0 else { return false }
    device.reset()
    return true
  }
}
