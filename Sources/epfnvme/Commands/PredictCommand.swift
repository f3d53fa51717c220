// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ControllerEmulation
internal import HostDriver
internal import KernelHistory
internal import Numbers
internal import NVMe
internal import ProfileEmulation
internal import Provisioning
internal import SimulatedKernel

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Predict the device that a profile creates.",
    discussion: """
      Prints registers, queues, Identify data and kernel messages, from the emulation of the driver. The board is that of \
      the profile's controllerFeatures and of the options under Machine, by default a ROCK 5B with eight processors. \
      Nothing is changed. --kernel-release selects the driver and its behaviour in that release, and \
      the known bugs of the release are listed.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Flag(
    help:
      "Predict the reference controller instead of the driver's: same identity and namespaces, behaviour of the specification."
  )
  var reference = false
  @Flag(
    help:
      "Also predict registers and the results of every nvme-cli command that only reads."
  )
  var commands = false
  @OptionGroup(title: "Machine") var facts: MachineFacts

  func run() throws {
    try global.run {
      let located = try source.located()
      let emulation = try Emulation(
        located, global.emulatedRelease(for: located.profile),
        adjust: facts.apply)
      for issue in emulation.ignored { global.terminal.complain(issue, in: source.name) }
      var functions: [JSONValue] = []
      try emulation.forEachEndpoint(.init(isReference: reference)) {
        (_, endpoint) throws(ProvisioningError) in
        try endpoint.play(.linkUp)
        try endpoint.play(.probe)
        guard let found = endpoint.player.found else { return }
        var prediction = endpoint.prediction(found)
        if !global.json {
          show(endpoint.name, prediction, found)
          for space in found.namespaces { show(space, endpoint.function.model) }
        }
        if commands {
          // Read first: the commands can change the registers of a controller that fails.
          prediction.append(.init("registers", .object(endpoint.registers)))
          let answers = try endpoint.answers(found)
          prediction.append(.init("commands", .array(answers.map(Self.json))))
          if !global.json { for answer in answers { print(Self.line(answer.0, answer.1)) } }
        }
        functions.append(.object(prediction))
      }
      if global.json {
        let json: JSONValue = [
          "name": .string(located.profile.name),
          "kernelRelease": .string(emulation.kernelRelease.rawValue), "reference": .bool(reference),
          "kernelLog": .array(emulation.bindLog.map { .string($0) }),
          "kernelBugs": .array(reference ? [] : emulation.kernelBugs.map { emulation.json($0) }),
          "functions": .array(functions),
        ]
        print(json.prettyText)
      } else {
        print("kernel log from loading the driver to binding:")
        for line in emulation.bindLog { print("  " + Terminal.printable(line)) }
        if reference || emulation.kernelBugs.isEmpty { return }
        print("bugs of Linux \(emulation.kernelRelease.version) that a host can meet:")
        for bug in emulation.kernelBugs {
          let reservation = emulation.reservation(about: bug).map { " (\($0))" } ?? ""
          print(
            Terminal.printable(
              "  \(bug.name): \(bug.shows); fixed in \(bug.endText)\(reservation)"))
        }
      }
    }
  }

  private static func json(
    _ inquiry: Inquiry, _ result: Emulation.Endpoint.Result
  ) -> JSONValue {
    let entry = inquiry.entry
    var members: [JSONValue.Member] = [
      .init("nvme", .string(inquiry.words)), .init("queue", inquiry.isIO ? "I/O" : "admin"),
      .init("opcode", JSONValue(entry.opcode)), .init("namespace", JSONValue(entry.namespaceID)),
      .init("words", .array((10..<16).map { JSONValue(entry.dwords[$0]) })),
    ]
    switch result {
    case .answer(let answer):
      // Zeroes at the end are not written: most structures are mostly empty.
      let data = answer.data.prefix((answer.data.lastIndex { $0 != 0 } ?? -1) + 1)
      members += [
        .init("status", JSONValue(answer.status.rawValue)),
        .init("statusName", JSONValue(answer.status.name)),
        .init("result", JSONValue(answer.result)), .init("length", JSONValue(answer.data.count)),
        .init("data", .string(data.map { hexadecimalDigits($0, count: 2) }.joined())),
      ]
    case .crash(let bug):
      members += [
        .init("status", .null), .init("statusName", .null), .init("crash", .string(bug)),
      ]
    }
    return .object(members)
  }

  /// `  id-ctrl                     4096 bytes`, or how the controller refuses it.
  private static func line(_ inquiry: Inquiry, _ result: Emulation.Endpoint.Result) -> String {
    let end =
      switch result {
      case .crash(let bug): "no completion: crashes the board (\(bug))"
      case .answer(let answer) where !answer.status.isSuccess: "\(answer.status)"
      case .answer(let answer):
        answer.data.isEmpty ? hexadecimal(answer.result) : "\(answer.data.count) bytes"
      }
    return "  " + inquiry.words + String(repeating: " ", count: max(1, 56 - inquiry.words.count))
      + end
  }

  /// `  namespace 1: 131072 blocks of 512 bytes`, and whether the host can use it.
  private func show(_ space: ProbeResult.FoundNamespace, _ model: ControllerModel) {
    var text = "  namespace \(space.id): \(space.blocks) blocks of \(space.blockSize) bytes"
    let state = model.namespaces.first { $0.id == space.id }?.accessState
    if let state, !state.isAccessible, let name = state.name {
      text += "; its ANA group is \(name) on the function's port: the host gets no usable disk"
    }
    print(Terminal.printable(text))
  }

  private func show(_ name: String, _ prediction: [JSONValue.Member], _ found: ProbeResult) {
    print(name)
    for member in prediction {
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
