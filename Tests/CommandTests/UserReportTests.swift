// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SystemPackage
import SimulatedKernel
import TestSupport
import Testing

/// What people met on boards and hosts, as the commands show it.
@Suite struct UserReportTests {
  private static let nqn = "nqn.2026-01.org.example:x"

  /// A profile with one function.
  private func profile(
    namespace: String = "", port: String = "", function: String = "", identity: String = "",
    msixVectors: Int = 8
  ) -> String {
    """
    { "version": 1, "name": "x", \(identity) "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
      "subsystems": [ { "nqn": "\(Self.nqn)", "namespaces": [ { "id": 1, "backing": "d"\(namespace) } ] } ],
      "ports": [ \(port) ],
      "functions": [ { "name": "f.0", "controller": "a40000000.pcie-ep", "ioQueues": 4, "vendorID": "0x1b96", "deviceID": "0xbeef",
        "msixVectors": \(msixVectors), "msiVectors": 8, "target": { "pci": "\(Self.nqn)" }\(function) } ] }
    """
  }

  private func file(_ program: Program, _ text: String) throws -> String {
    try program.write(text, to: "profile.json")
  }

  // MARK: Attributes of other drivers

  private static let foreign = #", "attributes": { "nvme/user_path_enable": "1" }"#

  @Test(
    "setup refuses an attribute that the driver lacks before the first write; predict and emulate leave it out"
  )
  func foreignAttribute() throws {
    let program = Program()
    let path = try file(program, profile(function: Self.foreign))
    #expect(try program("validate", path).status == 0)
    for command in [["setup", path], ["plan", path]] {
      let result = try program(command)
      #expect(result.status == 78, "\(result.errors)")
      #expect(
        result.errors.contains(
          "functions[0].attributes.nvme/user_path_enable: the driver nvmet_pci_epf of the simulated kernel has no attribute nvme/user_path_enable"
        ), "\(result.errors)")
      #expect(result.errors.contains("hint: it belongs to another driver"))
    }
    for command in ["predict", "emulate"] {
      let result = try program(command, path)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.errors.contains("has no attribute nvme/user_path_enable: left out here"))
    }
  }

  @Test("an attribute that the driver has is none of another driver's")
  func ownAttribute() throws {
    let program = Program()
    let path = try file(
      program, profile(namespace: #", "attributes": { "resv_enable": "1" }"#))
    let result = try program("predict", path)
    #expect(!result.errors.contains("no attribute"), "\(result.errors)")
  }

  // MARK: Access

  private static let inaccessible =
    #"{ "id": 7, "transport": "pci", "subsystems": ["\#(nqn)"], "anaGroups": [ { "id": 2, "state": "inaccessible" } ] }"#

  @Test("predict and status say that a host gets no usable disk of an inaccessible group")
  func access() throws {
    let program = Program()
    let path = try file(
      program, profile(namespace: #", "anaGroup": 2"#, port: Self.inaccessible))
    let words = "the host gets no usable disk"
    let prediction = try program("predict", path)
    let line = prediction.output.split(separator: "\n").first { $0.contains("namespace 1: ") }
    #expect(line?.contains("is inaccessible on the function's port: \(words)") == true)
    #expect(try program("setup", path).status == 0)
    #expect(try program("status").output.contains("ANA inaccessible: \(words)"))
    let json = try program("status", "--json").json
    let space = json?["subsystems"]?.arrayValue?.first?["namespaces"]?.arrayValue?.first
    #expect(space?["anaState"]?.stringValue == "inaccessible")
    let doctor = try program("doctor", "--json").json
    let found = doctor?["findings"]?.arrayValue?.compactMap { $0["id"]?.stringValue }
    #expect(found?.contains("ana-inaccessible") == true)
  }

  @Test("predict shows a namespace that a host can use, without a reason")
  func accessible() throws {
    let program = Program()
    let result = try program("predict", try file(program, profile()))
    #expect(result.output.contains("namespace 1: 131072 blocks of 512 bytes\n"))
  }

  // MARK: Boards

  @Test(
    "doctor and predict name the bugs of a simulated board's controller",
    arguments: [("6.14.2", true), ("7.2", false)])
  func hardwareBugs(_ release: String, _ hasThem: Bool) throws {
    let path = ShippedProfile(name: "rock5b", kernelRelease: .linux7_2).file.string
    for command in ["doctor", "predict"] {
      let result = try Program()(command, "--kernel-release", release, path)
      #expect(result.output.contains("ats-capability-broken") == hasThem, "\(result.output)")
      #expect(result.output.contains("msix-write-after-unmap") == hasThem, "\(result.output)")
    }
  }

  @Test("boards with two functions each are probed and verified in one host")
  func boardsWithTwoFunctions() throws {
    let program = Program()
    let path = ShippedProfile(name: "two-functions", kernelRelease: .linux7_2).file.string
    let result = try program("emulate", path, "--boards", "2", "--transfers", "4", "--json")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.matches(of: /"controller": "nvme[0-3]"/).count == 4, "\(result.output)")
  }

  @Test(
    "of two ports that offer its subsystem, a function uses the first one, of which validate warns")
  func firstPort() throws {
    let program = Program()
    for (first, second) in [("inaccessible", "optimized"), ("optimized", "inaccessible")] {
      func port(_ id: Int, _ state: String) -> String {
        #"{ "id": \#(id), "transport": "pci", "subsystems": [ "nqn.2026-01.org.example:x" ], "anaGroups": [ { "id": 2, "state": "\#(state)" } ] }"#
      }
      let path = try program.write(
        #"""
        { "version": 1, "name": "x", "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
          "subsystems": [ { "nqn": "nqn.2026-01.org.example:x", "namespaces": [ { "id": 1, "backing": "d", "anaGroup": 2 } ] } ],
          "ports": [ \#(port(4, first)), \#(port(3, second)) ],
          "functions": [ { "name": "f.0", "ioQueues": 4, "msixVectors": 8, "msiVectors": 8,
            "vendorID": "0x1b96", "deviceID": "0xbeef", "target": { "pci": "nqn.2026-01.org.example:x" } } ] }
        """#, to: "p.json")
      let validated = try program("validate", path)
      #expect(validated.errors.contains("port 4 makes") == (first == "inaccessible"))
      let plan = try program("plan", path)
      #expect(plan.output.contains(/write 4 to .*\/portid/), "\(plan.output)")
      let emulated = try program("emulate", path)
      #expect((emulated.status == 0) == (first == "optimized"), "\(emulated.errors)")
    }
  }

  @Test(
    "equal identities of two boards: the line with which the host refuses, and a hint that is not done yet",
    arguments: [
      (
        #", "uuid": "75db752f-9c96-4e3b-ae08-e0feebe08138""#, "",
        "ignoring nsid 1 because of duplicate IDs", "remove \"uuid\""
      ),
      ("", #""identity": "profile","#, "Duplicate cntlid", "remove \"identity\""),
      (
        "", #""identity": "seed", "identitySeed": "s","#, "Duplicate cntlid",
        "set another \"identitySeed\""
      ),
    ])
  func twins(_ namespace: String, _ identity: String, _ line: String, _ hint: String) throws {
    let program = Program()
    let path = try file(program, profile(namespace: namespace, identity: identity))
    let result = try program("emulate", path, "--boards", "2", "--transfers", "4")
    #expect(result.status == 1)
    let error = result.errors.split(separator: "\n").first {
      $0.contains("the host rejects a board")
    }
    #expect(error?.contains(line) == true, "\(result.errors)")
    let text = result.errors.split(separator: "\n").first {
      $0.contains("hint: the boards have one identity: ")
    }
    #expect(text?.contains(hint) == true, "\(result.errors)")
  }

  @Test("validate on a simulated machine uses the identities of that machine")
  func machineIdentity() throws {
    let program = Program()
    let first = try file(program, profile())
    #expect(try program("setup", first).status == 0)
    let uuid = try #require(
      try program("export").output.split(separator: "\"").map(String.init).first {
        $0.count == 36 && $0.split(separator: "-").count == 5
      })
    // The second namespace has what the first one gets on that machine.
    let twice = profile().replacing(
      #"{ "id": 1, "backing": "d" }"#,
      with: #"{ "id": 1, "backing": "d" }, { "id": 2, "backing": "e", "uuid": "\#(uuid)" }"#
    ).replacing(
      #""d": {"#, with: #""e": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } }, "d": {"#)
    let path = try file(program, twice)
    let result = try program("validate", path)
    #expect(result.status == 65)
    #expect(
      result.errors.contains("namespace 2 has the UUID of namespace 1: Linux makes no disk of it"),
      "\(result.errors)")
    #expect(try program("validate", "--kernel", "live", path).status == 0)
  }

  // MARK: Scenarios

  /// A profile's MSI-X vectors, a release, a scenario and whether the emulation shows the fault.
  static let faults: [(Int, String, String, String, Bool)] = [
    (0, "7.0-rc1", "firmware", "msi-address-cached", true),
    (8, "7.0-rc1", "firmware", "msi-address-cached", false),
    (0, "7.0-rc1", "linux", "msi-address-cached", false),
    (0, "6.19", "firmware", "msi-address-cached", false),
    (0, "7.0-rc2", "firmware", "msi-address-cached", false),
    (8, "6.16", "hot-reset", "link-training-during-hot-reset", true),
    (8, "6.16", "function-reset", "link-training-during-hot-reset", false),
    (8, "6.17", "hot-reset", "link-training-during-hot-reset", false),
  ]

  @Test(
    "a scenario shows the fault of a release, and not of the one with the fix", arguments: faults)
  func scenario(
    _ vectors: Int, _ release: String, _ scenario: String, _ fault: String, _ isShown: Bool
  ) throws {
    let program = Program()
    let path = try file(program, profile(msixVectors: vectors))
    let result = try program(
      "emulate", path, "--kernel-release", release, "--scenario", scenario, "--transfers", "4",
      "--json")
    let text = (result.json?["functions"]?.arrayValue?.first?["diagnoses"]).map { "\($0)" } ?? ""
    #expect(text.contains(fault) == isShown, "\(result.errors) \(text)")
  }

  @Test(
    "conformance shows what releases do with entry sizes and interrupts",
    arguments: [
      ("7.2", "enable-large-entry-sizes", true), ("7.3", "enable-large-entry-sizes", false),
      ("6.14.8", "create-cq-without-interrupts", true),
      ("6.14.9", "create-cq-without-interrupts", false),
    ])
  func conformance(_ release: String, _ rule: String, _ isBroken: Bool) throws {
    let program = Program()
    let path = try file(program, profile())
    let result = try program(
      "emulate", path, "--kernel-release", release, "--scenario", "conformance", "--json")
    let rules = result.json?["functions"]?.arrayValue?.first?["rules"]?.arrayValue ?? []
    let found = try #require(rules.first { $0["id"]?.stringValue == rule }, "\(result.errors)")
    #expect((found["kept"] != .bool(true)) == isBroken)
  }

  @Test("predict says what the release of an unknown builder leaves open")
  func reservation() throws {
    let program = Program()
    let path = try file(program, profile())
    for (release, isReserved) in [("6.14.2", false), ("6.14.2-rockchip", true)] {
      let result = try program("predict", path, "--kernel-release", release, "--json")
      let bugs = result.json?["kernelBugs"]?.arrayValue ?? []
      let bug = try #require(
        bugs.first { $0["name"]?.stringValue == "enable-survives-shutdown" })
      #expect((bug["reservation"]?.stringValue != nil) == isReserved)
      let text = try program("predict", path, "--kernel-release", release).output
      #expect(
        text.contains("(the builder of this kernel (\"-rockchip\") is not known") == isReserved)
    }
  }
}
