// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The shipped profiles and the README's example, as a new user tries them.
@Suite struct ShippedProfileTests {
  /// A profile's text, and its name in messages.
  struct Sample: Sendable, CustomTestStringConvertible {
    var name: String
    var text: String
    var testDescription: String { name }

    /// The options for the simulated kernel that the profile needs: `["--kernel-release", "6.12"]`.
    var options: [String] {
      text.firstMatch(of: /--kernel-release (\S+?)[.,]?\s/).map {
        ["--kernel-release", String($0.output.1)]
      } ?? []
    }
  }

  static let samples: [Sample] =
    ShippedProfile.names.compactMap { name in
      guard let bytes = try? readFile(ShippedProfile.directory.appending(name + ".json")) else {
        return nil
      }
      return Sample(name: name, text: String(decoding: bytes, as: UTF8.self))
    }
    + (GuideTests.guides.last?.files.map { Sample(name: "README's \($0.key)", text: $0.value) }
      ?? [])

  @Test(
    "validates, sets up and checks without a warning on a new simulated kernel", arguments: samples)
  func walk(_ sample: Sample) throws {
    let program = Program()
    let file = try program.write(sample.text, to: "profile.json")
    let validated = try program("validate", file)
    #expect(validated.status == 0)
    #expect(validated.errors.isEmpty, "\(validated.errors)")
    let plan = try program(["plan", file] + sample.options)
    #expect(plan.status == 0)
    // Without memory, for measurements.
    let keepsNothing = sample.text.contains(#""memoryBacked": false"#)
    #expect(keepsNothing || plan.errors.isEmpty, "\(plan.errors)")
    let up = try program(["setup", file, "--json"] + sample.options)
    #expect(up.status == 0, "\(up.errors)")
    #expect(
      up.json?["warnings"]?.arrayValue?.compactMap { $0["path"]?.stringValue }
        == (keepsNothing ? ["backings.disk.nullBlock"] : []))
    #expect(keepsNothing || up.errors.isEmpty, "\(up.errors)")
    for command in ["check", "diff", "doctor"] {
      let result = try program(command, file)
      #expect(result.status == 0, "\(command): \(result.output)\(result.errors)")
    }
    #expect(try program("teardown", file).status == 0)
  }

  @Test("there are ten, and the README's")
  func count() {
    #expect(Self.samples.count == 11)
  }

  @Test(
    "on the other simulated kernel the error names the option of the profile, which works",
    arguments: [("tcp", "7.2"), ("null_blk-pci", "6.12")])
  func otherKernel(_ name: String, _ kernelRelease: String) throws {
    let sample = try #require(Self.samples.first { $0.name == name })
    #expect(sample.options.count == 2)
    let option = sample.options.joined(separator: " ")
    let program = Program()
    let file = ShippedProfile.directory.appending(name + ".json").string
    let other = try program("setup", file, "--kernel-release", kernelRelease)
    #expect([69, 78].contains(other.status))
    #expect(other.errors.contains(option), "\(other.errors)")
    // The file has the other kernel already.
    let same = try program(["setup", file] + sample.options)
    #expect(same.status == 78)
    #expect(same.errors.contains("--kernel-release is for a new one"), "\(same.errors)")
    let fresh = program.directory.appending("fresh").string
    let up = try program(["setup", file, "--kernel", "simulated=\(fresh)"] + sample.options)
    #expect(up.status == 0, "\(up.errors)")
  }

  @Test("comments describe teardown of files: they are kept unless --delete-files is given")
  func files() throws {
    for sample in Self.samples where sample.text.contains("\"create\": true") {
      guard !sample.name.hasPrefix("README") else { continue }
      #expect(sample.text.contains("--delete-files"), "\(sample.name)")
      let program = Program()
      let file = try program.write(sample.text, to: "profile.json")
      #expect(try program("setup", file).status == 0)
      #expect(try program("teardown", file).status == 0)
      let again = try program("plan", file, "--json").json?["steps"]?.arrayValue ?? []
      #expect(!again.isEmpty)
      #expect(!again.contains { $0["operation"]?.stringValue == "create file" }, "\(sample.name)")
      #expect(try program("setup", file).status == 0)
      #expect(try program("teardown", file, "--delete-files").status == 0)
      let fresh = try program("plan", file, "--json").json?["steps"]?.arrayValue ?? []
      #expect(!fresh.contains { $0["operation"]?.stringValue == "create file" }, "\(sample.name)")
    }
  }
}
