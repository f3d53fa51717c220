// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import SystemPackage

/// Undoes effects one by one, in reverse: after a failure, after a crash, at teardown.
///
/// Other processes may have changed the machine meanwhile. Missing objects are ignored; values that others changed are kept; an object that
/// others use cannot be removed and is reported. Objects that the journal does not name are not changed.
struct Unwinding {
  private var executor: Executor
  private let machine: Machine
  private let progress: (Progress) -> Void
  private(set) var changed = false
  /// The effects that could not be undone, with their sentences and errors.
  private var failed: [(entry: JournalEntry, sentence: String, error: ProvisioningError)] = []

  /// The effects that could not be undone, as sentences.
  var leftovers: [String] { failed.map(\.sentence) }
  /// The same, in the order of the journal.
  var leftEntries: [JournalEntry] { failed.reversed().map(\.entry) }
  /// The error of the first of them, which may be the cause of later ones.
  var firstError: ProvisioningError? { failed.first?.error }

  init(executor: Executor, progress: @escaping (Progress) -> Void) {
    self.executor = executor
    self.executor.isUndo = true
    machine = executor.machine
    self.progress = progress
  }

  /// The operation that undoes an effect; nil if nothing is left of it.
  func operation(takingBack entry: JournalEntry) -> Operation? {
    entry.undo.flatMap { stillNeeded($0, of: entry) }
  }

  /// Forgets failures of which nothing is left: an attribute went with its directory, or has its previous value all the same.
  mutating func settle() { failed = failed.filter { isLeft($0.entry) } }

  private func isLeft(_ entry: JournalEntry) -> Bool {
    guard let operation = operation(takingBack: entry) else { return false }
    guard case .disconnect(let address, let spared) = operation,
      let connections = try? machine.fabrics.connections()
    else { return true }
    return connections.contains { $0.address == address && !spared.contains($0.name) }
  }

  /// - Returns: whether the effect is undone.
  mutating func takeBack(_ entry: JournalEntry) -> Bool {
    guard let operation = operation(takingBack: entry) else { return true }
    if let signal = Signals.acknowledge() { progress(.continuesAfterSignal(signal)) }
    guard !Signals.endsUndo else {
      failed.append(
        (
          entry, "\(operation.path): not done: \(operation.sentence)",
          .interrupted(
            by: Signals.caught ?? 0, "a second signal ended the undo",
            hint: "run teardown again: it continues where this run ended")
        ))
      return false
    }
    progress(.undoing(operation))
    do {
      try executor.perform(operation)
      changed = true
      progress(.undone(operation))
      return true
    } catch {
      if Self.isDone(operation, error.errno) {
        progress(.undone(operation))
        return true
      }
      var others: [String] = []
      if case .removeDirectory(let path) = operation {
        others = Obstacles(on: machine).of(FilePath(path)).map(\.sentence)
      }
      let reason = error.errno?.nameAndText ?? error.message
      failed.append(
        (
          entry,
          "\(operation.path): cannot \(operation.sentence): \(reason)"
            + (others.isEmpty ? "" : " (" + others.joined(separator: ", ") + ")"),
          error
        ))
      progress(.cannotUndo(operation, error))
      return false
    }
  }

  /// Whether an error says that the machine has the previous state already.
  private static func isDone(_ operation: Operation, _ errno: Errno?) -> Bool {
    switch operation {
    case .createDirectory, .link: errno == .fileExists
    // Also a switch whose object lacks something answers so.
    case .write: false
    default: errno == .noSuchFileOrDirectory || errno == .noSuchAddressOrDevice
    }
  }

  /// The remaining operation; nil if the machine already has its previous state, or a value of others.
  ///
  /// An object that cannot be inspected is undone; a failure of that is reported.
  private func stillNeeded(_ undo: Operation, of entry: JournalEntry) -> Operation? {
    switch undo {
    case .removeDirectory(let path), .unlink(let path, _):
      return isMissing { () throws(Errno) in _ = try machine.configFS.kind(of: FilePath(path)) }
        ? nil : ownLink(undo)
    case .createDirectory(let path), .restoreDirectory(let path, _), .link(let path, _):
      return (try? machine.configFS.kind(of: FilePath(path))) == nil ? undo : nil
    case .write(let path, .text(let old), _):
      let current: String
      do { current = try machine.configFS.read(FilePath(path)) } catch {
        return error == .noSuchFileOrDirectory ? nil : undo
      }
      if sameAttributeText(current, old, at: path) { return nil }
      if case .write(_, let value, let shown) = entry.operation, entry.state == .done {
        let ours: String? = if case .text(let text) = value { shown ?? text } else { nil }
        if let ours, !sameAttributeText(current, ours, at: path) {
          progress(
            .kept(
              "\(path) stays \"\(current.withoutTrailingNewline)\": it was changed by others"))
          return nil
        }
      }
      return undo
    case .removeFile(let path):
      return isMissing { () throws(Errno) in _ = try machine.storage.describe(FilePath(path)) }
        ? nil : undo
    case .detachLoop(let backing, let file, let device):
      return loopToDetach(backing, file, device)
    default: return undo
    }
  }

  private func isMissing(_ look: () throws(Errno) -> Void) -> Bool {
    do throws(Errno) {
      try look()
      return false
    } catch { return error == .noSuchFileOrDirectory }
  }

  /// A link of this name with another target belongs to others.
  private func ownLink(_ undo: Operation) -> Operation? {
    guard case .unlink(let path, let target) = undo else { return undo }
    guard let current = try? machine.configFS.linkTarget(of: FilePath(path)),
      current != FilePath(target)
    else { return undo }
    progress(.kept("\(path) stays: others linked it to \(current)"))
    return nil
  }

  /// After a crash the device may be unknown; it is found by its file, which was not bound before.
  private func loopToDetach(_ backing: String, _ file: String, _ device: String?) -> Operation? {
    do throws(Errno) {
      let bound =
        if let device {
          try machine.storage.loopFile(of: FilePath(device)).flatMap {
            machine.storage.isSameFile($0, FilePath(file)) ? device : nil
          }
        } else {
          try machine.storage.loopDevice(of: FilePath(file))?.string
        }
      return bound.map { .detachLoop(backing: backing, file: file, device: $0) }
    } catch {
      return error == .noSuchFileOrDirectory || error == .noSuchAddressOrDevice
        ? nil : .detachLoop(backing: backing, file: file, device: device)
    }
  }
}
