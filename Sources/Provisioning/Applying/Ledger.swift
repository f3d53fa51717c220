// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import SystemPackage

/// One effect in the journal, with the way back as it was known before the effect.
public struct JournalEntry: Hashable, Sendable {
  public var operation: Operation
  /// nil when nothing has to be done: the object vanishes with its directory, or is meant to stay.
  public var undo: Operation?
  public var state: State

  public enum State: String, Sendable, Hashable {
    /// Written before the effect; whether it happened is not known.
    case intended
    case done
  }
}

/// What this tool made and replaced on the machine: a journal without its false starts.
struct Ledger: Hashable {
  var entries: [JournalEntry] = []

  init(_ entries: [JournalEntry] = []) {
    self.entries = entries
    for entry in entries {
      switch entry.operation {
      case .write(let path, .text(let text), _): lastWritten[path] = text
      case .createDirectory(let path): directories.insert(path)
      case .expectConnection(let address): connections.insert(address)
      case .attachLoop(let backing, _):
        if case .detachLoop(_, _, let device?)? = entry.undo { loops[backing] = device }
      default: break
      }
    }
  }

  /// The text last written to an attribute.
  private(set) var lastWritten: [String: String] = [:]
  private(set) var directories: Set<String> = []
  /// Connections that binding functions has opened.
  private(set) var connections: Set<FabricsAddress> = []
  /// Backing → loop device.
  private(set) var loops: [String: String] = [:]

  /// The connections of others to an address, as they were when ours was opened.
  func spared(_ address: FabricsAddress) -> [String] {
    for entry in entries {
      if case .disconnect(let undone, let sparing)? = entry.undo, undone == address {
        return sparing
      }
    }
    return []
  }

  /// The ids of the ports that were made.
  func portIDs(below path: FilePath) -> [UInt16] {
    directories.compactMap { directory in
      let port = FilePath(directory)
      guard port.removingLastComponent() == path else { return nil }
      return port.lastComponent.flatMap { UInt16($0.string) }
    }.sorted()
  }

  /// The same state with the shortest way back: what was made and removed again is gone, a value that was replaced twice
  /// goes back to the first one.
  func compacted() -> Ledger {
    var kept: [JournalEntry] = []
    for entry in entries {
      switch entry.operation {
      case .removeDirectory(let path):
        if let made = kept.firstIndex(where: { $0.operation == .createDirectory(path: path) }) {
          kept.remove(at: made)
          kept.removeAll { $0.operation.path.hasPrefix(path + "/") }
        }
      case .unlink(let path, let target):
        if let made = kept.firstIndex(where: { $0.operation == .link(path: path, target: target) })
        {
          kept.remove(at: made)
        } else {
          kept.append(entry)
        }
      case .link(let path, let target):
        if let removed = kept.firstIndex(where: {
          $0.operation == .unlink(path: path, target: target)
        }) {
          kept.remove(at: removed)
        } else {
          kept.append(entry)
        }
      case .write(let path, _, _):
        var entry = entry
        if let earlier = kept.firstIndex(where: { $0.operation.isWrite(to: path) }) {
          let first = kept.remove(at: earlier)
          entry.undo = first.undo
          // Back to where it was before us: nothing is left to undo.
          if case .write(_, let old, _)? = first.undo, case .write(_, let new, _) = entry.operation,
            old == new
          {
            continue
          }
        }
        kept.append(entry)
      case .detachLoop(let backing, _, _):
        kept.removeAll { if case .attachLoop(backing, _) = $0.operation { true } else { false } }
      case .removeFile(let path):
        kept.removeAll { if case .createFile(path, _) = $0.operation { true } else { false } }
      case .createFile:
        // Once a run has succeeded the file holds a host's data and is no longer ours to remove.
        var entry = entry
        entry.undo = nil
        kept.append(entry)
      case .disconnect(let address, _):
        kept.removeAll { $0.operation == .expectConnection(address) }
      case .loadModule, .unloadModule, .mountConfigFS, .attachLoop, .createDirectory,
        .expectConnection:
        kept.append(entry)
      case .awaitDirectory, .awaitDevice, .verifyController: break
      }
    }
    return Ledger(kept)
  }
}

extension Operation {
  func isWrite(to path: String) -> Bool {
    if case .write(path, _, _) = self { true } else { false }
  }
}
