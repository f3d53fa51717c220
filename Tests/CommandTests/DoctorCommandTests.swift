// SPDX-License-Identifier: Apache-2.0
import Foundation
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// `doctor` as a process on a simulated kernel in a file.
@Suite struct DoctorCommandTests {
  private let shipped = ShippedProfile.directory.appending("null_blk-pci.json").string

  @Test("a fresh machine: nothing found, exit code 0")
  func fresh() throws {
    let program = Program()
    let result = try program("doctor", shipped)
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    #expect(result.output.contains("0 errors, 0 warnings, 0 notes"), "\(result.output)")
  }

  @Test("an error is exit code 1, and --quiet prints only findings")
  func broken() throws {
    let program = Program()
    var machine = SimulatedKernel.Machine()
    machine.controllers = []
    _ = try program.kernel(machine: machine)
    let result = try program("doctor", "--quiet")
    #expect(result.status == 1)
    #expect(result.output.hasPrefix("error: controller-missing: "), "\(result.output)")
    #expect(!result.output.contains("not inspected"))
  }

  @Test("the text contains everything in the JSON")
  func same() throws {
    let program = Program()
    var machine = SimulatedKernel.Machine()
    machine.options.insert(.tcpTLS)
    machine.isConfigFSMounted = false
    _ = try program.kernel(machine: machine)
    let text = try program("doctor", shipped).output
    let json = try #require(try program("doctor", shipped, "--json").json)
    #expect(json["fit"]?.boolValue == false)
    var strings: [String] = []
    func collect(_ value: JSONValue) {
      switch value {
      case .string(let string): strings.append(string)
      case .array(let items): items.forEach(collect)
      case .object(let members): members.forEach { collect($0.value) }
      default: break
      }
    }
    collect(json)
    #expect(strings.count > 20)
    for string in strings { #expect(text.contains(string), "\(string)") }
  }

  @Test("a malformed profile is exit code 65, a missing one 66")
  func input() throws {
    let program = Program()
    #expect(try program("doctor", program.write("{", to: "bad.json")).status == 65)
    #expect(try program("doctor", "/nowhere.json").status == 66)
  }
}
