// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
public import SystemPackage

/// The journal of one profile: created objects and replaced values, written and fsynced before each effect.
///
/// A file of JSON lines, mode 0600. The first line is the header, which names the boot of its run; then follow entries (`do`, with their undo), confirmations (`done`),
/// withdrawals (`failed`, `undone`) and `commit`. Lines after the last `commit` belong to an unfinished run. A crash during a write leaves
/// a truncated last line: the effect that it announces has not begun.
struct Journal: ~Copyable {
  /// The contents of a journal.
  struct Contents {
    /// Effects of finished runs.
    var committed: [JournalEntry] = []
    /// Effects of a run that did not finish.
    var unfinished: [JournalEntry] = []
    /// The boot in which the unfinished run was; nil if the journal does not have it.
    var boot: String?

    /// The last announced effect of the unfinished run that was not confirmed.
    var step: Operation? { unfinished.last.flatMap { $0.state == .intended ? $0.operation : nil } }

    /// Whether the machine has been restarted since.
    var isOfEarlierBoot: Bool {
      guard let boot, let present = Journal.presentBoot, !unfinished.isEmpty else { return false }
      return boot != present
    }

    var all: Ledger { Ledger(committed + unfinished) }
  }

  private static let version: Int64 = 1

  /// The kernel's name for this boot; nil without procfs.
  /// - Source: `drivers/char/random.c`, `boot_id`.
  static var presentBoot: String? {
    guard let bytes = try? readBytes("/proc/sys/kernel/random/boot_id") else { return nil }
    return String(decoding: bytes, as: UTF8.self).trimmed
  }

  let name: String
  private let path: FilePath
  private let file: Descriptor
  private var next: Int

  // MARK: Reading

  /// nil when there is no journal of that name.
  static func contents(_ name: String, in run: RunDirectory) throws(ProvisioningError) -> Contents?
  {
    let path = run.journalPath(name)
    let bytes: [UInt8]
    do { bytes = try readFile(path) } catch .noSuchFileOrDirectory { return nil } catch {
      throw ProvisioningError(
        error == .permissionDenied ? .needsPrivileges : .cannotCreate,
        "cannot read the journal \(path): \(error.nameAndText)", operation: "read",
        path: path.string, errno: error, hint: error == .permissionDenied ? "run as root" : nil)
    }
    var contents = Contents()
    var entries: [(number: Int64, entry: JournalEntry)] = []
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
    let endsWhole = bytes.last == UInt8(ascii: "\n")
    // Its first line existed before the journal had its name.
    guard !lines.isEmpty, lines.count > 1 || endsWhole else { throw damaged(path, 1) }
    for (index, line) in lines.enumerated() {
      let isTorn = index == lines.count - 1 && !endsWhole
      guard let json = try? LocatedJSON(parsing: Array(line)).value else {
        if isTorn { break }
        throw damaged(path, index + 1)
      }
      if index == 0 {
        guard let found = json["epfnvme"]?.integerValue, json["name"]?.stringValue == name else {
          throw damaged(path, 1)
        }
        guard found == version else {
          throw ProvisioningError(
            .cannotCreate, "the journal \(path) was written by another version of epfnvme",
            path: path.string,
            hint: "use the version that wrote it to tear it down")
        }
        contents.boot = json["boot"]?.stringValue
        continue
      }
      if let number = json["n"]?.integerValue, let effect = json["do"] {
        guard let operation = Operation(effect) else { throw damaged(path, index + 1) }
        let undo = json["undo"].flatMap { Operation($0) }
        let isDone = json["done"]?.boolValue == true
        entries.append(
          (
            number,
            JournalEntry(operation: operation, undo: undo, state: isDone ? .done : .intended)
          ))
      } else if let number = json["done"]?.integerValue,
        let place = entries.firstIndex(where: { $0.number == number })
      {
        entries[place].entry.state = .done
        if let undo = json["undo"].flatMap({ Operation($0) }) { entries[place].entry.undo = undo }
      } else if let number = json["failed"]?.integerValue ?? json["undone"]?.integerValue {
        entries.removeAll { $0.number == number }
      } else if json["commit"]?.boolValue == true {
        contents.committed += entries.map(\.entry)
        entries = []
      } else {
        throw damaged(path, index + 1)
      }
    }
    contents.unfinished = entries.map(\.entry)
    return contents
  }

