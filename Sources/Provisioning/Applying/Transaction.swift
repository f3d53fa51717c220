// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import SystemPackage

/// An event of a run.
public enum Progress: Sendable {
  /// The plan; nothing has happened yet.
  case planned(Plan)
  /// A step begins: its number, from 1, and how many there are.
  case begins(Int, of: Int, Step)
  case done(Int, of: Int, Step)
  case failed(Int, of: Int, Step, ProvisioningError)
  /// An operation is undone.
  case undoing(Operation)
  case undone(Operation)
  case cannotUndo(Operation, ProvisioningError)
  /// Something was left as it is, and why.
  case kept(String)
  /// A signal arrived during an undo, which continues to its end; another signal stops it.
  case continuesAfterSignal(CInt)
}

/// The execution of a plan: all of it, or nothing.
struct Transaction: ~Copyable {
  private var journal: Journal
  private var executor: Executor
  private let machine: Machine
  private let run: RunDirectory
  private let before: Ledger
  /// Existing objects that the profile adopts, and objects that are left to other profiles.
  private let claims: [JournalEntry]
  private let released: Set<String>
  /// The effects of this run, with their numbers in the journal.
  private var done: [(number: Int, entry: JournalEntry)] = []
  private let progress: (Progress) -> Void

  /// - Parameter before: the effects of earlier runs in the journal of that name.
  init(
    _ plan: Plan, on machine: Machine, in run: RunDirectory, before: Ledger, timeout: Duration,
    progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) {
    claims = plan.claims
    released = Set(plan.released)
    self.machine = machine
    self.run = run
    self.before = before
    self.progress = progress
    executor = Executor(machine: machine, timeout: timeout, loops: before.loops)
    journal = try Journal(plan.name, in: run, committed: before)
  }

  /// Executes the steps; after a failure or a signal everything is undone.
  mutating func apply(_ steps: [Step]) throws(ProvisioningError) {
    for (index, step) in steps.enumerated() {
      do throws(ProvisioningError) {
        if let signal = Signals.caught { throw .interrupted(by: signal, Self.undone) }
        progress(.begins(index + 1, of: steps.count, step))
        try perform(step)
        progress(.done(index + 1, of: steps.count, step))
      } catch {
        let cause = Self.cause(of: error)
        progress(.failed(index + 1, of: steps.count, step, cause))
        throw rollback(after: cause)
      }
    }
    // A signal that arrives while the last step takes effect does not interrupt the run.
    do { try commit() } catch { throw rollback(after: error) }
  }

  private static let undone = "everything was undone"

  /// A system call that a signal interrupted, such as a connect to a target that does not reply, is an interruption.
  private static func cause(of error: ProvisioningError) -> ProvisioningError {
    guard error.errno == .interrupted, let signal = Signals.caught else { return error }
    var interruption = ProvisioningError.interrupted(by: signal, undone, operation: error.operation)
    interruption.path = error.path
    return interruption
  }

  private mutating func perform(_ step: Step) throws(ProvisioningError) {
    var undo = Self.undo(of: step)
    if step.undo.readsFirst, case .write(let path, .text, let shown?) = step.operation {
      let old: String
      do { old = try machine.configFS.read(FilePath(path)) } catch {
        throw ProvisioningError(ConfigFSError(.read, FilePath(path), .system(error)))
      }
      if sameAttributeText(old, shown, at: path) {
        // Remembered all the same: this is the value that the function was bound with.
        try record(step.operation, undo: nil)
        return
      }
      if case .capture = step.undo { undo = .write(path: path, value: .text(old), shown: old) }
    }
    guard step.operation.isEffect else {
      try executor.perform(step.operation)
      return
    }
    let number = try journal.intend(step.operation, undo: undo)
    do { try executor.perform(step.operation) } catch {
      if Self.mayHaveTakenEffect(step.operation, error) {
        done.append((number, JournalEntry(operation: step.operation, undo: undo, state: .intended)))
      } else if case .disconnect = step.operation {
        // The connection is still there, and making its link again would open a second one: the undo tries once more.
        undo = step.operation
        try? journal.confirm(number, undo: undo)
        done.append((number, JournalEntry(operation: step.operation, undo: undo, state: .done)))
      } else {
        try? journal.withdraw(number, failed: true)
      }
      throw error
    }
    // Information that is known only after the effect.
    var knownLater: Operation?
    switch step.operation {
    case .attachLoop(let backing, let loop):
      knownLater = .detachLoop(backing: backing, file: loop.file, device: executor.loops[backing])
    case .expectConnection(let address):
      knownLater = .disconnect(address, sparing: executor.otherConnections)
    default: break
    }
    // Before the journal has it: without room for the line, it is undone like the others.
    done.append(
      (number, JournalEntry(operation: step.operation, undo: knownLater ?? undo, state: .done)))
    try journal.confirm(number, undo: knownLater)
  }

