// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

extension Import {
  /// A command line of one of the public scripts as a profile that does the same.
  /// - Parameters:
  ///   - script: `nvmet-pci-epf --nrioq 4 start`; quotes and backslashes as in a shell.
  ///   - name: the profile's name; by default the script's.
  /// - Throws: ``ProfileIssues``, each with the column in the command line.
  public init(script: String, as name: String? = nil) throws(ProfileIssues) {
    let words = try CommandPrefix.removed(from: try CommandWords.split(script))
    guard let first = words.first else {
      throw ProfileIssues([
        ProfileIssue(
          .error, path: "", position: TextPosition(line: 1, column: 1),
          message: "the command line is empty",
          hint: "for example --from-script 'nvmet-pci-epf --nrioq 4 start'")
      ])
    }
    let file = String(first.text.split(separator: "/").last ?? "")
    let base = file.hasSuffix(".sh") ? String(file.dropLast(3)) : file
    let names = EndpointScript.allCases.map(\.rawValue)
    guard let script = EndpointScript(rawValue: base) else {
      throw ProfileIssues([
        ProfileIssue(
          .error, path: "", position: first.position,
          message: "unknown script \"\(base.prefix(60))\"",
          hint: nearestName(to: base, in: names).map { "did you mean \"\($0)\"?" }
            ?? "known scripts: " + names.joined(separator: ", "))
      ])
    }
    var reader = ScriptReader(script)
    reader.read(Array(words.dropFirst()))
    if let name { reader.profile.name = name }
    self = try reader.finished()
  }
}

private struct ScriptReader {
  let script: EndpointScript
  var profile: Profile

  private var collector = ImportCollector()
  private var device: String?
  private var isRotational = false
  private var isBuffered = false
  private var model: CommandWords.Word?
  private var tcp: Profile.TCPTarget?

  init(_ script: EndpointScript) {
    self.script = script
    profile = script.profile
    collector.places[""] = (TextPosition(line: 1, column: 1), "")
  }

  private func error(_ word: CommandWords.Word, _ message: String, hint: String? = nil) {
    collector.issues.add(.error, "", word.position, message, hint: hint)
  }

  private func warn(_ word: CommandWords.Word, _ message: String, hint: String? = nil) {
    collector.issues.add(.warning, "", word.position, message, hint: hint)
  }

  // MARK: Words

  mutating func read(_ words: [CommandWords.Word]) {
    var rest = words[...]
    // As the scripts do it: options, then the action.
    while let word = rest.first, word.text.hasPrefix("-") {
      rest.removeFirst()
      let joined = word.cutAtEqualSign
      let word = joined?.name ?? word
      guard let option = script.option(word.text) else {
        unknown(word)
        // Its value, if it has one, is no action.
        if joined == nil, let next = rest.first, !next.text.hasPrefix("-"),
          !Self.actions.contains(next.text)
        {
          rest.removeFirst()
        }
        continue
      }
      if let joined {
        guard option.values > 0 else {
          error(joined.value, "\(word.text) takes no value")
          continue
        }
        rest = [joined.value] + rest
      }
      guard rest.count >= option.values else {
        error(
          word,
          option.values == 1
            ? "\(word.text) needs a value" : "\(word.text) needs \(option.values) values")
        return
      }
      let values = Array(rest.prefix(option.values))
      rest.removeFirst(option.values)
      apply(option, word, values)
    }
    action(rest)
  }

  private static let actions = ["start", "stop"]

  private func unknown(_ word: CommandWords.Word) {
    let names = script.options.flatMap(\.names)
    if script.hasMoreOptions {
      return warn(
        word, "\(word.text.prefix(60)) is left out: epfnvme knows no counterpart of it",
        hint: "known options: " + names.joined(separator: ", "))
    }
    error(
      word, "\(script.rawValue) has no option \"\(word.text.prefix(60))\"",
      hint: nearestName(to: word.text, in: names).map { "did you mean \"\($0)\"?" }
        ?? "known options: " + names.joined(separator: ", "))
  }

