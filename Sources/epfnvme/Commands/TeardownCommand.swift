// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct TeardownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "teardown", abstract: "Remove what setup created, and nothing else.",
    discussion: """
      Works from any state: complete, partial, after a crash, after changes by others. Files that setup created hold data \
      and are kept, unless --delete-files is given.

      After SIGINT, SIGTERM or SIGHUP the teardown continues to its end, because a partly removed endpoint is of no use, \
      and the exit code is 130, 143 or 129. A second signal stops it: exit code 76, with a list of leftovers; the next \
      teardown removes them.
      """)

  @OptionGroup var global: GlobalOptions
  @Argument(
    help: "The profile's name or its file; optional when only one is set up.",
    completion: Candidates.namesAndProfiles)
  var profile: String?
  @Flag(help: "Remove everything that epfnvme created on this machine.") var all = false
  @Flag(help: "Also unload the modules that setup loaded.") var unloadModules = false
  @Flag(help: "Also delete files that setup created, with their data.") var deleteFiles =
    false
  @Flag(help: "Proceed although a host, or another function of the controller, is in use.")
  var force =
    false
  @Flag(help: "Only show the plan.") var dryRun = false

  func validate() throws {
    if all, profile != nil { throw ValidationError("--all cannot be combined with a profile.") }
  }

  func run() throws {
    try global.run {
      let provisioner = try global.provisioner()
      if !dryRun { try provisioner.checkPrivileges() }
      let names = try names(provisioner)
      Signals.remember()
      var options = Provisioner.TeardownOptions()
      options.unloadsModules = unloadModules
      options.removesFiles = deleteFiles
      options.force = force
      if dryRun {
        var plans: [JSONValue] = []
        for name in names {
          guard let plan = try provisioner.teardownPlan(name, options: options) else { continue }
          if global.json {
            plans.append(plan.json)
          } else {
            PlanCommand.show(plan, nil, name, global)
          }
        }
        if global.json { print(JSONValue.array(plans).prettyText) }
        return
      }
      let view = ProgressView(global.terminal)
      defer { view.finish() }
      var removed: [String] = []
      for name in names {
        let changed = try provisioner.tearDown(name, options: options) { progress in
          if !global.json { view.show(progress) }
        }
        guard changed else { continue }
        removed.append(name)
        Output.hasChanged("\(removed.joined(separator: ", ")) was taken down")
      }
      view.finish()
      if let signal = Signals.caught {
        throw ProvisioningError.interrupted(
          by: signal,
          removed.isEmpty
            ? "there was nothing to take down"
            : "\(removed.joined(separator: ", ")) was taken down completely", operation: "teardown")
      }
      if global.json {
        let json: JSONValue = [
          "changed": .bool(!removed.isEmpty), "removed": .array(removed.map { .string($0) }),
        ]
        print(json.prettyText)
      } else if !global.quiet {
        for name in names {
          print(removed.contains(name) ? "\(name): taken down" : "\(name): nothing to take down")
        }
        if names.isEmpty { print("nothing to take down") }
      }
    }
  }

  private func names(_ provisioner: Provisioner) throws -> [String] {
    let known = try provisioner.names()
    if all { return known }
    guard let profile else {
      guard known.count <= 1 else {
        throw ValidationError(
          "Several profiles are set up: \(known.joined(separator: ", ")). Name one, or use --all.")
      }
      return known
    }
    if known.contains(profile) { return [profile] }
    let looksLikeFile = profile.contains("/") || profile.hasSuffix(".json") || profile == "-"
    if looksLikeFile {
      let located = try ProfileArgument.read(profile)
      let name = located.profile.name
      if !known.contains(name) { try provisioner.checkAbsent(located) }
      return [name]
    }
    if let problem = Profile.problem(withName: profile) { throw ValidationError(problem) }
    throw ProvisioningError(
      .inputMissing, "\"\(profile)\" is not set up on \(provisioner.machine.label)",
      operation: "read", path: profile,
      hint: known.isEmpty
        ? "no profile is set up there" : "set up there: " + known.joined(separator: ", "))
  }
}
