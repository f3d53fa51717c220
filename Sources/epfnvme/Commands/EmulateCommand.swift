// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ControllerEmulation
internal import HostDriver
internal import Provisioning
internal import SimulatedKernel

struct EmulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "emulate", abstract: "Bring a profile's controller up with a host in process.",
    discussion: """
      Needs neither a board nor root, and touches nothing: the profile is set up on a simulated kernel, its backings are memory,
      and a host goes the way of Linux's driver: probe, Identify, verified I/O on every namespace, shutdown.
      --personality chooses the driver; --verbose shows doorbells and interrupts, too.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Option(help: ArgumentHelp("Transfers of 4 KiB on each namespace.", valueName: "count"))
  var transfers = 64
  @Option(
    help: ArgumentHelp(
      "Also write a trace in the Trace Event Format, for Perfetto.", valueName: "file"))
  var trace: String?

  func validate() throws {
    guard (1...1_000_000).contains(transfers) else {
      throw ValidationError("--transfers takes 1 to 1000000.")
    }
  }

  func run() throws {
    try global.run {
      let located = try source.located()
      let emulation = try Emulation(
        located, global.emulatedPersonality(for: located.profile))
      if !global.json, !global.quiet {
        for line in emulation.bindLog { print(Terminal.printable("kernel: \(line)")) }
      }
      var reports: [JSONValue] = []
      var file = TraceFile()
      try emulation.forEachEndpoint { (number, endpoint) throws(ProvisioningError) in
        reports.append(
          try run(endpoint) { file.add($0, function: endpoint.name, number: number) })
      }
      if let trace { try file.write(to: trace) }
      if global.json {
        let json: JSONValue = [
          "name": .string(located.profile.name),
          "personality": .string(emulation.personality.rawValue),
          "bindLog": .array(emulation.bindLog.map { .string($0) }), "functions": .array(reports),
        ]
        print(json.prettyText)
      }
    }
  }

  /// One function from link-up to shutdown.
  private func run(
    _ endpoint: Emulation.Endpoint, keep: ([TraceEvent]) -> Void
  ) throws(ProvisioningError) -> JSONValue {
    let host = endpoint.host
    var events: [TraceEvent] = []
    defer { keep(events) }
    var diagnoses: [Diagnosis] = []
    func show(_ title: String) {
      let happened = endpoint.function.takeEvents()
      events += happened.trace
      diagnoses += happened.diagnoses
      guard !global.json, !global.quiet else { return }
      print("\n" + global.terminal.paint("# \(endpoint.name): \(title)", .bold))
      for line in Self.merged(happened.trace, happened.log, isVerbose: global.verbose) {
        print(Terminal.printable(line))
      }
      for diagnosis in happened.diagnoses {
        print(global.terminal.paint("\(diagnosis.row): \(diagnosis.text)", .red))
      }
    }
    let found: ProbeResult
    var verified = 0
    do throws(ProvisioningError) {
      found = try endpoint.probed()
      show("probe")
      describe(found)
      do throws(HostError) {
        for namespace in found.namespaces {
          verified += try host.verify(namespace, transfers: transfers)
        }
        show("verified I/O, \(verified / 1024) KiB")
        try host.shutDown()
        show("shutdown")
      } catch { throw endpoint.failure(error) }
    } catch {
      show("failed")
      throw error
    }
    return .object(
      endpoint.prediction(found) + [
        .init("verifiedBytes", JSONValue(verified)), .init("events", JSONValue(events.count)),
        .init(
          "diagnoses",
          .array(diagnoses.map { ["row": .string($0.row), "text": .string($0.text)] })),
      ])
  }

  /// Events and kernel lines in the order of time; a command's doorbells and interrupts only when asked for.
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
      // Data commands by the hundred say nothing; failures do.
      case .command(let queue, _, _, _) where queue > 0 && !isVerbose: continue
      case .completion(let queue, _, let status, _) where queue > 0 && status == 0 && !isVerbose:
        continue
      default: lines.append(TraceText.line(event))
      }
    }
    return lines + rest.map(TraceText.line)
  }

  private func describe(_ found: ProbeResult) {
    guard !global.json, !global.quiet else { return }
    print("\nNVME Identify Controller:")
    for line in IdentifyText.lines(IdentifyText.controller(found.identifyController)) {
      print(line)
    }
    for namespace in found.namespaces {
      print("\nNVME Identify Namespace \(namespace.id):")
      for line in IdentifyText.lines(IdentifyText.namespace(namespace.identify)) { print(line) }
    }
  }
}
