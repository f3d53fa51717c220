// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// `diff`, `export` and `import` as processes on a simulated kernel in a file.
@Suite struct InterchangeCommandTests {
  private let shipped = ShippedProfile.directory.appending("null_blk-pci.json").string

  @Test("export into a file, teardown, setup from the file, export: the same text")
  func walk() throws {
    let program = Program()
    #expect(try program("setup", shipped).status == 0)
    let file = program.directory.appending("mine.json").string
    let export = try program("export", "--output", file)
    #expect(
      export.status == 0 && export.output.isEmpty && export.errors.isEmpty, "\(export.errors)")
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try program("diff", file).status == 0)
    #expect(try program("teardown", "nullblk-pci").status == 0)
    #expect(try program("setup", file).status == 0)
    let text = String(decoding: try readFile(FilePath(file)), as: UTF8.self)
    #expect(try program("export").output == text)
  }

  @Test("an existing file is kept without --force and replaced with it")
  func overwriting() throws {
    let program = Program()
    #expect(try program("setup", shipped).status == 0)
    let file = try program.write("mine\n", to: "kept.json")
    let refused = try program("export", "-o", file)
    #expect(refused.status == 73)
    #expect(refused.errors.contains("EEXIST") && refused.errors.contains("--force replaces it"))
    #expect(String(decoding: try readFile(FilePath(file)), as: UTF8.self) == "mine\n")
    #expect(try program("export", "-o", file, "--force").status == 0)
    #expect(try program("validate", file).status == 0)
    let link = program.directory.appending("link").string
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "elsewhere")
    #expect(try program("export", "-o", link).status == 73)
    #expect(
      !FileManager.default.fileExists(atPath: program.directory.appending("elsewhere").string))
  }

  @Test("diff reports differences and the effect of their fixes, and exits with 1")
  func diff() throws {
    let program = Program()
    // A machine without an ID, so that the subsystem has the profile's NQN.
    _ = try program.kernel()
    #expect(try program("setup", shipped).status == 0)
    let same = try program("diff", shipped)
    #expect(same.status == 0)
    #expect(same.output == "nullblk-pci: the machine matches the profile\n")
    let kernel = try program.kernel()
    let subsystem = FilePath(
      "/sys/kernel/config/nvmet/subsystems/nqn.2026-01.org.example:nullblk-pci")
    _ = try kernel.write("Other\n", to: subsystem.appending("attr_model"))
    try kernel.createDirectory(subsystem.appending("namespaces/9"))
    let different = try program("diff", shipped, "--color", "never")
    #expect(different.status == 1)
    for words in [
      "~ attribute nvmet/subsystems/nqn.2026-01.org.example:nullblk-pci/attr_model: \"Other\", should be \"Linux-nvmet-pciep\"",
      "identity that hosts see",
      "fixing it disrupts a host: the host loses the NVMe controller of nullblk-pci",
      "? directory nvmet/subsystems/nqn.2026-01.org.example:nullblk-pci/namespaces/9",
      "setup does not change it",
      "2 differences; fixing 1 of them disrupts a host: setup requires --force",
    ] { #expect(different.output.contains(words), "\(different.output)") }
    let json = try #require(try program("diff", shipped, "--json").json)
    #expect(json["same"]?.boolValue == false)
    #expect(
      json["differences"]?.arrayValue?.map { $0["kind"]?.stringValue } == ["different", "foreign"])
  }

  /// As in the first profile, the second names the subsystem and the disk that the first one made.
  @Test("diff says that setup refuses a profile, and why, in the words of setup")
  func refusedDiff() throws {
    let program = Program()
    _ = try program.kernel()
    #expect(try program("setup", shipped).status == 0)
    let other = try program.write(
      #"""
      { "version": 1, "name": "other", "identity": "profile",
        "backings": { "d": { "nullBlock": { "device": "nullblk-pci-disk", "sizeMiB": 64, "memoryBacked": true } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:nullblk-pci", "namespaces": [ { "id": 1, "backing": "d" } ] } ] }
      """#, to: "other.json")
    let refused = try program("setup", other)
    #expect(refused.status == 78)
    let reason = try #require(
      refused.errors.split(separator: "\n").first { $0.contains("error: ") }?.split(
        separator: "error: ", maxSplits: 1
      ).last)
    let diff = try program("diff", other)
    #expect(diff.status == 1)
    #expect(diff.output.contains("setup refuses it: \(reason)"), "\(diff.output)\(refused.errors)")
    #expect(!diff.output.contains("no fix disrupts a host"))
    let json = try #require(try program("diff", other, "--json").json)
    #expect(json["refusal"]?["message"]?.stringValue == String(reason))
    #expect(try program("diff", shipped, "--json").json?["refusal"] == .null)
  }

  @Test("export and import of nvmetcli JSON are consistent")
  func nvmetcli() throws {
    let program = Program()
    #expect(try program("setup", shipped).status == 0)
    let saved = program.directory.appending("saved.json").string
    let export = try program("export", "--format", "nvmetcli", "--output", saved)
    #expect(export.status == 0)
    #expect(export.errors.contains("nvmetcli has no endpoint functions"))
    let imported = try program("import", saved, "--name", "moved")
    #expect(imported.status == 0, "\(imported.errors)")
    #expect(imported.json?["name"]?.stringValue == "moved")
    #expect(
      imported.json?["subsystems"]?.arrayValue?.first?["model"]?.stringValue == "Linux-nvmet-pciep")
    #expect(try program("import", saved).json?["name"]?.stringValue == "saved")
  }

  @Test("export --format shell is a script that a shell accepts")
  func shell() throws {
    let program = Program()
    #expect(try program("setup", shipped).status == 0)
    let script = program.directory.appending("board.sh").string
    #expect(try program("export", "--format", "shell", "-o", script).status == 0)
    _ = try Tool.run("sh", ["-n", script])
    let text = String(decoding: try readFile(FilePath(script)), as: UTF8.self)
    for line in [
      "mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config",
      "modprobe nvmet-pci-epf",
      "put 1 /sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep/start",
    ] { #expect(text.contains(line)) }
  }

  @Test("a script's command line becomes a profile that setup accepts")
  func script() throws {
    let program = Program()
    let file = program.directory.appending("board.json").string
    let imported = try program(
      "import", "--from-script", "nvmet-pci-epf --nrioq 4 --mdts 256 --sched bfq start", "-o", file)
    #expect(imported.status == 0)
    #expect(imported.errors.contains("(script):1:36: warning: --sched is left out"))
    #expect(try program("setup", file).status == 0)
    #expect(try program("diff", file).status == 0)
  }

  @Test("malformed input is 65 with a location, a missing file 66")
  func errors() throws {
    let program = Program()
    let unknown = try program("import", "--from-script", "nvme-epf --nriok 4 start")
    #expect(unknown.status == 65)
    let complaint =
      "(script):1:10: error: nvme-epf has no option \"--nriok\"\n  hint: did you mean \"--nrioq\"?\n"
    #expect(unknown.errors.hasSuffix(complaint), "\(unknown.errors)")
    let file = try program.write("{ \"ports\": 1 }", to: "bad.json")
    let bad = try program("import", file, "--json")
    #expect(bad.status == 65)
    #expect(bad.json?["error"]?["issues"]?.arrayValue?.first?["column"]?.integerValue == 12)
    #expect(try program("import", "/nowhere.json").status == 66)
    #expect(try program("import").status == 64)
    #expect(try program("import", file, "--from-script", "nvme-epf start").status == 64)
    #expect(try program("export", "--as", "../x").status == 64)
    #expect(try program("export", "nobody").status == 66)
    #expect(try program("export", "--force").status == 64)
  }
}
