// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

/// The definition of a command, from which `--help` and the completions are generated.
struct CommandInfo {
  /// From the program down: `epfnvme`, `host`, `find`.
  var words: [String]
  var abstract: String
  var discussion: String
  var arguments: [ArgumentInfo]
  var subcommands: [CommandInfo]

  /// `epfnvme-host-find`.
  var pageName: String { words.joined(separator: "-") }

  /// The whole tree without hidden commands.
  static func root() -> CommandInfo? {
    guard let json = try? LocatedJSON(parsing: Array(EPFNVMe._dumpHelp().utf8)).value,
      let command = json["command"]
    else { return nil }
    return CommandInfo(command, below: [])
  }

  private init?(_ json: JSONValue, below: [String]) {
    guard let name = json["commandName"]?.stringValue, json["shouldDisplay"]?.boolValue != false
    else { return nil }
    let words = below + [name]
    self.words = words
    abstract = json["abstract"]?.stringValue ?? ""
    discussion = json["discussion"]?.stringValue ?? ""
    arguments = (json["arguments"]?.arrayValue ?? []).compactMap(ArgumentInfo.init)
    subcommands = (json["subcommands"]?.arrayValue ?? [])
      .filter { $0["commandName"]?.stringValue != "help" }
      .compactMap { CommandInfo($0, below: words) }
  }

  /// The command and everything below it.
  var all: [CommandInfo] { [self] + subcommands.flatMap(\.all) }

  /// The options that every command has; they are described once.
  var commonOptions: [ArgumentInfo] {
    let leaves = all.filter(\.subcommands.isEmpty)
    return (leaves.first?.arguments ?? []).filter { option in
      option.kind != .positional
        && leaves.allSatisfy { $0.arguments.contains { $0.names == option.names } }
    }
  }
}

/// One argument, option or flag.
struct ArgumentInfo {
  enum Kind: String { case positional, option, flag }

  var kind: Kind
  /// With their dashes, the short one first.
  var names: [String]
  var valueName: String
  var isOptional: Bool
  var isRepeating: Bool
  var abstract: String
  var discussion: String?
  var values: [String]
  var defaultValue: String?

  init?(_ json: JSONValue) {
    guard let kind = json["kind"]?.stringValue.flatMap(Kind.init(rawValue:)),
      json["shouldDisplay"]?.boolValue != false
    else { return nil }
    self.kind = kind
    names = (json["names"]?.arrayValue ?? []).compactMap { name in
      name["name"]?.stringValue.map { (name["kind"]?.stringValue == "long" ? "--" : "-") + $0 }
    }.sorted { $0.utf8.count < $1.utf8.count }
    valueName = json["valueName"]?.stringValue ?? ""
    isOptional = json["isOptional"]?.boolValue ?? false
    isRepeating = json["isRepeating"]?.boolValue ?? false
    abstract = json["abstract"]?.stringValue ?? ""
    discussion = json["discussion"]?.stringValue
    values = (json["allValues"]?.arrayValue ?? []).compactMap(\.stringValue)
    defaultValue = json["defaultValue"]?.stringValue
  }
}
