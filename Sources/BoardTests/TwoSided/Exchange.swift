// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import LinuxFiles
internal import Numbers
package import Provisioning
package import SystemPackage

/// The exchange of messages between the two sides of a run: named JSON documents.
package protocol Exchange {
  /// Whether receiving a message blocks until it arrives.
  var blocks: Bool { get }

  /// Leaves a message for the other side, in place of an older one of that name.
  func post(_ name: String, _ message: JSONValue) throws(ProvisioningError)

  /// A message of the other side; nil if none arrived in time.
  func message(_ name: String, upTo limit: Duration) throws(ProvisioningError) -> JSONValue?
}

extension Exchange {
  /// Receives messages until one matches.
  /// - Returns: nil on a timeout or a signal.
  func wait(
    for name: String, upTo limit: Duration, where isWanted: (JSONValue) -> Bool = { _ in true }
  ) throws(ProvisioningError) -> JSONValue? {
    let end = ContinuousClock.now + limit
    while Signals.caught == nil {
      let left = end - .now
      guard left > .zero else { return nil }
      if let message = try message(name, upTo: blocks ? left : .zero), isWanted(message) {
        return message
      }
      usleep(100_000)
    }
    return nil
  }
}

/// The maximum size of a message.
private let longestMessage = 4 << 20

func parse(_ text: String, from source: String) throws(ProvisioningError) -> JSONValue {
  guard text.utf8.count <= longestMessage, let json = try? LocatedJSON(parsing: Array(text.utf8))
  else {
    throw ProvisioningError(
      .operationFailed, "\(source) did not return a message of the other side",
      operation: "exchange", path: source,
      hint: "both sides must be the same version of epfnvme")
  }
  return json.value
}

/// Files in a directory that both sides can access: on a shared file system, or on one machine.
package struct DirectoryExchange: Exchange {
  private let directory: FilePath
  package var blocks: Bool { false }

  /// - Throws: ``ProvisioningError`` when the directory does not exist and cannot be created.
  package init(_ directory: FilePath) throws(ProvisioningError) {
    self.directory = directory
    var made = unsafe mkdir(directory.removingLastComponent().string, 0o700)
    made = unsafe mkdir(directory.string, 0o700)
    let error = Errno.current
    guard made == 0 || error == .fileExists else {
      throw Self.failure("create", directory, error)
    }
  }

  package func post(_ name: String, _ message: JSONValue) throws(ProvisioningError) {
    let path = directory.appending(name + ".json")
    do {
      try AtomicFile.replace(
        path, with: Array(message.compactText.utf8),
        by: directory.appending(".\(name).\(getpid())"))
    } catch { throw Self.failure(error.operation, path, error.errno) }
  }

  package func message(_ name: String, upTo limit: Duration) throws(ProvisioningError) -> JSONValue?
  {
    let path = directory.appending(name + ".json")
    let text: String
    do { text = try LinuxFiles.readFile(path) } catch .noSuchFileOrDirectory {
      return nil
    } catch { throw Self.failure("read", path, error) }
    return try parse(text, from: path.string)
  }

  private static func failure(
    _ operation: String, _ path: FilePath, _ errno: Errno?
  ) -> ProvisioningError {
    ProvisioningError(
      .cannotCreate, "cannot \(operation) \(path): \(errno?.nameAndText ?? "unknown error")",
      operation: operation, path: path.string, errno: errno,
      hint: "both sides need a writable directory")
  }
}

