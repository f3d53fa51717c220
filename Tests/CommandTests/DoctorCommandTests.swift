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
      // The text has the role in other words.
      case .object(let members): members.filter { $0.key != "role" }.forEach { collect($0.value) }
      default: break
      }
    }
    collect(json)
    #expect(strings.count > 20)
    for string in strings { #expect(text.contains(string), "\(string)") }
  }

  // MARK: The host

  private static let log = """
    [ 1.9] nvme nvme0: pci function 0000:01:00.0
    [ 9.6] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0

    """

  @Test(
    "a saved log of a host gives its findings, from a file, packed or on standard input",
    arguments: [
      "doctor --host --log dmesg.txt", "host explain --log dmesg.txt",
      "doctor --host --log dmesg.txt.gz", "doctor --host --log - < dmesg.txt",
    ])
  func savedLog(command: String) throws {
    let program = Program()
    _ = try program.write(Self.log, to: "dmesg.txt")
    let result = try program.shell("gzip -k dmesg.txt; epfnvme \(command) --json")
    #expect(result.status == 1, "\(result.errors)")
    let finding = result.json?["findings"]?.arrayValue?.first
    #expect(finding?["id"]?.stringValue == "probe-timeout")
    #expect(finding?["subject"]?.stringValue == "nvme0 (0000:01:00.0)")
    #expect(finding?["evidence"]?.arrayValue?.first?["path"]?.stringValue?.hasSuffix(":2") == true)
    #expect(result.json?["role"]?.stringValue == "host")
    let text = try program.shell("epfnvme \(command.replacing(".gz", with: ""))")
    #expect(text.status == 1)
    #expect(text.output.hasPrefix("error: probe-timeout: nvme0 (0000:01:00.0)\n"))
    #expect(text.output.contains("has a problem with an NVMe device"))
  }

  @Test("a log without problems is exit code 0, and a missing one 66")
  func savedLogEnds() throws {
    let program = Program()
    let clean = try program.write("[ 1.9] nvme nvme0: 4/0/0 default/read/poll queues\n", to: "log")
    #expect(try program("doctor", "--host", "--log", clean).status == 0)
    #expect(try program("doctor", "--host", "--log", "/nowhere").status == 66)
  }

  @Test(
    "options that do not fit are usage errors",
    arguments: [["--log", "/dev/null"], ["--host", "--log", "/dev/null", "board.json"]])
  func hostUsage(_ options: [String]) throws {
    #expect(try Program()(["doctor"] + options).status == 64)
  }

  @Test("this machine's own state is examined without root and without a board")
  func live() throws {
    let result = try Program()("doctor", "--host", "--kernel", "live", "--json")
    #expect(result.status <= 1, "\(result.errors)")
    #expect(result.json?["role"]?.stringValue == "host")
  }

  @Test("a malformed profile is exit code 65, a missing one 66")
  func input() throws {
    let program = Program()
    #expect(try program("doctor", program.write("{", to: "bad.json")).status == 65)
    #expect(try program("doctor", "/nowhere.json").status == 66)
  }
}
