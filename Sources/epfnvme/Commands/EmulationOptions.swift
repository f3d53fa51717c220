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

/// `all`, `none`, or quirks by name.
struct QuirkSelection: ExpressibleByArgument {
  /// Nil for all that the driver has.
  var names: Set<Quirk>?

  static let all = QuirkSelection(names: nil)

  private init(names: Set<Quirk>?) { self.names = names }

  init?(argument: String) {
    switch argument {
    case "all": names = nil
    case "none": names = []
    default:
      var chosen: Set<Quirk> = []
      for part in argument.split(separator: ",") {
        guard let quirk = Quirk(rawValue: String(part)) else { return nil }
        chosen.insert(quirk)
      }
      names = chosen
    }
  }

  var defaultValueDescription: String { "all" }
}
