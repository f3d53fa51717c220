// SPDX-License-Identifier: Apache-2.0
import KernelHistory
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// `--kernel-release` of `predict`, `emulate` and `setup`.
@Suite struct KernelReleaseCommandTests {
  private static let pci = ShippedProfile.directory.appending("null_blk-pci.json").string
  static let releases = ["6.14.2", "6.15", "6.17", "6.18", "7.0", "7.2", "7.3"]

  private func predict(_ release: String) throws -> JSONValue {
    let result = try Program()(
      "predict", Self.pci, "--kernel-release", release, "--release", "same", "--json")
    #expect(result.status == 0, "\(result.errors)")
    return try #require(result.json)
  }

  /// A release, the exit code of validate, and the severities of issues about windows.
  @Test(
    "validate applies the rule of outbound windows as the kernel release has it",
    arguments: [
      (nil, 0, ["warning"]), ("7.2", 65, ["error"]), ("6.14.2", 0, []),
      ("6.14.2-rockchip", 0, ["warning"]), ("6.12", 0, []),
    ] as [(String?, Int32, [String])])
  func windows(_ release: String?, _ status: Int32, _ severities: [String]) throws {
    let program = Program()
    let file = try program.write(
      #"""
      { "version": 1, "name": "x", "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:x", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "functions": [ { "name": "f.0", "ioQueues": 4, "msixVectors": 8, "msiVectors": 8,
          "vendorID": "0x1b96", "deviceID": "0xbeef", "target": { "pci": "nqn.2026-01.org.example:x" },
          "controllerFeatures": { "outboundWindows": 1 } } ] }
      """#, to: "p.json")
    let options = release.map { ["--kernel-release", $0] } ?? []
    let result = try program(["validate", file, "--json"] + options)
    #expect(result.status == status, "\(result.errors)")
    let issues = result.json?.arrayValue?.first?["issues"]?.arrayValue ?? []
    let found = issues.filter { $0["path"]?.stringValue?.hasSuffix("outboundWindows") == true }
    #expect(found.compactMap { $0["severity"]?.stringValue } == severities)
    for issue in found {
      #expect(issue["message"]?.stringValue?.hasPrefix("1 window serves 0 queue pairs;") == true)
    }
  }

  @Test(
    "attributes that the simulated kernel lacks are warnings of emulate and predict",
    arguments: [
      ["emulate", "--boards", "2"], ["emulate"], ["predict"],
    ])
  func ignored(_ words: [String]) throws {
    let program = Program()
    let file = try program.write(
      #"""
      { "version": 1, "name": "x", "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:x", "attributes": { "attr_colour": "blue" },
          "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "functions": [ { "name": "f.0", "ioQueues": 4, "msixVectors": 8, "msiVectors": 8,
          "vendorID": "0x1b96", "deviceID": "0xbeef", "target": { "pci": "nqn.2026-01.org.example:x" } } ] }
      """#, to: "p.json")
    let result = try program(words + [file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("attr_colour"), "\(result.errors)")
    #expect(result.errors.contains("left out here"), "\(result.errors)")
  }

  @Test("predict lists the bugs of the release that a host can meet", arguments: releases)
  func bugs(release: String) throws {
    let json = try predict(release)
    let version = try #require(SimulatedKernel.Release(rawValue: release)).version
    let expected = KernelChange.all.filter {
      $0.place == .host && $0.isFixed && $0.effect != .minor && $0.area != .hostPCI
        && $0.isEmulated(in: version) && $0.concerns(["rockchip,rk3588-pcie-ep"])
    }
    let bugs = json["kernelBugs"]?.arrayValue ?? []
    #expect(bugs.compactMap { $0["name"]?.stringValue } == expected.map(\.name))
    #expect(bugs.compactMap { $0["fixedIn"]?.stringValue } == expected.map(\.endText))
    #expect(json["kernelRelease"]?.stringValue == release)
  }

  @Test("between two releases a prediction differs by its bugs and nothing else")
  func predictions() throws {
    let all = try Self.releases.map { try predict($0) }
    let change = try #require(KernelChange.named("bar0-32-bit"))
    let ats = KernelChange.brokenATS
    func functions(_ json: JSONValue?) -> [JSONValue] {
      (json?["functions"]?.arrayValue ?? []).map { function in
        guard case .object(let members) = function else { return function }
        return .object(
          members.filter { !["bar0Bits", "extendedCapabilities"].contains($0.key) })
      }
    }
    for (release, json) in zip(Self.releases, all) {
      #expect(functions(json) == functions(all.last))
      let version = try #require(SimulatedKernel.Release(rawValue: release)).version
      let bits = json["functions"]?.arrayValue?.first?["bar0Bits"]?.integerValue
      #expect(bits == (change.isEmulated(in: version) ? 32 : 64))
      let capabilities = json["functions"]?.arrayValue?.first?["extendedCapabilities"]
      #expect(capabilities == .array(ats.isEmulated(in: version) ? ["ATS"] : []))
      let log = json["kernelLog"]?.arrayValue?.compactMap(\.stringValue) ?? []
      let others = all.last?["kernelLog"]?.arrayValue?.compactMap(\.stringValue) ?? []
      #expect(log == others)
    }
  }

  @Test(
    "after a restart of the host, the controller is enabled again only with the fix",
    arguments: [
      ("6.14.0", 1), ("6.14.2", 1), ("6.14.3", 1), ("6.14.4", 0), ("6.15", 0), ("7.2", 0),
      ("7.3", 0),
    ])
  func restart(release: String, status: Int32) throws {
    let result = try Program()(
      "emulate", Self.pci, "--kernel-release", release, "--scenario", "restart", "--transfers", "4")
    #expect(result.status == status, "\(result.errors)")
    let message = "Device not ready; aborting initialisation, CSTS=0x0"
    #expect(result.errors.contains(message) == (status == 1), "\(result.errors)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.contains { $0.hasSuffix("Shutting down controller") } == (status == 0))
    #expect(lines.contains { $0.contains("PCI link up") } == !release.hasPrefix("6.14."))
  }

  @Test("without the quirk an old release restarts")
  func quirk() throws {
    let result = try Program()(
      "emulate", Self.pci, "--kernel-release", "6.14.2", "--scenario", "restart", "--quirks",
      "link-changes-not-logged", "--transfers", "4")
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test(
    "a release that is not known is a usage error that names the option",
    arguments: ["6.13", "7.4", "x"])
  func refused(release: String) throws {
    let result = try Program()("predict", Self.pci, "--kernel-release", release)
    #expect(result.status == 64)
    #expect(result.errors.contains("--kernel-release"))
    #expect(result.errors.contains(release))
  }

  @Test("a simulated kernel of an older release sets up, tears down and keeps its driver")
  func teardown() throws {
    let program = Program()
    let first = try program("setup", Self.pci, "--kernel-release", "6.16.3")
    #expect(first.status == 0, "\(first.errors)")
    let plan = try program("teardown", "--all", "--unload-modules", "--dry-run")
    #expect(plan.output.contains("unload module") && !plan.output.contains("nvmet-pci-epf"))
    #expect(plan.errors.contains("nvmet-pci-epf stays loaded: unloading it is a use after free"))
    let second = try program("teardown", "--all", "--unload-modules")
    #expect(second.status == 0, "\(second.errors)")
    let said = second.output + second.errors
    #expect(said.contains("nvmet-pci-epf stays loaded: unloading it is a use after free"))
    #expect(try program.kernel().crashes == [])
  }

  @Test("doctor reports the bugs of the simulated release")
  func doctor() throws {
    let result = try Program()(
      "doctor", "--kernel", "simulated", "--kernel-release", "6.14.2", "--json")
    let findings = result.json?["findings"]?.arrayValue ?? []
    let known = findings.filter { $0["id"]?.stringValue == "known-kernel-bug" }
    #expect(known.contains { $0["subject"]?.stringValue == "enable-survives-shutdown" })
  }
}
