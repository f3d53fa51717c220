// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Profiles with extremes in any key: refused with a place, refused by the machine before the first write, or carried out.
@Suite struct ExtremeProfileTests {
  /// 10,000 with `EPFNVME_TEST_SCALE=full`.
  static let count: UInt64 = TestScale.isFull ? 10_000 : 120

  /// The outcomes of profiles.
  struct Tally: Sendable {
    var malformed = 0
    var refused = 0
    var failed = 0
    var carriedOut = 0
    var total: Int { malformed + refused + failed + carriedOut }

    static func += (a: inout Tally, b: Tally) {
      a.malformed += b.malformed
      a.refused += b.refused
      a.failed += b.failed
      a.carriedOut += b.carriedOut
    }
  }

  @Test(
    "no extreme value traps; a valid profile is set up and torn down, or refused before a write"
  )
  func extremes() async throws {
    let tally = try await withThrowingTaskGroup(of: Tally.self) { group in
      let workers: UInt64 = 4
      for worker in 0..<workers {
        group.addTask {
          let schema = try PublishedSchema.profile()
          var tally = Tally()
          for seed in stride(from: worker, to: Self.count, by: Int(workers)) {
            try Self.run(seed, schema, &tally)
          }
          #expect(schema.unknown == [])
          return tally
        }
      }
      return try await group.reduce(into: Tally()) { $0 += $1 }
    }
    print(
      "\(tally.total) profiles with extremes: \(tally.malformed) refused by validate, \(tally.refused) by the machine before the first write, \(tally.failed) rolled back, \(tally.carriedOut) set up, checked and removed; none trapped"
    )
    #expect(tally.total == Int(Self.count))
    // The extremes leave enough of every kind to mean something.
    #expect(tally.malformed > tally.total / 10)
    #expect(tally.carriedOut > tally.total / 10)
    #expect(tally.failed < tally.total / 20)
  }

  private static func run(_ seed: UInt64, _ schema: JSONSchema, _ tally: inout Tally) throws {
    let kernelRelease: SimulatedKernel.Release = seed % 2 == 0 ? .linux7_2 : .linux6_12
    let document = ExtremeProfile.document(seed: seed, for: kernelRelease)
    let violations = schema.violations(document)
    let located: Profile.Located
    do { located = try Profile.decode(Array(document.prettyText.utf8)) } catch {
      tally.malformed += 1
      for issue in error.issues where issue.severity == .error {
        #expect(issue.position != nil && !issue.message.isEmpty, "seed \(seed): \(issue)")
      }
      return
    }
    #expect(violations == [], "seed \(seed): validate takes what the schema refuses")
    // The same rules hold for what did not come from a text.
    #expect(
      try Profile.decode(Array(located.profile.json.compactText.utf8)).profile == located.profile,
      "seed \(seed)")
    let machine = SimulatedMachine(kernelRelease, machine: ProfileGenerator.machine)
    let before = machine.state()
    do {
      _ = try machine.provisioner.plan(located)
      try machine.setUp(located)
    } catch {
      if machine.kernel.effects == 0 {
        tally.refused += 1
        let kinds: [ProvisioningError.Kind] = [.impossible, .unsupported, .inputMissing]
        #expect(kinds.contains(error.kind), "seed \(seed): \(error.kind): \(error.message)")
      } else {
        // Only what the kernel alone knows: raw attributes, and addresses that the machine does not have.
        tally.failed += 1
        #expect(
          error.kind == .operationFailed && isOnlyForTheKernel(error, located.profile),
          "seed \(seed): \(error.kind): \(error.message)")
      }
      #expect(try machine.provisioner.names() == [], "seed \(seed)")
      return
    }
    tally.carriedOut += 1
    try examine(located, on: machine, "seed \(seed)")
    try machine.tearDown(located.profile.name)
    #expect(objects(machine.state()) == objects(before), "seed \(seed): something is left")
    #expect(try machine.provisioner.names() == [], "seed \(seed)")
  }

  /// Checks a profile that is set up.
  private static func examine(
    _ located: Profile.Located, on machine: SimulatedMachine, _ name: String
  ) throws {
    let failures = try machine.provisioner.check(located).failures
    #expect(failures.map { "\($0.id): \($0.actual ?? "nothing")" } == [], "\(name)")
    let rest = try machine.provisioner.plan(located).steps.map(\.operation.sentence)
    #expect(rest == [], "\(name): a second setup has something to do")
    #expect(try machine.provisioner.differences(located).map(\.id) == [], "\(name)")
    let export = try machine.provisioner.export(withSecrets: true)
    #expect(
      throws: Never.self, "\(name)",
      performing: { _ = try Profile.decode(Array(export.profile.json.prettyText.utf8)) })
    let saved = try machine.provisioner.exportNvmetcli(withSecrets: true).json
    do { _ = try Import(nvmetcli: Array(saved.prettyText.utf8), as: "imported") } catch {
      #expect(error.issues.allSatisfy { $0.position != nil }, "\(name)")
    }
  }

  private static func isOnlyForTheKernel(
    _ error: ProvisioningError, _ profile: Profile
  ) -> Bool {
    guard let path = error.path else { return false }
    var attributes = profile.hosts.flatMap(\.attributes)
    attributes += profile.ports.flatMap(\.attributes)
    attributes += profile.functions.flatMap(\.attributes)
    for subsystem in profile.subsystems {
      attributes += subsystem.attributes
      attributes += subsystem.namespaces.flatMap(\.attributes)
    }
    for backing in profile.backings {
      if case .nullBlock(let device) = backing.store { attributes += device.attributes }
    }
    // Attributes that came after 6.12; whether a kernel has one shows when its object is made.
    let isMissing =
      error.errno == .noSuchFileOrDirectory
      && [
        "/rotational", "/param_mdts", "/resv_enable", "/attr_vendor_id", "/attr_subsys_vendor_id",
      ].contains {
        path.hasSuffix($0)
      }
    // The family `pci` came with Linux 6.14.
    let isNewFamily = path.hasSuffix("/addr_adrfam") && error.errno == .invalidArgument
    let isPort = path.contains("/nvmet/ports/") && path.contains("/subsystems/")
    // Kernels before 6.15 have no blocks larger than a page.
    let hasLargeBlocks = profile.backings.contains {
      guard case .nullBlock(let device) = $0.store else { return false }
      return device.blockSize ?? 0 > 4096
    }
    let isBlockSize = path.hasSuffix("/power") && error.errno == .invalidArgument && hasLargeBlocks
    // A remote target answers as it likes.
    let isRemote =
      path.contains("/pci_ep/controllers/")
      && profile.functions.contains {
        if case .tcp = $0.target { $0.name == FilePath(path).lastComponent?.string } else { false }
      }
    return isPort || isMissing || isRemote || isBlockSize || isNewFamily
      || attributes.contains { path.hasSuffix("/" + $0.name) }
  }

  /// Without the modules that setup loads and leaves: their trees and the shared header stay.
  private static func objects(_ state: [String]) -> [String] {
    state.filter { line in
      let path = line.prefix { $0 != " " }.split(separator: "/")
      switch (path.first, path.dropFirst().first) {
      case ("nullb", let device?): return device != "features"
      case ("nvmet", "subsystems"), ("nvmet", "ports"), ("nvmet", "hosts"): return path.count > 2
      case ("pci_ep", "functions"): return path.count > 3
      case ("pci_ep", "controllers"): return true
      default: return false
      }
    }
  }
}
