// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

/// A command of the program, by its words after `epfnvme`, as the program describes itself.
public struct CommandTree: Sendable {
  public var words: [String]
  /// Whether the command has no subcommands.
  public var isLeaf: Bool
  /// Whether the help lists the command and those above it.
  public var isListed: Bool

  /// All commands but `help`, the program itself first.
  public static func all() throws -> [CommandTree] {
    var found: [CommandTree] = []
    func walk(_ command: JSONValue, _ words: [String], _ isListed: Bool) {
      let isListed = isListed && command["shouldDisplay"]?.boolValue != false
      let children = (command["subcommands"]?.arrayValue ?? [])
        .filter { $0["commandName"]?.stringValue != "help" }
      found.append(CommandTree(words: words, isLeaf: children.isEmpty, isListed: isListed))
      for child in children {
        walk(child, words + [child["commandName"]?.stringValue ?? "?"], isListed)
      }
    }
    let dump = try Program().start(["--experimental-dump-help"]).finish()
    walk(dump.json?["command"] ?? .null, [], true)
    return found
  }
}
