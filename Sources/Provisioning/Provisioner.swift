// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import PCIEndpoint
internal import SystemPackage

/// Profiles on a machine: what would change, changing it, and taking it back.
public struct Provisioner: Sendable {
  public let machine: Machine
  public let run: RunDirectory
  /// The limit of each wait for the kernel.
  public var timeout: Duration = .seconds(5)
  /// How long to wait for another run to end.
  public var lockTimeout: Duration = .zero

  public init(_ machine: Machine, run: RunDirectory) {
    self.machine = machine
    self.run = run
  }

  /// What a run did.
  public struct Outcome: Sendable {
    public var plan: Plan
    public var changed: Bool
    /// Whether leftovers of an interrupted run were taken back first.
    public var recovered: Bool
    public var elapsed: Duration
  }

  // MARK: Planning

  /// What `setup` would do now; changes nothing.
  /// - Throws: ``ProvisioningError``: what cannot be, before any write.
  public func plan(_ located: Profile.Located) throws(ProvisioningError) -> Plan {
    let contents = try Journal.contents(located.profile.name, in: run)
    return try plan(located, owned: contents?.all ?? Ledger())
  }

  /// What `setup` would do on this machine if nothing were set up on it; changes nothing.
  /// - Throws: ``ProvisioningError``: what cannot be.
  public func planFromNothing(_ profile: Profile) throws(ProvisioningError) -> Plan {
    try plan(
      Profile.Located(profile: profile, warnings: [], places: [:]), owned: Ledger(),
      fromNothing: true)
  }

  private func plan(
    _ located: Profile.Located, owned: Ledger, fromNothing: Bool = false
  ) throws(ProvisioningError) -> Plan {
    let profile = located.profile
    let resolution = try Resolution(profile, on: machine, owned: owned)
    let desired = try DesiredState(profile, resolution, on: machine)
    if !fromNothing { try Preflight(machine: machine, owned: owned).check(profile) }
    var planner = try Planner(desired, owned: owned, on: machine, fromNothing: fromNothing)
    let warnings = resolution.warnings.map { warning in
      var warning = warning
      warning.position = Profile.place(of: warning.path, in: located.places)
      return warning
    }
    return Plan(
      name: profile.name, driver: resolution.driver?.name, steps: planner.steps(),
      warnings: located.warnings + warnings)
  }

  // MARK: Setup

  /// Makes the machine what the profile says, in one transaction.
  /// - Parameter force: also when a host would notice.
  public func setUp(
    _ located: Profile.Located, force: Bool, progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) -> Outcome {
    try Preflight(machine: machine, owned: Ledger()).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    let start = ContinuousClock.now
    let name = located.profile.name
    let (owned, recovered) = try recover(name, progress)
    let plan = try plan(located, owned: owned)
    progress(.planned(plan))
    if let first = plan.disruptions.first, !force {
      throw ProvisioningError(
        .disruptive,
        "this change would disturb a host (\(first.disruption ?? "")): \(plan.disruptions.count) of \(plan.steps.count) steps",
        operation: first.operation.verb, path: first.operation.path,
        hint: "look at it with epfnvme plan, then give --force")
    }
    if plan.changesAnything {
      var transaction = try Transaction(
        name, on: machine, in: run, before: owned, timeout: timeout, progress: progress)
      try transaction.apply(plan.steps)
    }
    return Outcome(
      plan: plan, changed: plan.changesAnything, recovered: recovered,
      elapsed: ContinuousClock.now - start)
  }

  /// Finishes the undo of a run that a crash cut off.
  private func recover(
    _ name: String, _ progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) -> (owned: Ledger, recovered: Bool) {
    guard let contents = try Journal.contents(name, in: run) else { return (Ledger(), false) }
    guard !contents.unfinished.isEmpty else { return (Ledger(contents.committed), false) }
    let left = unwind(contents.unfinished, progress, loops: contents.all.loops)
    let committed = Ledger(contents.committed)
    guard left.entries.isEmpty else {
      _ = try Journal(
        name, in: run, committed: Ledger(contents.committed + left.entries), isFinished: false)
      throw Self.incomplete("an interrupted run of \"\(name)\" could not be taken back", left)
    }
    if committed.entries.isEmpty {
      Journal.remove(name, in: run)
    } else {
      _ = try Journal(name, in: run, committed: committed)
    }
    return (committed, true)
  }

  private static func incomplete(_ message: String, _ left: Left) -> ProvisioningError {
    let signal = left.error?.signal.map { ": interrupted by \(Signals.name(of: $0)), and again" }
    var error = ProvisioningError(
      .rollbackIncomplete, message + (signal ?? ""), operation: left.error?.operation,
      path: left.error?.path,
      value: left.error?.value, errno: left.error?.errno,
      hint: left.error?.hint ?? "mend what is named, then run teardown again",
      kernelLog: left.error?.kernelLog ?? [])
    error.leftovers = left.sentences
    return error
  }

  /// What could not be taken back.
  private struct Left {
    /// In the order of the journal.
    var entries: [JournalEntry]
    var sentences: [String]
    var error: ProvisioningError?
    var changed: Bool
  }