/// The directory of the other machine, through a command that runs epfnvme there: `ssh board epfnvme`.
package struct PeerExchange: Exchange {
  private let command: String
  package var blocks: Bool { false }

  package init(_ command: String) { self.command = command }

  package func post(_ name: String, _ message: JSONValue) throws(ProvisioningError) {
    _ = try run("put", name, input: message.compactText)
  }

  package func message(_ name: String, upTo limit: Duration) throws(ProvisioningError) -> JSONValue?
  {
    let text = try run("get", name, input: "")
    return text.isEmpty ? nil : try parse(text, from: command)
  }

  private func run(_ verb: String, _ name: String, input: String) throws(ProvisioningError)
    -> String
  {
    // The names are safe; the command is from the user, in shell syntax.
    var child = ChildProcess(["/bin/sh", "-c", "\(command) exchange \(verb) \(name)"])
    child.environment = ChildProcess.ownEnvironment
    child.input = input
    child.takesErrors = false
    child.limit = .seconds(30)
    // A signal ends a running command; the last messages of an interrupted run are still sent.
    let wasInterrupted = Signals.caught != nil
    child.isUnwanted = { !wasInterrupted && Signals.caught != nil }
    let ending: ChildProcess.Ending
    do { ending = try child.run() } catch {
      throw ProvisioningError(
        .operationFailed, "cannot start a shell: \(error.nameAndText)", operation: "exchange",
        path: "/bin/sh", errno: error)
    }
    guard ending.status == 0 else {
      throw ProvisioningError(
        .operationFailed,
        ending.ranOutOfTime
          ? "\"\(command) exchange \(verb) \(name)\" did not end within 30 seconds"
          : "\"\(command) exchange \(verb) \(name)\" ended with \(ending.status)",
        operation: "exchange", path: command,
        hint: "--peer takes a command that runs epfnvme on the other machine without a prompt")
    }
    return ending.output
  }
}

/// The messages of a LAVA MultiNode job.
/// - Source: LAVA documentation, "MultiNode API": `lava-send ID KEY=VALUE`, `lava-wait ID`, and the cache that it fills.
package struct LAVAExchange: Exchange {
  private let send: String
  private let waiter: String
  private let cache: FilePath
  package var blocks: Bool { true }

  /// nil outside of a MultiNode job.
  /// - Parameter cache: the file to which lava-wait writes messages.
  package init?(cache: FilePath) {
    guard let send = ChildProcess.path(of: "lava-send"),
      let waiter = ChildProcess.path(of: "lava-wait")
    else { return nil }
    self.send = send
    self.waiter = waiter
    self.cache = cache
  }

  package func post(_ name: String, _ message: JSONValue) throws(ProvisioningError) {
    _ = try call([send, "epfnvme-\(name)", "json=" + Self.encoded(message.compactText)], nil)
  }

  package func message(_ name: String, upTo limit: Duration) throws(ProvisioningError) -> JSONValue?
  {
    guard try call([waiter, "epfnvme-\(name)"], limit) else { return nil }
    // `SENDER:KEY=VALUE`
    let lines = (try? LinuxFiles.readFile(cache))?.split(separator: "\n") ?? []
    guard let line = lines.last(where: { $0.contains(":json=") }),
      let start = line.range(of: ":json=")?.upperBound,
      let text = Self.text(of: line[start...])
    else { return nil }
    return try parse(text, from: "\(waiter) epfnvme-\(name)")
  }

  /// - Returns: false when the time was up.
  private func call(_ arguments: [String], _ limit: Duration?) throws(ProvisioningError) -> Bool {
    var child = ChildProcess(arguments)
    child.environment = ChildProcess.ownEnvironment
    child.limit = limit ?? .seconds(60)
    child.isUnwanted = { Signals.caught != nil }
    let ending = try? child.run()
    if let ending, ending.ranOutOfTime || Signals.caught != nil, limit != nil { return false }
    guard let ending, ending.status == 0 else {
      throw ProvisioningError(
        .operationFailed,
        "\(arguments[0]) \(arguments[1]) failed: \(ending?.output ?? "it cannot be started")",
        operation: "exchange", path: arguments[0])
    }
    return true
  }

  /// LAVA's protocol consists of lines of words, so any text is encoded as a word.
  private static func encoded(_ text: String) -> String {
    text.utf8.map { hexadecimalDigits($0, count: 2) }.joined()
  }

  private static func text(of word: Substring) -> String? {
    let digits = word.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == word.utf8.count, digits.count % 2 == 0 else { return nil }
    let bytes = stride(from: 0, to: digits.count, by: 2).map {
      UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension Substring {
  /// The first place of a text, without Foundation.
  fileprivate func range(of text: String) -> Range<Index>? { ranges(of: text).first }
}
