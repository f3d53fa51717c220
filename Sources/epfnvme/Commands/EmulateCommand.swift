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

  func validate() throws {
    guard (1...1_000_000).contains(transfers) else {
      throw ValidationError("--transfers takes 1 to 1000000.")
    }
  }

  func run() throws {
    try global.run {
      let located = try source.located()
      let emulation = try Emulation(located, personality(for: located.profile))
      if !global.json, !global.quiet {
        for line in emulation.bindLog { print(Terminal.printable("kernel: \(line)")) }
      }
      var reports: [JSONValue] = []
      for endpoint in emulation.endpoints { reports.append(try run(endpoint)) }
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

  private func personality(for profile: Profile) -> SimulatedKernel.Personality {
    if let named = global.personality.flatMap({ SimulatedKernel.Personality(rawValue: $0) }) {
      return named
    }
    let isRemote = profile.functions.contains { if case .tcp = $0.target { true } else { false } }
    return profile.driver == .pciEPFNVMe || isRemote ? .seed : .mainline
  }

  /// One function from link-up to shutdown.
  private func run(_ endpoint: Emulation.Endpoint) throws -> JSONValue {
    let host = endpoint.host
    var events = 0
    var diagnoses: [Diagnosis] = []
    func show(_ title: String) {
      let happened = endpoint.function.takeEvents()
      events += happened.trace.count
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
    do throws(HostError) {
      endpoint.function.linkUp()
      let found = try host.probe()
      show("probe")
      describe(found)
      var verified = 0
      for namespace in found.namespaces {
        verified += try host.verify(namespace, transfers: transfers)
      }
      show("verified I/O, \(verified / 1024) KiB")
      try host.shutDown()
      show("shutdown")
      return json(endpoint, found, verified, events, diagnoses)
    } catch {
      show("failed")
      throw ProvisioningError(
        .internal, "the emulated host failed: \(error)", operation: error.step, path: endpoint.name,
        hint: "run it with --verbose to see what led to it")
    }
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

  private func json(
    _ endpoint: Emulation.Endpoint, _ found: ProbeResult, _ verified: Int, _ events: Int,
    _ diagnoses: [Diagnosis]
  ) -> JSONValue {
    func object(_ fields: [(String, String)]) -> JSONValue {
      .object(fields.map { .init($0.0, .string($0.1)) })
    }
    let model = endpoint.function.model
    return [
      "name": .string(endpoint.name), "cap": .string("0x" + String(found.capabilities, radix: 16)),
      "vs": .string("0x" + String(found.version, radix: 16)),
      "bar0Size": JSONValue(model.bar0Size), "msixTableOffset": JSONValue(model.msixTableOffset),
      "vectors": JSONValue(model.interrupts.vectors), "ioQueues": JSONValue(found.ioQueues),
      "identifyController": object(IdentifyText.controller(found.identifyController)),
      "namespaces": .array(
        found.namespaces.map {
          [
            "id": JSONValue($0.id), "blocks": JSONValue($0.blocks),
            "blockSize": JSONValue($0.blockSize),
          ]
        }), "verifiedBytes": JSONValue(verified), "events": JSONValue(events),
      "diagnoses": .array(diagnoses.map { ["row": .string($0.row), "text": .string($0.text)] }),
    ]
  }
}