  private mutating func record(_ operation: Operation, undo: Operation?) throws(ProvisioningError) {
    let number = try journal.intend(operation, undo: undo)
    try journal.confirm(number)
    done.append((number, JournalEntry(operation: operation, undo: undo, state: .done)))
  }

  /// A refused write changed nothing. A write that was accepted but reads back differently did, and so may a truncated one.
  private static func mayHaveTakenEffect(_ operation: Operation, _ error: ProvisioningError)
    -> Bool
  {
    guard case .write = operation else { return false }
    return error.errno == nil || error.operation == "read"
  }

  private static func undo(of step: Step) -> Operation? {
    switch step.undo {
    case .nothing, .capture, .ifDifferent: nil
    case .write(let text):
      .write(path: step.operation.path, value: .text(text), shown: text)
    case .operation(let undo): undo
    case .inverse: step.operation.inverse
    }
  }

  private mutating func commit() throws(ProvisioningError) {
    let ledger = Ledger(before.entries + claims + done.map(\.entry)).compacted()
      .without(released)
    journal = try Journal(journal.name, in: run, committed: ledger)
  }

  /// Undoes the effects of this run, in reverse.
  /// - Returns: the error to throw: the cause, or `rollbackIncomplete` with the leftovers.
  private mutating func rollback(after cause: ProvisioningError) -> ProvisioningError {
    var unwinding = Unwinding(executor: executor, progress: progress)
    for (number, entry) in done.reversed() {
      if unwinding.takeBack(entry) { try? journal.withdraw(number, failed: false) }
    }
    unwinding.settle()
    if unwinding.leftovers.isEmpty {
      if before.entries.isEmpty {
        Journal.remove(journal.name, in: run)
      } else if let clean = try? Journal(journal.name, in: run, committed: before) {
        journal = clean
      }
      return cause
    }
    var error = cause
    if let signal = cause.signal {
      error = .interrupted(
        by: signal, "not everything was undone", hint: unwinding.firstError?.hint)
    }
    error.kind = .rollbackIncomplete
    error.leftovers = unwinding.leftovers
    return error
  }
}

extension Operation {
  /// The undo, as known before the effect.
  var inverse: Operation? {
    switch self {
    case .createDirectory(let path): .removeDirectory(path: path)
    case .removeDirectory(let path): .createDirectory(path: path)
    case .restoreDirectory(let path, _): .removeDirectory(path: path)
    case .link(let path, let target): .unlink(path: path, target: target)
    case .unlink(let path, let target): .link(path: path, target: target)
    case .createFile(let path, _): .removeFile(path: path)
    case .attachLoop(let backing, let loop):
      .detachLoop(backing: backing, file: loop.file, device: nil)
    case .detachLoop(let backing, let file, _):
      .attachLoop(backing: backing, LoopConfiguration(file: file))
    // The connections to keep are known only when it is expected.
    case .expectConnection: nil
    case .disconnect(let address, _): .expectConnection(address)
    case .mountConfigFS, .loadModule, .unloadModule, .removeFile, .write, .awaitDirectory,
      .awaitDevice, .verifyController:
      nil
    }
  }
}