  private static func damaged(_ path: FilePath, _ line: Int) -> ProvisioningError {
    ProvisioningError(
      .cannotCreate, "the journal \(path) is damaged in line \(line)", operation: "read",
      path: path.string,
      hint:
        "move it away; if the machine matches the profile, epfnvme setup writes a new one; otherwise remove the objects that epfnvme status shows by hand"
    )
  }

  // MARK: Writing

  /// Replaces the journal by one with the committed entries, for a new run.
  init(
    _ name: String, in run: RunDirectory, committed: Ledger, isFinished: Bool = true
  ) throws(ProvisioningError) {
    try run.create()
    let path = run.journalPath(name)
    var text =
      JSONValue.object(
        [.init("epfnvme", .integer(Self.version)), .init("name", .string(name))]
          + (Self.presentBoot.map { [.init("boot", .string($0))] } ?? [])
      ).compactText + "\n"
    for (index, entry) in committed.entries.enumerated() { text += Self.line(index + 1, entry) }
    if isFinished { text += #"{"commit":true}"# + "\n" }
    let file = try Self.replace(path, with: text, by: run.path.appending(".\(name).new"))
    self.name = name
    self.path = path
    self.file = file
    next = committed.entries.count + 1
  }

  private static func replace(
    _ path: FilePath, with text: String, by temporary: FilePath
  ) throws(ProvisioningError) -> Descriptor {
    do {
      return try AtomicFile.replace(path, with: Array(text.utf8), by: temporary, isDurable: true)
    } catch { throw failure(error.operation, path, error.errno) }
  }

  /// Announces an effect. After this call has returned the announcement survives a crash.
  mutating func intend(_ operation: Operation, undo: Operation?) throws(ProvisioningError) -> Int {
    let number = next
    next += 1
    try write(Self.line(number, JournalEntry(operation: operation, undo: undo, state: .intended)))
    return number
  }

  /// Confirms an effect, with a more precise undo if it is known only after the effect.
  mutating func confirm(_ number: Int, undo: Operation? = nil) throws(ProvisioningError) {
    var members = [JSONValue.Member("done", JSONValue(number))]
    if let undo { members.append(.init("undo", undo.json)) }
    try write(JSONValue.object(members).compactText + "\n")
  }

  /// Records that an announced effect did not happen, or was undone.
  mutating func withdraw(_ number: Int, failed: Bool) throws(ProvisioningError) {
    try write(
      JSONValue.object([.init(failed ? "failed" : "undone", JSONValue(number))]).compactText + "\n")
  }

  static func remove(_ name: String, in run: RunDirectory) {
    try? AtomicFile.remove(run.journalPath(name))
  }

  private static func line(_ number: Int, _ entry: JournalEntry) -> String {
    var members: [JSONValue.Member] = [
      .init("n", JSONValue(number)), .init("do", entry.operation.json),
    ]
    if let undo = entry.undo { members.append(.init("undo", undo.json)) }
    if entry.state == .done { members.append(.init("done", true)) }
    return JSONValue.object(members).compactText + "\n"
  }

  private func write(_ text: String) throws(ProvisioningError) {
    do throws(Errno) {
      // A line that is cut short and followed by others could not be read any more.
      try file.append(Array(text.utf8))
      try file.synchronize()
    } catch { throw Self.failure("write", path, error) }
  }

  private static func failure(
    _ operation: String, _ path: FilePath, _ error: Errno
  ) -> ProvisioningError {
    ProvisioningError(
      .cannotCreate, "cannot \(operation) the journal \(path): \(error.nameAndText)",
      operation: operation, path: path.string, errno: error,
      hint: "nothing is changed without a journal")
  }
}

/// The bytes of a file.
public func readFile(_ path: FilePath) throws(Errno) -> [UInt8] { try readBytes(path) }
