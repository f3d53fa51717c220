// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import HostDriver
internal import Provisioning
internal import SimulatedKernel

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Say what a profile will become: registers, queues, Identify, kernel lines.",
    discussion: """
      From the emulation of the driver, for a machine as the profile's controllerFeatures and the options under Machine say; without
      them it is a ROCK 5B with eight processors. Changes nothing. --personality chooses the driver.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Flag(
    help:
      "Predict the reference in place of the driver: the same identity and namespaces, and what the specification asks."
  )
  var reference = false
  @OptionGroup(title: "Machine") var facts: MachineFacts

  func run() throws {
    try global.run {
      let located = try source.located()
      let emulation = try Emulation(
        located, global.emulatedPersonality(for: located.profile),
        adjust: facts.apply)
      var functions: [JSONValue] = []
      try emulation.forEachEndpoint(.init(isReference: reference)) {
        (_, endpoint) throws(ProvisioningError) in
        try endpoint.play(.linkUp)
        try endpoint.play(.probe)
        guard let found = endpoint.player.found else { return }
        functions.append(.object(endpoint.prediction(found)))
        if !global.json { show(endpoint, found) }
      }
      if global.json {
        let json: JSONValue = [
          "name": .string(located.profile.name),
          "personality": .string(emulation.personality.rawValue), "reference": .bool(reference),
          "kernelLog": .array(emulation.bindLog.map { .string($0) }),
          "functions": .array(functions),
        ]
        print(json.prettyText)
      } else {
        print("kernel log from loading the driver to binding:")
        for line in emulation.bindLog { print("  " + Terminal.printable(line)) }
      }
    }
  }

  private func show(_ endpoint: Emulation.Endpoint, _ found: ProbeResult) {
    print(endpoint.name)
    for member in endpoint.prediction(found) {
      switch member.value {
      case .string(let text): print("  \(member.key): \(Terminal.printable(text))")
      case .integer(let number): print("  \(member.key): \(number)")
      default: break
      }
    }
    for line in IdentifyText.lines(found.identifyController) {
      print("  " + line)
    }
  }
}
