// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Every command with standard descriptors that are full or closed: a result that cannot be written is 73 and a message, never success.
@Suite struct OutputTests {
  private static let profile = ShippedProfile.directory.appending("null_blk-loop.json").string
  private static let shipped = ShippedProfile(name: "null_blk-loop", kernelRelease: .linux7_2)

  /// A command, what it ends with when all is well, and whether it then prints a result.
  struct Row: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var status: Int32
    var prints: Bool
    /// Whether the profile is set up before.
    var isSetUp: Bool
    /// Whether it runs until it cannot write any more.
    var goesOn: Bool
    /// The changes that are made although they cannot be reported.
    var changes: String?

    var testDescription: String { arguments.joined(separator: " ") }

    init(
      _ arguments: String..., status: Int32 = 0, prints: Bool = true, isSetUp: Bool = false,
      goesOn: Bool = false, changes: String? = nil
    ) {
      self.arguments = arguments
      self.status = status
      self.prints = prints
      self.isSetUp = isSetUp
      self.goesOn = goesOn
      self.changes = changes
    }
  }

  static let table: [Row] = [
    Row("--help"), Row("--version"), Row("help", "setup"),
    Row("--generate-completion-script", "bash"), Row("--generate-completion-script", "zsh"),
    Row("--experimental-dump-help"),
    Row("setup", profile, changes: "nullblk-loop is set up"),
    Row("setup", profile, "--json", changes: "nullblk-loop is set up"),
    Row("setup", profile, "--quiet", prints: false), Row("setup", profile, "--dry-run"),
    Row("setup", profile, isSetUp: true),
    Row("setup", "/nowhere.json", "--json", status: 66),
    Row("setup", "--nonsense", status: 64, prints: false),
    Row("plan", profile), Row("plan", profile, "--format", "shell"), Row("plan", profile, "--json"),
    Row("teardown", isSetUp: true, changes: "nullblk-loop was taken down"),
    Row("teardown", "--all", "--json", isSetUp: true, changes: "nullblk-loop was taken down"),
    Row("teardown"),
    Row("status", isSetUp: true), Row("status", "--json"),
    Row("status", "--watch", goesOn: true),
    Row("status", "--watch", "--json", goesOn: true),
    Row("validate", profile), Row("validate", profile, "/nowhere.json", "--json", status: 66),
    Row("diff", profile, status: 1), Row("diff", profile, "--json", isSetUp: true),
    Row("export", isSetUp: true), Row("export", "--format", "shell", isSetUp: true),
    Row("export", "--format", "nvmetcli", isSetUp: true),
    Row("import", "--from-script", "nvmet-pci-epf start"),
    Row("start", isSetUp: true), Row("stop", isSetUp: true, changes: "stopped"),
    Row("bounce", "--json", isSetUp: true, changes: "stopped and started"),
    Row("controllers"), Row("controllers", "--json"),
    Row("check", profile, status: 1), Row("check", profile, "--json", isSetUp: true),
    Row("check", profile, "--host", "auto", "--json", status: 78),
    Row("smoke", profile, "--hold", "0"), Row("smoke", profile, "--hold", "0", "--json"),
    Row("smoke", "--list-cases"),
    Row("doctor"), Row("doctor", profile, "--json"),
    Row("predict", profile), Row("predict", profile, "--commands", "--json"),
    Row("emulate", profile), Row("emulate", "--list-quirks", "--json"),
    Row("serve", profile, "--print-qemu"), Row("serve", profile, "--print-qemu", "--json"),
    Row("serve", profile, "--socket", "socket", goesOn: true),
    Row("link", "--board", "board", "--host", "host", goesOn: true),
    Row("monitor", "--timeout", "0"), Row("monitor", "--json", goesOn: true),
    Row("debug", "status", status: 78, prints: false), Row("debug", "on", "--json", status: 78),
    Row("doctor", "--host", "--log", profile),
    Row("host", "explain", "--log", profile, "--json"),
    Row("host", "explain", status: 78, prints: false),
    Row("host", "find", "--json", status: 78), Row("host", "rescan", status: 78, prints: false),
    Row("host", "rebind", "0000:01:00.0", status: 78, prints: false),
    Row("host", "remove", "0000:01:00.0", "--json", status: 78),
    Row("exchange", "get", "nothing", "--exchange", "exchange", prints: false),
    Row("exchange", "put", "message", "--exchange", "exchange", status: 66, prints: false),
    Row("manual", ".", prints: false),
  ]

  /// Runs a row with its descriptors as a shell's words say; `$out` is where the result goes.
  private func run(_ row: Row, _ redirections: String) throws -> (Program.Result, Program) {
    let program =
      row.isSetUp ? try PreparedMachine.nullBlock.get().start() : Program()
    if !row.isSetUp { _ = try program.kernel() }
    let result = try program.start(
      ["-c", "exec \"$0\" \"$@\" \(redirections)", Program.executable] + row.arguments,
      executable: "/bin/sh", in: program.directory
    ).finish()
    return (result, program)
  }

  @Test("is 73 and a message when the result cannot be written", arguments: table)
  func endings(_ row: Row) throws {
    if !row.goesOn {
      let (plain, _) = try run(row, "")
      #expect(plain.status == row.status, "\(plain.output.suffix(300))\(plain.errors)")
      #expect(plain.output.isEmpty != row.prints, "\(plain.output.prefix(300))")
    }
    // A failure's own code says more, and the message is there all the same.
    let status = row.prints && [0, 1, 4].contains(row.status) ? 73 : row.status
    for (redirection, errno) in [(">/dev/full", "ENOSPC"), (">&-", "EBADF")] {
      let (result, program) = try run(row, redirection)
      #expect(result.status == status, "\(redirection): \(result.errors)")
      let message = "cannot write the result to standard output: \(errno)"
      #expect(
        result.errors.contains(message) == row.prints, "\(redirection): \(result.errors)")
      #expect(result.output.isEmpty, "\(redirection)")
      if let change = row.changes {
        #expect(
          result.errors.contains("\(change) nevertheless"), "\(redirection): \(result.errors)")
        let isUp = fileNames(in: program.runDirectory).contains("nullblk-loop.json")
        #expect(isUp == (row.arguments[0] != "teardown"), "\(redirection)")
      }
    }
    // Messages may go nowhere; the result and the code are the same.
    guard !row.goesOn else { return }
    let (silent, _) = try run(row, "<&- 2>&-")
    #expect(silent.status == row.status, "<&- 2>&-: \(silent.output.suffix(300))")
    #expect(silent.output.isEmpty != row.prints, "<&- 2>&-")
    #expect(silent.errors.isEmpty, "<&- 2>&-: \(silent.errors)")
  }

  @Test("the table has every command")
  func everyCommand() throws {
    let leaves = try CommandTree.all().filter(\.isLeaf).map(\.words)
    #expect(leaves.count > 20)
    for words in leaves {
      #expect(
        Self.table.contains { Array($0.arguments.prefix(words.count)) == words },
        "\(words) is not in the table")
    }
  }

  @Test("a reader that closes the pipe early is not a failure, and causes no message")
  func earlyReader() throws {
    let program = Program()
    for command in [
      "epfnvme --help", "epfnvme plan \(Self.profile)", "epfnvme status --watch",
      "epfnvme monitor --json", "epfnvme emulate --verbose \(Self.profile)",
    ] {
      // The only reader of the pipe is closed before the command begins.
      let result = try program.shell(
        "mkfifo p; exec 3<>p 4>p 3<&-; \(command) >&4 4>&-; echo $?; rm p")
      #expect(result.output == "0\n", "\(command): \(result.errors)")
      #expect(!result.errors.contains("cannot write"), "\(command): \(result.errors)")
    }
  }

  @Test("a profile from a closed standard input is missing, not empty")
  func closedInput() throws {
    let program = Program()
    for command in ["validate -", "setup -", "import -"] {
      let result = try program.shell("epfnvme \(command) <&-")
      #expect(result.status == 66, "\(command): \(result.errors)")
      #expect(result.errors.contains("EBADF"), "\(command): \(result.errors)")
    }
    let piped = try program.shell("cat \(Self.profile) | epfnvme validate -")
    #expect(piped.output == "-: valid\n", "\(piped.errors)")
  }

  @Test(
    "closed descriptors are never reused for the lock, the journal or the state: messages are dropped",
    arguments: ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
  func closedDescriptors(_ redirections: String) throws {
    let program = Program()
    let kernel = try program.kernel()
    kernel.inject(.init(effect: 25, action: .signal(SIGKILL)))
    // The shell must not be the one that is killed.
    let killed = try program.shell("(exec epfnvme setup \(Self.profile) \(redirections)); echo $?")
    #expect(killed.output == "137\n", "\(killed.errors)")
    for name in ["lock", "nullblk-loop.json"] {
      let text = String(decoding: try readFile(program.runDirectory.appending(name)), as: UTF8.self)
      #expect(!text.isEmpty, "\(name)")
      for line in text.split(separator: "\n") {
        let isOwn = name == "lock" ? Int(line) != nil : line.hasPrefix("{") && line.hasSuffix("}")
        #expect(isOwn, "\(name): \(line)")
      }
    }
    let next = try program("teardown", "--all")
    #expect(next.status == 0, "\(next.errors)")
    let status = redirections.contains(">&- ") ? 73 : 0
    let whole = try program.shell("epfnvme setup \(Self.profile) \(redirections)")
    #expect(whole.status == status)
    #expect(try program("check", Self.profile).status == 0)
  }

  // MARK: Files

  @Test("files that are larger than may be written: 73, a message, and no part of a file")
  func fullFileSystem() throws {
    let program = Program()
    _ = try program.write("old\n", to: "old")
    let import_ = "epfnvme import --from-script 'nvmet-pci-epf start'"
    let commands: [(String, [String])] = [
      ("\(import_) -o new", ["new"]), ("\(import_) -o old --force", []),
      ("epfnvme emulate -q \(Self.profile) --trace trace", ["trace"]),
      ("epfnvme manual .", ["epfnvme.1"]),
      ("epfnvme status", []),
    ]
    for (command, absent) in commands {
      // 512 bytes, and SIGXFSZ for a program that does not ignore it.
      let result = try program.shell("(ulimit -f 1; \(command)) >/dev/null")
      #expect(result.status == 73, "\(command): \(result.errors)")
      #expect(result.errors.contains("EFBIG"), "\(command): \(result.errors)")
      let names = fileNames(in: program.directory)
      for name in absent { #expect(!names.contains(name), "\(command) left \(name)") }
      #expect(!names.contains { $0.hasSuffix(".new") }, "\(command): \(names)")
    }
    #expect(
      String(decoding: try readFile(program.directory.appending("old")), as: UTF8.self) == "old\n")
  }

  @Test("a journal that cannot grow fails the step, and all earlier steps are undone")
  func fullJournal() throws {
    // The run directory of a kernel in memory is on a disk, and its files end at 2 KiB. Messages go through a pipe, which does not end.
    let result = try Program().shell(
      "{ (ulimit -f 4; epfnvme setup --kernel simulated \(Self.profile) 2>&1); echo $?; } | cat")
    let lines = result.output.split(separator: "\n")
    #expect(lines.last == "73", "\(result.output)")
    #expect(
      lines.contains { $0.contains("cannot write the journal") && $0.contains("EFBIG") },
      "\(result.output)")
    let done = lines.count { $0.hasPrefix("[") && $0.contains("] create ") }
    let undone = lines.count { $0.hasPrefix("undo: remove ") }
    #expect(done > 0 && undone == done, "\(result.output)")
    #expect(!result.output.contains("left over"), "\(result.output)")
  }

  @Test(
    "a path that cannot be created: 73 and a message",
    arguments: ["/proc/nowhere", "/dev/null/x", "directory", "missing/x"])
  func unwritable(_ place: String) throws {
    let program = Program()
    try FileManager.default.createDirectory(
      atPath: program.directory.appending("directory").string, withIntermediateDirectories: false)
    for command in [
      "import --from-script 'nvmet-pci-epf start' -o \(place)",
      "import --from-script 'nvmet-pci-epf start' --force -o \(place)",
      "export -o \(place)", "emulate -q \(Self.profile) --trace \(place)",
      "smoke \(Self.profile) --format junit -o \(place)",
      "smoke \(Self.profile) --format ktap -o \(place)",
      "status --kernel simulated=\(place)", "setup \(Self.profile) --kernel simulated=\(place)",
      "manual \(place)x",
    ] {
      let result = try program.shell("epfnvme \(command)")
      #expect(result.status == 73, "\(command): \(result.output)\(result.errors)")
      #expect(result.errors.contains("error: cannot "), "\(command): \(result.errors)")
      #expect(result.errors.contains("hint: "), "\(command): \(result.errors)")
    }
    #expect(try program.kernel().effects == 0)
  }

  @Test("a simulated kernel whose lock cannot be opened is not changed")
  func stateLock() throws {
    let program = Program()
    _ = try program.kernel()
    let lock = program.kernelFile.string + ".lock"
    try FileManager.default.removeItem(atPath: lock)
    try FileManager.default.createDirectory(atPath: lock, withIntermediateDirectories: false)
    let before = try readFile(program.kernelFile)
    let result = try program("setup", Self.profile)
    #expect(result.status == 73, "\(result.errors)")
    #expect(result.errors.contains("cannot lock it: EISDIR"), "\(result.errors)")
    #expect(try readFile(program.kernelFile) == before)
  }
}

extension PreparedMachine {
  /// One for all rows that need it.
  static let nullBlock = Result {
    try PreparedMachine(ShippedProfile(name: "null_blk-loop", kernelRelease: .linux7_2))
  }
}