  private func action(_ rest: ArraySlice<CommandWords.Word>) {
    guard let word = rest.first else { return }
    switch word.text {
    case "start": break
    case "stop":
      error(
        word, "stop does not describe a profile",
        hint: "epfnvme teardown removes what epfnvme set up; run the script's own stop first")
    default:
      error(
        word, "unknown action \"\(word.text.prefix(60))\"",
        hint: nearestName(to: word.text, in: Self.actions).map { "did you mean \"\($0)\"?" }
          ?? "the scripts know start and stop")
    }
    if let extra = rest.dropFirst().first {
      error(
        extra, "\"\(extra.text.prefix(60))\" follows the action", hint: "options precede the action"
      )
    }
  }

  // MARK: Options

  private mutating func apply(
    _ option: EndpointScript.Option, _ word: CommandWords.Word, _ values: [CommandWords.Word]
  ) {
    switch option.meaning {
    case .help: error(word, "\(word.text) does not describe a profile")
    case .ambiguous(let other):
      error(
        word, "\(word.text) meant different things in different versions of \(script.rawValue)",
        hint: "write \(other)")
    case .debugging:
      warn(
        word, "\(word.text) is left out: a profile does not turn kernel debug messages on",
        hint: "use /sys/kernel/debug/dynamic_debug/control")
    case .threads:
      guard let _: UInt32 = number(values[0], word) else { return }
      warn(
        word,
        "\(word.text) \(values[0].text.prefix(20)) is left out: the number of transfer threads belongs to another driver, and profiles do not have it"
      )
    case .scheduler:
      warn(
        word, "\(word.text) is left out: profiles do not choose the I/O scheduler of a backing",
        hint: "use a udev rule for the device, or its queue/scheduler in sysfs")
    case .rotational: isRotational = true
    case .bufferedIO: isBuffered = true
    case .noDMA:
      profile.functions[0].dma = false
      place("functions[0].dma", word)
    case .transferLimit:
      if let value: UInt32 = number(values[0], word) { profile.functions[0].mdtsKiB = value }
      place("functions[0].mdtsKiB", values[0])
    case .queueSize:
      if let value: UInt16 = number(values[0], word) { profile.functions[0].queueSize = value }
      place("functions[0].queueSize", values[0])
    case .ioQueues:
      if let value: UInt16 = number(values[0], word) { profile.functions[0].ioQueues = value }
      place("functions[0].ioQueues", values[0])
      place("functions[0].msixVectors", values[0])
      place("functions[0].msiVectors", values[0])
    case .model: model = values[0]
    case .device:
      device = values[0].text
      place("backings.disk", values[0])
    case .tcp:
      var target = Profile.TCPTarget(nqn: values[2].text, address: values[0].text)
      if let port: UInt16 = number(values[1], word) { target.port = port }
      tcp = target
      place("functions[0].target.tcp", word)
      for (key, value) in zip(["address", "port", "nqn"], values) {
        place("functions[0].target.tcp.\(key)", value)
      }
    }
  }

  private mutating func place(_ path: String, _ word: CommandWords.Word) {
    collector.places[path] = (word.position, path)
  }

  private func number<T: FixedWidthInteger>(
    _ value: CommandWords.Word, _ option: CommandWords.Word
  ) -> T? {
    guard let wide = value.text.kernelInteger(Int64.self), let number = T(exactly: wide), number > 0
    else {
      error(
        value, "\(option.text) takes a number from 1 to \(T.max), not \"\(value.text.prefix(40))\"")
      return nil
    }
    return number
  }

  // MARK: The profile

  mutating func finished() throws(ProfileIssues) -> Import {
    if let tcp {
      // Model, backing and queue limit of a remote disk are those of its target.
      profile.subsystems = []
      profile.functions[0].target = .tcp(tcp)
    } else {
      addBacking()
      if let model {
        profile.subsystems[0].model = model.text
        place("subsystems[0].model", model)
      }
      if isBuffered { profile.subsystems[0].namespaces[0].bufferedIO = true }
    }
    return try collector.finished(profile)
  }

  private mutating func addBacking() {
    let store: Profile.Backing.Store
    if let device {
      store =
        device.hasPrefix("/dev/") ? .block(path: device) : .file(Profile.File(path: device))
    } else {
      var nullBlock = EndpointScript.nullBlock
      if isRotational { nullBlock.rotational = true }
      store = .nullBlock(nullBlock)
    }
    profile.backings = [Profile.Backing(name: "disk", store: store)]
  }
}
