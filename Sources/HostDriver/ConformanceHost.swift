// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI

/// The conformance host, which checks a controller against the specification and records violations.
///
/// It continues after a violation if possible. It writes to the first blocks of the first namespace.
/// - Source: NVM Express Base 2.1, NVM Command Set 1.1, PCIe Transport 1.1.
public final class ConformanceHost: NVMeHost {
  /// Rules of one command that are not examined, by id: some drivers do not survive them.
  public var omitted: Set<String> = []
  /// The rule after which nothing more is examined: the controller may not survive it.
  public var last: String?
  private var isFinished: Bool {
    last.map { id in examination.rules.contains { $0.id == id } } ?? false
  }
  /// Rules whose command fails after the controller has set up its transfer to the host.
  ///
  /// `nvmet_pci_epf` does not survive them for long: nvmet_pci_epf.md#failed-read-hangs.
  public static let failingReads: Set<String> = [
    "identify-invalid-nsid", "identify-list-nsid", "identify-reserved", "log-reserved", "log-short",
    "read-range",
  ]
  /// The rules checked so far; complete after ``examine()`` has returned.
  public private(set) var examination = ConformanceReport()
  var capabilities = ControllerCapabilities()
  var controller = IdentifyController()
  /// Of MSI-X or MSI; 1 with a pin only.
  private(set) var vectors = 1
  /// The admin queue, which a reset must preserve.
  private var adminPair = QueuePair(submissions: 0, completions: 0, depth: 0)
  /// Commands by queue that have no completion yet.
  private var outstanding: [Int: Set<UInt16>] = [:]
  private var misplaced: [String] = []

  static let adminDepth: UInt32 = 32

  /// From the configuration space to the shutdown, all the rules.
  /// - Throws: ``HostError`` when the controller cannot be brought up at all.
  public func examine() throws(HostError) -> ConformanceReport {
    examineFunction()
    try enableFunction()
    vectors = enableInterrupts()
    capabilities = ControllerCapabilities(rawValue: read64(.capabilities))
    examineRegisters()
    try examineEnable()
    try examineAdmin()
    examineFeatures()
    examineLogs()
    if isFinished { return examination }
    try examineQueues()
    try examineIO()
    if isFinished { return examination }
    examineEvents()
    try examineReset()
    try examineShutdown()
    require(
      "completion-fields", "Base 4.2.1",
      "a completion names its queue, a head within it, and a command that is outstanding",
      misplaced.isEmpty, misplaced.prefix(3).joined(separator: "; "))
    return examination
  }

  // MARK: Rules

  func require(
    _ id: String, _ source: String, _ requirement: String, _ isKept: Bool,
    _ found: @autoclosure () -> String
  ) {
    examination.rules.append(
      .init(
        id: id, source: source, requirement: requirement, found: isKept ? nil : found()))
  }

  /// A command that must complete with one of several statuses; the controller chooses Do Not Retry.
  @discardableResult
  func require(
    _ id: String, _ source: String, _ requirement: String, _ command: SubmissionEntry,
    on queue: Int = 0, ends wanted: Status...
  ) -> CompletionEntry? {
    if omitted.contains(id) || isFinished { return nil }
    let end = run(command, on: queue)
    require(
      id, source, requirement,
      end.map { end in wanted.contains { $0.code == end.status.code } } ?? false,
      end.map { "\($0.status)" } ?? "no completion")
    return end
  }

  // MARK: Commands

  func admin(
    _ opcode: AdminOpcode, namespace: UInt32 = 0, prp1: UInt64 = 0, prp2: UInt64 = 0,
    words: [UInt32] = []
  ) -> SubmissionEntry {
    SubmissionEntry(
      opcode: opcode.rawValue, id: 0, namespaceID: namespace, prp1: prp1, prp2: prp2,
      words: words)
  }

  /// Puts a command into a queue and writes the doorbell; its completion is then expected.
  func start(_ command: SubmissionEntry, on queue: Int) throws(HostError) -> UInt16 {
    let id = try submit(command, to: queue)
    outstanding[queue, default: []].insert(id)
    ring(queue)
    return id
  }

  /// The next completion of a queue, after checks; nil if none arrives within two seconds.
  func next(_ queue: Int, submittedTo submissions: Set<Int>? = nil) -> CompletionEntry? {
    guard !isFinished, let entry = try? reap(queue, milliseconds: 2000) else { return nil }
    let source = Int(entry.submissionQueueID)
    if !(submissions ?? [queue]).contains(source) {
      misplaced.append("SQID \(source) in completion queue \(queue)")
    } else if UInt32(entry.submissionHead) >= queues[source].depth {
      misplaced.append("SQHD \(entry.submissionHead) of \(queues[source].depth) entries")
    } else if outstanding[source, default: []].remove(entry.commandID) == nil {
      misplaced.append("CID \(entry.commandID) in queue \(queue)")
    }
    return entry
  }

  /// A command from beginning to end; nil when it does not end.
  func run(_ command: SubmissionEntry, on queue: Int = 0) -> CompletionEntry? {
    guard let id = try? start(command, on: queue) else { return nil }
    // Completions of commands that timed out can arrive first.
    while let entry = next(queue) { if entry.commandID == id { return entry } }
    return nil
  }

  // MARK: The controller's life

  /// Clears CC.EN.
  /// - Returns: whether RDY was cleared in time.
  func disable() -> Bool {
    write(.configuration, read(.configuration) & ~1)
    outstanding = [:]
    return (try? wait(for: 0, timeout, "reset")) != nil
  }

  /// Admin queues and CC.EN.
  /// - Returns: whether RDY was set in time.
  func enable(_ configuration: UInt32) -> Bool {
    adminPair = QueuePair(submissions: page(), completions: page(), depth: Self.adminDepth)
    queues = [adminPair]
    write(.adminQueueAttributes, (Self.adminDepth - 1) << 16 | (Self.adminDepth - 1))
    write64(.adminSubmissionQueue, adminPair.submissions)
    write64(.adminCompletionQueue, adminPair.completions)
    write(.configuration, configuration & ~1)
    write(.configuration, configuration | 1)
    return (try? wait(for: 1, timeout, "initialisation")) != nil
  }

  /// CAP.TO in ms, and one step more.
  private var timeout: UInt64 { UInt64(capabilities[.timeout]) * 500 + 500 }

  /// The value of CC for an enable: 4 KiB pages, entries of 64 and 16 bytes.
  var configuration: UInt32 {
    0x0046_0000 | (capabilities[.supportsIOCommandSets] ? 0x60 : 0)
  }

  /// The addresses of the admin queues.
  var adminAddresses: (submissions: UInt64, completions: UInt64) {
    (adminPair.submissions, adminPair.completions)
  }
}