  private func unwind(
    _ entries: [JournalEntry], _ progress: @escaping (Progress) -> Void, loops: [String: String]
  ) -> Left {
    var unwinding = Unwinding(
      executor: Executor(machine: machine, timeout: timeout, loops: loops), progress: progress)
    var left: [JournalEntry] = []
    for entry in entries.reversed() where !unwinding.takeBack(entry) { left.append(entry) }
    return Left(
      entries: left.reversed(), sentences: unwinding.leftovers, error: unwinding.lastError,
      changed: unwinding.changed)
  }

  // MARK: Teardown

  public struct TeardownOptions: Sendable {
    public var unloadsModules = false
    /// Also removes files that setup created, with the data in them.
    public var removesFiles = false
    public init() {}
  }

  /// The names that have a journal.
  /// - Throws: ``ProvisioningError`` of kind `needsPrivileges` when this user cannot see them.
  public func names() throws(ProvisioningError) -> [String] { try run.names() }

  /// Takes back everything that epfnvme made under a name, and only that.
  /// - Returns: whether anything was there to take back.
  public func tearDown(
    _ name: String, options: TeardownOptions = TeardownOptions(),
    progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) -> Bool {
    try Preflight(machine: machine, owned: Ledger()).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    guard let contents = try Journal.contents(name, in: run) else { return false }
    var ledger = contents.all
    if !contents.unfinished.isEmpty {
      // First back to where the last finished run left the machine, then all the way.
      let left = unwind(contents.unfinished, progress, loops: ledger.loops)
      ledger = Ledger(contents.committed + left.entries)
    }
    let files = ledger.entries.compactMap { entry -> String? in
      if case .createFile(let path, _) = entry.operation { path } else { nil }
    }
    var entries = ledger.entries
    if options.removesFiles {
      for index in entries.indices {
        if case .createFile(let path, _) = entries[index].operation {
          entries[index].undo = .removeFile(path: path)
        }
      }
    }
    if options.unloadsModules {
      for index in entries.indices {
        if case .loadModule(let module, _) = entries[index].operation {
          entries[index].undo = .unloadModule(module)
        }
      }
    }
    let left = unwind(entries, progress, loops: ledger.loops)
    guard left.entries.isEmpty else {
      _ = try Journal(name, in: run, committed: Ledger(left.entries))
      throw Self.incomplete("\"\(name)\" could not be taken down completely", left)
    }
    Journal.remove(name, in: run)
    if !options.removesFiles {
      for file in files { progress(.kept("\(file) stays: it holds data")) }
    }
    return true
  }

  // MARK: The endpoint controller

  /// The controller that a name, or the absence of one, means.
  public func controller(_ name: String?) throws(ProvisioningError) -> String {
    guard machine.isConfigFSMounted() else {
      throw ProvisioningError(
        .unsupported, "configfs is not mounted at \(machine.configFS.mountPoint)",
        hint: "mount -t configfs none \(machine.configFS.mountPoint); setup does it by itself")
    }
    let names = try controllerNames()
    guard !names.isEmpty else {
      throw ProvisioningError(
        .unsupported, "\(machine.label) has no PCI endpoint controller",
        hint: "to try it without the hardware, use --kernel simulated")
    }
    if let name {
      guard names.contains(name) else {
        throw ProvisioningError(
          .impossible, "there is no endpoint controller \"\(name)\"",
          hint: "there are: " + names.joined(separator: ", "))
      }
      return name
    }
    guard names.count == 1 else {
      throw ProvisioningError(
        .impossible, "there are \(names.count) endpoint controllers",
        hint: "name one of " + names.joined(separator: ", "))
    }
    return names[0]
  }

  private func controllerNames() throws(ProvisioningError) -> [String] {
    let tree = EndpointTree(on: machine.configFS)
    guard tree.isAvailable else { return [] }
    do { return try tree.controllers().map(\.name) } catch { throw ProvisioningError(error) }
  }

  /// Starts or stops an endpoint controller.
  /// - Returns: whether it was otherwise before.
  public func setStarted(_ isStarted: Bool, _ name: String) throws(ProvisioningError) -> Bool {
    try Preflight(machine: machine, owned: Ledger()).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    return try write(isStarted, name)
  }

  /// Stops and starts an endpoint controller: the host sees the link go and come.
  public func bounce(_ name: String) throws(ProvisioningError) {
    try Preflight(machine: machine, owned: Ledger()).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    guard try write(false, name) else {
      throw ProvisioningError(
        .impossible, "the endpoint controller \(name) is not started", path: name,
        hint: "epfnvme start \(name)")
    }
    _ = try write(true, name)
  }

  private func write(_ isStarted: Bool, _ name: String) throws(ProvisioningError) -> Bool {
    let start = EndpointTree(on: machine.configFS).controller(name).isStarted
    let current: Bool
    do { current = try start.read() } catch { throw ProvisioningError(error) }
    // The kernel answers EALREADY to the value that stands.
    guard current != isStarted else { return false }
    var executor = Executor(machine: machine, timeout: timeout)
    try executor.perform(
      .write(
        path: start.path.string, value: .text(isStarted.attributeText), shown: isStarted.shownText))
    return true
  }
}
