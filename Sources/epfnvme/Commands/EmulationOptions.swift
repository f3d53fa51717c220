// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ControllerEmulation
internal import HostDriver

/// A scenario by its name.
struct ScenarioName: ExpressibleByArgument {
  var scenario: Scenario

  init(scenario: Scenario) { self.scenario = scenario }

  init?(argument: String) {
    guard let scenario = Scenario.named(argument) else { return nil }
    self.scenario = scenario
  }

  var defaultValueDescription: String { scenario.name }
  static var allValueStrings: [String] { Scenario.all.map(\.name) }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

/// The quirks of a driver to emulate.
struct QuirkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The quirks to emulate: all, none, or names separated by commas.", valueName: "names"),
    completion: Candidates.quirks)
  var quirks = "all"

  /// Nil for all that the driver has.
  var names: QuirkSet? {
    quirks == "all" ? nil : QuirkSet(words.compactMap { Quirk(rawValue: $0) })
  }

  private var words: [String] {
    quirks == "none" ? [] : quirks.split(separator: ",").map(String.init)
  }

  func validate() throws {
    guard let unknown = words.first(where: { Quirk(rawValue: $0) == nil }), quirks != "all" else {
      return
    }
    throw ValidationError(
      "There is no quirk \"\(unknown)\": epfnvme emulate --list-quirks lists them.")
  }
}
