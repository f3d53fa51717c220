// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ControllerEmulation
internal import HostDriver
internal import NVMe
internal import ProfileEmulation
internal import Provisioning
internal import SimulatedKernel

struct EmulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "emulate",
    abstract: "Run a profile's emulated controller against a simulated host.",
    discussion: """
      Needs neither a board nor root and changes nothing. The profile is set up on a simulated kernel with backings in \
      memory, and a simulated host does what the Linux driver does: probe, Identify, verified I/O on every namespace, \
      shutdown. --kernel-release selects the driver and its behaviour in that release; --verbose also shows doorbells and interrupts.

      Scenarios:
      \(Scenario.all.map { "  \($0.name): \($0.summary)" }.joined(separator: "\n"))

      A quirk is a deviation of a driver from the specification, or of some releases from Linux 7.2.13. All quirks that the \
      driver has in the release are emulated unless --quirks selects some of them; --list-quirks lists them.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Option(help: ArgumentHelp("Transfers of 4 KiB on each namespace.", valueName: "count"))
  var transfers = 64
  @Option(
    help: ArgumentHelp(
      "The scenario.", valueName: "name"))
  var scenario = ScenarioName(scenario: Scenario.all[0])
  @OptionGroup var quirks: QuirkOptions
  @Flag(help: "List the quirks of both drivers and exit.") var listQuirks = false
  @Flag(
    help:
      "Run the reference controller instead of the driver's: same identity and namespaces, behaviour of the specification."
  )
  var reference = false
  @Option(
    help: ArgumentHelp(
      "Set the profile up on this many boards, each with its own machine ID, and probe all of them with one Linux host.",
      valueName: "count"))
  var boards = 1
  @Flag(help: "Wait in real time; by default waiting takes no time.")
  var realTime = false
  @Option(
    help: ArgumentHelp(
      "Also write a trace in the Trace Event Format, for Perfetto; - is standard output, without other results.",
      valueName: "file"),
    completion: .file())
  var trace: String?

  /// Whether events are printed to standard output.
  private var printsText: Bool { !global.json && !global.quiet && !TraceFile.isResult(trace) }

  func validate() throws {
    if global.json, TraceFile.isResult(trace) {
      throw ValidationError("--trace - takes standard output: name a file, or omit --json.")
    }
    guard !reference || quirks.names == nil else {
      throw ValidationError("The reference controller has no quirks: omit --quirks.")
    }
    guard (1...16).contains(boards) else { throw ValidationError("--boards takes 1 to 16.") }
    guard boards == 1 || !reference && !realTime && trace == nil && quirks.names == nil else {
      throw ValidationError(
        "--boards cannot be combined with --reference, --real-time, --trace and --quirks.")
    }
    guard (1...1_000_000).contains(transfers) else {
      throw ValidationError("--transfers takes 1 to 1000000.")
    }
  }

  func run() throws {
    try global.run {
      if listQuirks { return showQuirks() }
      let located = try source.located()
      if boards > 1 { return try runBoards(located) }
      let emulation = try Emulation(
        located, global.emulatedRelease(for: located.profile), quirks: quirks.names)
      for issue in emulation.ignored { global.terminal.complain(issue, in: source.name) }
      if printsText {
        for line in emulation.bindLog { print(Terminal.printable("kernel: \(line)")) }
      }
      var reports: [JSONValue] = []
      var file = TraceFile()
      try emulation.forEachEndpoint(
        .init(isReference: reference, isRealTime: realTime)
      ) {
        (number, endpoint) throws(ProvisioningError) in
        reports.append(
          try run(endpoint) { file.add($0, function: endpoint.name, number: number) })
      }
      if let trace { try file.write(to: trace) }
      if global.json {
        let json: JSONValue = [
          "name": .string(located.profile.name),
          "kernelRelease": .string(emulation.kernelRelease.rawValue), "reference": .bool(reference),
          "scenario": .string(scenario.scenario.name),
          "bindLog": .array(emulation.bindLog.map { .string($0) }),
          "kernelBugs": .array(reference ? [] : emulation.kernelBugs.map { emulation.json($0) }),
          "functions": .array(reports),
        ]
        print(json.prettyText)
      }
    }
  }

  /// Several boards in one host.
  private func runBoards(_ located: Profile.Located) throws {
    let host = try BoardsInOneHost(
      located, global.emulatedRelease(for: located.profile), count: boards)
    for issue in host.ignored { global.terminal.complain(issue, in: source.name) }
    try host.run(transfers: transfers)
    if global.json {
      let json: JSONValue = [
        "name": .string(located.profile.name),
        "disks": .array(host.disks.map { .string($0) }),
        "hostLog": .array(host.log.map { .string($0) }),
        "boards": .array(host.found.map(\.json)),
      ]
      print(json.prettyText)
    } else if !global.quiet {
      for one in host.found { print(Terminal.printable(one.text)) }
      for line in host.log { print(Terminal.printable("host kernel: \(line)")) }
    }
    // What the host does about a twin comes after what it finds.
    guard let line = host.refusals.first ?? host.log.first else { return }
    // The result has been printed; it includes the refusal.
    global.terminal.complain(
      ProvisioningError(
        .different, "the host rejects a board: \(line)", operation: "probe",
        hint:
          "the boards have one identity: \(Self.remedy(located.profile.identity))"
      ))
    throw Ending(code: 1)
  }

  /// What makes the identities of boards differ, other than what the profile has already.
  private static func remedy(_ source: Profile.IdentitySource) -> String {
    switch source {
    case .machine:
      "the profile sets them itself: remove \"uuid\", \"nguid\", \"serial\" and the range of controller IDs, which then follow from each board's machine ID"
    case .seed:
      "set another \"identitySeed\" on each board, or omit both keys: then the machine ID is used"
    case .profile:
      "remove \"identity\": then they follow from each board's machine ID, where the profile does not set them"
    }
  }

  private func showQuirks() {
    if global.json {
      let rows = Quirk.allCases.map { quirk -> JSONValue in
        [
          "name": .string(quirk.rawValue), "driver": .string(quirk.behaviour.rawValue),
          "summary": .string(quirk.summary), "releases": JSONValue(quirk.releases),
        ]
      }
      return print(JSONValue.array(rows).prettyText)
    }
    let width = (Quirk.allCases.map(\.rawValue.count).max() ?? 0) + 2
    for quirk in Quirk.allCases {
      let name = quirk.rawValue.padded(to: width)
      let releases = quirk.releases.map { " (\($0))" } ?? ""
      print("\(name)\(quirk.behaviour.rawValue.padded(to: 15))\(quirk.summary)\(releases)")
    }
  }

  /// One function through the scenario.
  private func run(
    _ endpoint: Emulation.Endpoint, keep: ([TraceEvent]) -> Void
  ) throws(ProvisioningError) -> JSONValue {
    var events: [TraceEvent] = []
    defer { keep(events) }
    var diagnoses: [Diagnosis] = []
    func show(_ title: String, isTraced: Bool = true) {
      let happened = endpoint.function.takeEvents()
      events += happened.trace
      diagnoses += happened.diagnoses
      guard printsText else { return }
      print("\n" + global.terminal.paint("# \(endpoint.name): \(title)", .bold))
      if isTraced {
        for line in Self.merged(happened.trace, happened.log, isVerbose: global.verbose) {
          print(Terminal.printable(line))
        }
      }
      for diagnosis in happened.diagnoses {
        print(global.terminal.paint("\(diagnosis.fault): \(diagnosis.text)", .red))
      }
    }
    endpoint.player.transfers = transfers
    var described = false
    do throws(ProvisioningError) {
      for step in scenario.scenario.steps {
        let before = endpoint.player.verified
        try endpoint.play(step)
        // A link event is printed together with the next event.
        if step == .linkUp { continue }
        let moved = endpoint.player.verified - before
        // The results are more useful than some hundred commands, most of which fail intentionally.
        show(
          moved > 0 ? "\(step), \(moved / 1024) KiB" : "\(step)",
          isTraced: step != .examine || global.verbose)
        if step == .examine, let examination = endpoint.player.examination { describe(examination) }
        if step == .probe, !described, let found = endpoint.player.found {
          describe(found)
          described = true
        }
      }
    } catch {
      show("failed")
      throw error
    }
    guard let found = endpoint.player.found else {
      return [
        "function": .string(endpoint.name),
        "rules": endpoint.player.examination?.json ?? .array([]),
      ]
    }
    let verified = endpoint.player.verified
    return .object(
      endpoint.prediction(found) + [
        .init("verifiedBytes", JSONValue(verified)), .init("events", JSONValue(events.count)),
        .init(
          "diagnoses",
          .array(diagnoses.map { ["row": .string($0.fault), "text": .string($0.text)] })),
      ])
  }

  /// Events and kernel messages in order of time; doorbells and interrupts of a command only on request.
  private static func merged(
    _ trace: [TraceEvent], _ log: [LogLine], isVerbose: Bool
  ) -> [String] {
    var lines: [String] = []
    var rest = log[...]
    for event in trace {
      while let line = rest.first, line.time <= event.time {
        lines.append(TraceText.line(line))
        rest.removeFirst()
      }
      switch event.kind {
      case .interrupt where !isVerbose: continue
      case .register(let offset, _) where offset >= 0x1000 && !isVerbose: continue
      // Successful data commands are not printed; failures are.
      case .command(let queue, _, _, _) where queue > 0 && !isVerbose: continue
      case .completion(let queue, _, let status, _)
      where queue > 0 && status.isSuccess && !isVerbose:
        continue
      default: lines.append(TraceText.line(event))
      }
    }
    return lines + rest.map(TraceText.line)
  }

  private func describe(_ examination: ConformanceReport) {
    guard printsText else { return }
    for rule in global.verbose ? examination.rules : examination.broken {
      let mark = rule.found == nil ? "kept    " : "broken  "
      print(Terminal.printable("\(mark)\(rule)"))
    }
    print("\(examination.rules.count) rules, \(examination.broken.count) violated")
  }

  private func describe(_ found: ProbeResult) {
    guard printsText else { return }
    print("\nNVME Identify Controller:")
    for line in IdentifyText.lines(found.identifyController) {
      print(line)
    }
    for namespace in found.namespaces {
      print("\nNVME Identify Namespace \(namespace.id):")
      for line in IdentifyText.lines(namespace.identify) { print(line) }
    }
  }
}

extension BoardsInOneHost.Found {
  fileprivate var text: String {
    if let refusal { return "board \(board), \(function): \(refusal)" }
    return
      "board \(board), \(function): \(controller ?? ""), \(nqn), serial \(serial), controller ID \(controllerID), "
      + (disks.isEmpty ? "no disk" : disks.joined(separator: ", "))
      + ", \(verified / 1024) KiB verified"
  }

  fileprivate var json: JSONValue {
    [
      "board": JSONValue(board), "function": .string(function),
      "controller": JSONValue(controller), "nqn": .string(nqn), "serial": .string(serial),
      "controllerID": JSONValue(controllerID),
      "disks": .array(disks.map { .string($0) }), "refusal": JSONValue(refusal),
      "verifiedBytes": JSONValue(verified),
    ]
  }
}

extension ConformanceReport {
  fileprivate var json: JSONValue {
    .array(
      rules.map { rule in
        [
          "id": .string(rule.id), "source": .string(rule.source),
          "requirement": .string(rule.requirement), "kept": .bool(rule.found == nil),
          "found": rule.found.map { .string($0) } ?? .null,
        ]
      })
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }
}
