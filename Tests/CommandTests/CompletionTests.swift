// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The completions of bash with the generated script: the script is sourced, and the function that it registers is called as readline does.
@Suite struct CompletionTests {
  /// Sets what readline sets, words split as it splits them, and prints what would be offered.
  private static let driver = #"""
    source completions || exit 90
    COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=()
    for word in ${1//=/ = }; do COMP_WORDS+=("$word"); done
    [[ $1 != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    registered=$(complete -p epfnvme) || exit 91
    function=${registered#*-F } function=${function%% *}
    "$function" epfnvme "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    for reply in "${COMPREPLY[@]}"; do printf '%s\n' "$reply"; done
    """#

  private func offers(_ line: String, in program: Program) throws -> [String] {
    let script = try program("--generate-completion-script", "bash")
    _ = try program.write(script.output, to: "completions")
    let result = try program.shell(Self.driver, line, shell: "/bin/bash")
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    return result.output.split(separator: "\n").map(String.init)
  }

  @Test("bash accepts the script")
  func syntax() throws {
    let program = Program()
    let script = try program.write(
      try program("--generate-completion-script", "bash").output, to: "script")
    let result = try program.shell("bash -n \"$1\"", script)
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
  }

  @Test("commands are completed by their prefix")
  func commands() throws {
    #expect(try offers("epfnvme te", in: Program()) == ["teardown"])
    let all = try offers("epfnvme ", in: Program())
    #expect(all.contains("setup") && all.contains("smoke"))
    #expect(!all.contains("exchange") && !all.contains("manual"), "a hidden command")
  }

  @Test(
    "a fixed set of words is completed",
    arguments: [
      ("epfnvme plan --format ", ["text", "json", "shell"]),
      ("epfnvme smoke --format j", ["junit", "json"]),
      ("epfnvme status --kernel ", ["live", "simulated"]),
      ("epfnvme emulate --scenario conf", ["conformance"]),
      ("epfnvme setup --driver nv", ["nvmet_pci_epf"]),
      ("epfnvme status --color n", ["never"]),
      ("epfnvme emulate --quirks reg", ["registers-writable"]),
    ])
  func fixed(line: String, expected: [String]) throws {
    #expect(Set(try offers(line, in: Program())) == Set(expected))
  }

  @Test("the last of several quirks is completed, with those before it")
  func quirks() throws {
    let program = Program()
    let names = try program("emulate", "--list-quirks", "--json").json?.arrayValue?
      .compactMap { $0["name"]?.stringValue }
    let first = try #require(names?.first)
    let offered = try offers("epfnvme emulate --quirks \(first),", in: program)
    #expect(offered == names?.dropFirst().map { "\(first),\($0)" })
  }

  @Test("controllers are those of the machine, also of the one that --kernel names")
  func controllers() throws {
    let program = Program()
    var machine = SimulatedKernel.Machine()
    machine.controllers = [.virtual("a40000000.pcie-ep"), .virtual("fd000000.pcie-ep")]
    _ = try program.kernel(machine: machine)
    for command in ["start", "stop", "bounce", "setup --controller"] {
      #expect(
        try offers("epfnvme \(command) ", in: program)
          == ["a40000000.pcie-ep", "fd000000.pcie-ep"], "\(command)")
    }
    #expect(try offers("epfnvme start fd", in: program) == ["fd000000.pcie-ep"])

    let other = program.directory.appending("other")
    machine.controllers = [.virtual("elsewhere")]
    _ = try SimulatedKernel(contentsOf: other, kernelRelease: .linux7_2, machine: machine)
    #expect(
      try offers("epfnvme start --kernel simulated=\(other) ", in: program) == ["elsewhere"])
    #expect(try offers("epfnvme start --kernel=simulated=\(other) e", in: program) == ["elsewhere"])
  }

  @Test("auto is offered for disks that are only inspected, not for disks that are changed")
  func disks() throws {
    #expect(try offers("epfnvme check --host a", in: Program()) == ["auto"])
    #expect(try offers("epfnvme host rebind a", in: Program()).isEmpty)
  }

  @Test("names are those of profiles that are set up")
  func names() throws {
    let program = Program()
    #expect(try offers("epfnvme export ", in: program).isEmpty)
    let shipped = ShippedProfile.directory.appending("null_blk-pci.json").string
    #expect(try program("setup", shipped).status == 0)
    #expect(try offers("epfnvme export ", in: program) == ["nullblk-pci"])
    #expect(try offers("epfnvme teardown nu", in: program) == ["nullblk-pci"])
  }

  @Test(
    "profiles are files in the current directory and in the directory of the word, and the installed ones"
  )
  func profiles() throws {
    let program = Program()
    _ = try program.write("{}", to: "board.json")
    _ = try program.write("", to: "board.txt")
    let below = program.directory.appending("profiles").string
    try FileManager.default.createDirectory(atPath: below, withIntermediateDirectories: true)
    _ = try program.write("{}", to: "profiles/disk.json")
    for command in ["setup", "doctor", "host find --profile"] {
      #expect(try offers("epfnvme \(command) b", in: program) == ["board.json"], "\(command)")
    }
    #expect(try offers("epfnvme setup ", in: program) == ["board.json", "profiles/"])
    #expect(try offers("epfnvme check profiles/", in: program) == ["profiles/disk.json"])
    #expect(try offers("epfnvme validate a.json profiles/d", in: program) == ["profiles/disk.json"])

    // As installed: the program in bin, the profiles in share.
    let files = FileManager.default
    let root = program.directory.appending("usr")
    for name in ["bin", "share/epfnvme/profiles"] {
      try files.createDirectory(
        atPath: root.appending(name).string, withIntermediateDirectories: true)
    }
    let installed = root.appending("bin/epfnvme").string
    try files.copyItem(atPath: Program.executable, toPath: installed)
    let shipped = try program.write("{}", to: "usr/share/epfnvme/profiles/shipped.json")
    let result = try program.start(
      ["---completion", "setup", "--", "positional@0", "2", "0", "epfnvme", "setup", ""],
      executable: installed, in: program.directory
    ).finish()
    #expect(result.status == 0)
    #expect(result.output.split(separator: "\n").contains { $0 == shipped })
  }

  @Test("a file's name is never run as a command")
  func hostileNames() throws {
    let program = Program()
    for name in ["$(touch gone).json", "`touch gone`.json", "a b.json", "x;touch gone.json"] {
      _ = try program.write("{}", to: name)
    }
    #expect(try offers("epfnvme setup ", in: program).isEmpty)
    #expect(!FileManager.default.fileExists(atPath: program.directory.appending("gone").string))
  }

  @Test("names that cannot be read are omitted silently, and nothing is changed")
  func unreadable() throws {
    let program = Program()
    _ = try program.write("not a kernel", to: "kernel")
    let before = fileNames(in: program.directory)
    #expect(try offers("epfnvme export ", in: program).isEmpty)
    #expect(try offers("epfnvme start ", in: program).isEmpty)
    let added = Set(fileNames(in: program.directory)).subtracting(before)
    #expect(!added.contains { $0.hasPrefix("kernel") }, "\(added)")
  }
}
