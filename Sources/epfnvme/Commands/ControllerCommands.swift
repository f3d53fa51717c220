// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct StartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Start an endpoint controller; its link comes up.",
    usage: "epfnvme start [<options>] [<controller>]")

  @OptionGroup var global: GlobalOptions
  @Argument(
    help: "The controller; optional when there is only one.",
    completion: Candidates.controllers)
  var controller: String?

  func run() throws { try ControllerSwitch.set(true, controller, global, force: false) }
}

struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Stop an endpoint controller; its link goes down.",
    usage: "epfnvme stop [<options>] [<controller>]")

  @OptionGroup var global: GlobalOptions
  @Argument(
    help: "The controller; optional when there is only one.",
    completion: Candidates.controllers)
  var controller: String?
  @Flag(help: "Proceed although a host uses one of its functions.") var force = false

  func run() throws { try ControllerSwitch.set(false, controller, global, force: force) }
}

struct BounceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bounce", abstract: "Stop and start an endpoint controller.",
    usage: "epfnvme bounce [<options>] [<controller>]")

  @OptionGroup var global: GlobalOptions
  @Argument(
    help: "The controller; optional when there is only one.",
    completion: Candidates.controllers)
  var controller: String?
  @Flag(help: "Proceed although a host uses one of its functions.") var force = false

  func run() throws {
    try global.run {
      let provisioner = try global.provisioner()
      let name = try provisioner.controller(controller)
      // Between stop and start no signal may end the process.
      Signals.remember()
      let recovery = provisioner.hostRecovery(afterStopping: name)
      try provisioner.bounce(name, force: force)
      if let recovery { global.terminal.note(Terminal.printable(recovery)) }
      try ControllerSwitch.checkSignal("\(name) was stopped and started", "bounce")
      ControllerSwitch.show(name, isStarted: true, changed: true, "stopped and started", global)
    }
  }
}

struct ControllersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "controllers", abstract: "List the endpoint controllers.",
    usage: "epfnvme controllers [<options>]")

  @OptionGroup var global: GlobalOptions

  func run() throws {
    try global.run {
      let provisioner = try global.provisioner()
      let status = try provisioner.status()
      let unmounted = status.isConfigFSMounted ? [] : provisioner.machine.endpointControllers()
      if global.json {
        let listed = status.endpoints.map { endpoint -> JSONValue in
          [
            "name": .string(endpoint.name), "started": .bool(endpoint.isStarted),
            "functions": .array(endpoint.functions.map { .string($0.name) }),
          ]
        }
        let others = unmounted.map { name -> JSONValue in
          ["name": .string(name), "started": .null, "functions": []]
        }
        print(JSONValue.array(listed + others).prettyText)
        return
      }
      for endpoint in status.endpoints {
        let functions = endpoint.functions.map(\.name).joined(separator: " ")
        print(
          Terminal.printable(
            "\(endpoint.name)\t\(endpoint.isStarted ? "started" : "stopped")\t\(functions)"))
      }
      for name in unmounted { print(Terminal.printable(name)) }
      if status.endpoints.isEmpty, unmounted.isEmpty {
        global.terminal.note("no endpoint controller; to try without one, use --kernel simulated")
      }
    }
  }
}

/// The common part of start and stop.
private enum ControllerSwitch {
  static func set(
    _ isStarted: Bool, _ controller: String?, _ global: GlobalOptions, force: Bool
  ) throws {
    try global.run {
      let provisioner = try global.provisioner()
      let name = try provisioner.controller(controller)
      Signals.remember()
      let recovery = isStarted ? nil : provisioner.hostRecovery(afterStopping: name)
      let changed = try provisioner.setStarted(isStarted, name, force: force)
      if let recovery { global.terminal.note(Terminal.printable(recovery)) }
      let word = isStarted ? "started" : "stopped"
      try checkSignal("\(name) is \(word)", isStarted ? "start" : "stop")
      show(name, isStarted: isStarted, changed: changed, changed ? word : "already \(word)", global)
    }
  }

  /// - Throws: ``ProvisioningError`` of kind `interrupted`, which reports the completed changes.
  static func checkSignal(_ outcome: String, _ operation: String) throws(ProvisioningError) {
    if let signal = Signals.caught {
      throw .interrupted(by: signal, outcome, operation: operation)
    }
  }

  static func show(
    _ name: String, isStarted: Bool, changed: Bool, _ words: String, _ global: GlobalOptions
  ) {
    if changed { Output.hasChanged("\(name): \(words)") }
    if global.json {
      let json: JSONValue = [
        "controller": .string(name), "started": .bool(isStarted), "changed": .bool(changed),
      ]
      print(json.prettyText)
    } else if !global.quiet {
      print("\(name): \(words)")
    }
  }
}
