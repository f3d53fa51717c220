// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import EndpointProvisioning
package import Provisioning
package import SimulatedKernel
internal import SystemPackage
internal import TestSupport

/// Random profiles on two machines, one of them simulated: each is set up, changed into a second one and back, exported and removed.
package struct PlanComparison {
  /// The end of a pair of profiles.
  package enum Ending: Sendable {
    /// So many answers and trees were compared.
    case equal(Int)
    /// Both machines refuse one of the profiles, for this reason.
    case refused(String)
    /// The step after which the machines differ, and what only one of them has.
    case different(step: String, real: [String], simulated: [String])
  }

  /// Both machines without anything in their trees.
  package struct Machines {
    package var real: Machine
    package var realKernel: ComparedKernel
    package var simulated: SimulatedKernel
    package var leftovers: [String]

    package init(
      real: Machine, realKernel: ComparedKernel, simulated: SimulatedKernel, leftovers: [String]
    ) {
      self.real = real
      self.realKernel = realKernel
      self.simulated = simulated
      self.leftovers = leftovers
    }
  }

  private let release: SimulatedKernel.Release
  private let missing: Set<String>
  private let runDirectory: String

  /// - Parameter runDirectory: the beginning of the paths of two directories for journals.
  package init(
    _ release: SimulatedKernel.Release, options: Set<SimulatedKernel.KernelOption>,
    runDirectory: String
  ) {
    self.release = release.generation == .linux7_2 ? .linux7_2 : .linux6_12
    var missing: Set<String> = []
    if !options.contains(.integrity) { missing.formUnion(["attr_pi_enable", "param_pi_enable"]) }
    if !options.contains(.authentication) {
      missing.formUnion(["dhchap_key", "dhchap_ctrl_key", "dhchap_hash", "dhchap_dhgroup"])
    }
    self.missing = missing
    self.runDirectory = runDirectory
  }

  /// A generated profile without attributes that the kernel lacks, as it is read from a file.
  private func located(_ profile: Profile) throws -> Profile.Located {
    var profile = profile
    for index in profile.subsystems.indices {
      profile.subsystems[index].attributes.removeAll { missing.contains($0.name) }
    }
    for index in profile.hosts.indices {
      profile.hosts[index].attributes.removeAll { missing.contains($0.name) }
    }
    return try Profile.decode(Array(profile.json.compactText.utf8))
  }

  /// The pair with a number.
  package func run(seed: UInt64, on machines: Machines) throws -> Ending {
    let pair = ProfileGenerator.pair(seed: seed, for: release)
    let (a, b) = (try located(pair.0), try located(pair.1))
    let sides = [
      Side(
        machine: machines.real, kernel: machines.realKernel, run: runDirectory + ".real"),
      Side(
        machine: .simulated(machines.simulated), kernel: ComparedKernel(machines.simulated),
        run: runDirectory + ".simulated"),
    ]
    guard machines.leftovers.isEmpty else {
      return .different(step: "cleaning", real: machines.leftovers, simulated: [])
    }
    let start = sides.map { $0.state }
    if start[0] != start[1] { return difference("before", start[0], start[1]) }
    let name = a.profile.name
    let steps: [(String, (Side) throws -> [String])] = [
      ("setup of the first", { try $0.setUp(a) }), ("check of the first", { try $0.check(a) }),
      ("change to the second", { try $0.setUp(b) }), ("check of the second", { try $0.check(b) }),
      ("second setup of the second", { try $0.setUp(b) }),
      ("change back", { try $0.setUp(a) }), ("check after the change", { try $0.check(a) }),
      ("export", { try $0.export(name) }), ("teardown", { try $0.tearDown(name) }),
    ]
    var compared = 0
    for (title, step) in steps {
      let answers = sides.map { side in outcome { try step(side) } }
      if answers[0] != answers[1] { return difference(title, answers[0], answers[1]) }
      let states = sides.map(\.state)
      if states[0] != states[1] { return difference("state after \(title)", states[0], states[1]) }
      compared += 2
      if let refusal = answers[0].first, refusal.hasPrefix("refused: ") {
        _ = sides.map { side in outcome { try side.tearDown(name) } }
        return .refused("\(title): \(refusal)")
      }
    }
    let end = sides[0].state
    if end != start[0] { return difference("what teardown leaves", end, start[0]) }
    return .equal(compared + 1)
  }

  private func outcome(_ body: () throws -> [String]) -> [String] {
    do { return try body() } catch let error as ProvisioningError {
      return ["refused: \(error.kind.rawValue): \(error.message)"] + error.leftovers
    } catch { return ["refused: \(error)"] }
  }

  private func difference(_ step: String, _ real: [String], _ simulated: [String]) -> Ending {
    let (left, right) = (Set(real), Set(simulated))
    var found = (real.filter { !right.contains($0) }, simulated.filter { !left.contains($0) })
    if found.0.isEmpty, found.1.isEmpty { found = (real, simulated) }
    return .different(step: step, real: found.0, simulated: found.1)
  }
}

/// One of the two machines.
private struct Side {
  let provisioner: Provisioner
  let kernel: ComparedKernel
  let storage: any BackingStore

  init(machine: Machine, kernel: ComparedKernel, run: String) {
    provisioner = Provisioner(machine, run: RunDirectory(FilePath(run)))
    self.kernel = kernel
    storage = machine.storage
  }

  func setUp(_ profile: Profile.Located) throws -> [String] {
    let outcome = try provisioner.setUp(profile, force: true) { _ in }
    return ["changed: \(outcome.changed)"] + outcome.plan.steps.map(\.operation.sentence)
  }

  func check(_ profile: Profile.Located) throws -> [String] {
    let check = try provisioner.check(profile)
    return check.cases.map { "\($0.id): \($0.outcome): expected \($0.expected)" }
      + (try provisioner.differences(profile)).map { "difference: \($0.id)" }
  }

  func export(_ name: String) throws -> [String] {
    let export = try provisioner.export([name])
    return Volatile.words(in: export.profile.json.prettyText).split(separator: "\n").map(
      String.init)
      + export.warnings.map { "\($0)" }
  }

  func tearDown(_ name: String) throws -> [String] {
    var options = Provisioner.TeardownOptions()
    options.force = true
    return ["removed: \(try provisioner.tearDown(name, options: options) { _ in })"]
  }

  /// The trees, the bound loop devices, and the journals.
  var state: [String] {
    let loops = (try? storage.boundLoops()) ?? []
    return kernel.tree + loops.map { "\($0.device) is \($0.file)" }
      + provisioner.run.journalNames().map { "journal \($0)" }
  }
}

extension Volatile {
  /// A text in which random UUIDs and serial numbers are replaced.
  static func words(in text: String) -> String {
    text.split(separator: "\"", omittingEmptySubsequences: false).map { word in
      let random = self.text(word + "\n")
      return random == word + "\n" ? String(word) : String(random.dropLast())
    }.joined(separator: "\"")
  }
}
