// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

/// Provisions profiles on a machine: plans, sets up and tears down.
public struct Provisioner: Sendable {
  public let machine: Machine
  public let run: RunDirectory
  /// The limit of each wait for the kernel.
  public var timeout: Duration = .seconds(5)
  /// The limit of the wait for another run to end.
  public var lockTimeout: Duration = .zero
  /// The limit of the wait of ``setUp(_:force:progress:)`` for devices, files and addresses that the machine does not have yet.
  public var inputTimeout: Duration = .zero

  public init(_ machine: Machine, run: RunDirectory) {
    self.machine = machine
    self.run = run
  }

  /// The result of a run.
  public struct Outcome: Sendable {
    public var plan: Plan
    public var changed: Bool
    /// The interrupted run whose leftovers were removed first; nil if there was none.
    public var interruption: Interruption?
    /// Whether leftovers of an interrupted run were removed first.
    public var recovered: Bool { interruption != nil }
    public var elapsed: Duration
  }

  /// - Throws: ``ProvisioningError`` of kind `needsPrivileges` when this process may not configure the kernel.
  public func checkPrivileges() throws(ProvisioningError) {
    try Preflight(machine: machine).checkPrivileges()
  }

  // MARK: Planning

  /// The plan of `setup`; changes nothing.
  /// - Throws: ``ProvisioningError`` if the profile is impossible, before any write.
  public func plan(_ located: Profile.Located) throws(ProvisioningError) -> Plan {
    try plan(located, Ownership(located.profile.name, in: run))
  }

  /// The reason for which `setup` would refuse a profile on this machine as it is; nil if it would not. A plan that only needs `--force` is not refused.
  public func refusal(of located: Profile.Located) -> ProvisioningError? {
    do { return try plan(located).obstacles.first } catch {
      // Without the permission to read, it is not known what setup, as root, would do.
      return error.kind == .needsPrivileges || error.errno == .permissionDenied ? nil : error
    }
  }

  /// The plan of `setup` on this machine if nothing were set up on it; changes nothing.
  /// - Throws: ``ProvisioningError`` if the profile is impossible.
  public func planFromNothing(_ profile: Profile) throws(ProvisioningError) -> Plan {
    try plan(
      Profile.Located(profile: profile, warnings: [], places: [:]),
      Ownership(own: Ledger(), hasJournal: true), fromNothing: true)
  }

  private func plan(
    _ located: Profile.Located, _ ownership: Ownership, fromNothing: Bool = false
  ) throws(ProvisioningError) -> Plan {
    let profile = located.profile
    let resolution = try Resolution(profile, on: machine, ownership)
    if !fromNothing {
      try UnknownAttributes(machine: machine).check(resolution.profile, resolution.driver)
    }
    let desired = try DesiredState(resolution, ownership, on: machine)
    if !fromNothing { try Preflight(machine: machine).check(profile) }
    var planner = try Planner(desired, ownership, on: machine, fromNothing: fromNothing)
    var plan = Plan(
      name: profile.name, driver: resolution.driver?.name, steps: planner.steps(), warnings: [])
    if !fromNothing {
      for (index, loss) in NamespaceAccess.losses(in: plan.steps, machine.configFS).enumerated() {
        if let loss { plan.steps[index].disruption = loss }
      }
      try check(&plan, planner, desired, ownership)
    }
    plan.warnings =
      located.warnings
      + (resolution.warnings + headerWarnings(planner)
      + (fromNothing ? [] : stateWarnings(&plan, planner, resolution))).map { warning in
        var warning = warning
        warning.position = Profile.place(of: warning.path, in: located.places)
        return warning
      }
    return plan
  }

  /// Conflicts of a plan with other objects on the machine, or with the kernel.
  private func check(
    _ plan: inout Plan, _ planner: Planner, _ desired: DesiredState, _ ownership: Ownership
  ) throws(ProvisioningError) {
    let sharing = try SharingCheck(
      planner, ownership, on: machine, plan.name, hasSteps: plan.changesAnything)
    plan.claims = sharing.claims
    plan.isAdoption = sharing.isAdoption
    plan.released = Leftovers(of: desired, ownership, on: machine).released
    let stores = StoreCheck(machine, ownership, except: planner.directories)
    try stores.check(desired.profile, loops: planner.loops)
    var change = ChangeCheck(machine, ownership, stores, functions: planner.directories)
    try change.check(plan.steps)
  }

  /// Functions of other profiles, or of others, that share the driver's configuration header and need other values.
  private func headerWarnings(_ planner: Planner) -> [ProfileIssue] {
    for (index, fact) in planner.facts.enumerated() where planner.needsWork(index) {
      guard case .attribute(let path, let value, _, .usedAtBind(isShared: true)) = fact.content
      else { continue }
      let driver = path.parent.parent
      let name = path.name
      for sibling in (try? machine.configFS.entries(of: driver)) ?? [] {
        let directory = "\(driver)/\(sibling.name)"
        guard sibling.kind == .directory, !planner.directories.contains(directory),
          let shown = try? machine.configFS.read(FilePath("\(directory)/\(name)")),
          shown.kernelInteger(UInt32.self) != value.shown.kernelInteger(UInt32.self)
        else { continue }
        return [
          ProfileIssue(
            .warning, path: "functions",
            message:
              "the driver keeps one configuration header for all functions; \(sibling.name) has \(shown.withoutTrailingNewline) as \(name), and this profile sets \(value.shown)",
            hint:
              "works if the controller initialises at once; if it waits for PERST#, all functions have these values"
          )
        ]
      }
    }
    return []
  }

  /// Identifiers and addresses that the machine uses already, or does not have.
  private func stateWarnings(
    _ plan: inout Plan, _ planner: Planner, _ resolution: Resolution
  ) -> [ProfileIssue] {
    let profile = resolution.profile
    let addresses = AddressCheck(machine: machine).problems(profile, plan.steps)
    plan.obstacles = addresses.map(\.error)
    return IdentityCheck(machine, except: planner.directories).warnings(profile)
      + ContiguousMemory.warnings(resolution, plan.steps, machine)
      + addresses.map { path, error in
        ProfileIssue(
          .warning, path: path, message: "setup would fail: \(error.message)", hint: error.hint)
      }
  }

  // MARK: Setup

  /// Applies a profile in one transaction.
  /// - Parameter force: also when a host would notice.
  public func setUp(
    _ located: Profile.Located, force: Bool, progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) -> Outcome {
    try Preflight(machine: machine).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    let start = ContinuousClock.now
    let name = located.profile.name
    let interruption = try recover(name, progress)
    let ownership = try Ownership(name, in: run)
    let plan = try planOnceInputsExist(located, ownership)
    progress(.planned(plan))
    if let first = plan.disruptions.first, !force {
      throw ProvisioningError(
        .disruptive,
        "this change would disrupt a host (\(first.disruption ?? "")): \(plan.disruptions.count) of \(plan.steps.count) steps",
        operation: first.operation.verb, path: first.operation.path,
        hint: "review it with epfnvme plan, then use --force")
    }
    if plan.changesJournal {
      var transaction = try Transaction(
        plan, on: machine, in: run, before: ownership.own, timeout: timeout, progress: progress)
      try transaction.apply(plan.steps)
    }
    return Outcome(
      plan: plan, changed: plan.changesAnything, interruption: interruption,
      elapsed: ContinuousClock.now - start)
  }

  /// The plan, as soon as the machine has every device, file and address, within ``inputTimeout``. A signal ends the wait.
  private func planOnceInputsExist(
    _ located: Profile.Located, _ ownership: Ownership
  ) throws(ProvisioningError) -> Plan {
    var result: Result<Plan, ProvisioningError>?
    func attempt() -> Bool {
      do throws(ProvisioningError) {
        let plan = try plan(located, ownership)
        if let obstacle = plan.obstacles.first { throw obstacle }
        result = .success(plan)
        return true
      } catch {
        result = .failure(error)
        return !error.isMissingInput || Signals.caught != nil
      }
    }
    if !attempt(), inputTimeout > .zero {
      let isThere = machine.clock.wait(upTo: inputTimeout, until: attempt)
      if case .failure(var missing) = result, missing.isMissingInput {
        if !isThere { missing.message += ", also after a wait of \(inputTimeout.secondsText)" }
        if let signal = Signals.caught {
          throw .interrupted(by: signal, "nothing was set up, for want of: \(missing.message)")
        }
        throw missing
      }
    }
    guard let result else { throw ProvisioningError(.internal, "nothing was planned") }
    return try result.get()
  }

  /// Finishes the undo of a run that a crash cut off.
  /// - Returns: where it was cut off; nil if there was none.
  private func recover(
    _ name: String, _ progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) -> Interruption? {
    guard let contents = try Journal.contents(name, in: run), !contents.unfinished.isEmpty else {
      return nil
    }
    let interruption = Interruption(name, contents)
    let left = unwind(contents.unfinished, progress, loops: contents.all.loops)
    let committed = Ledger(contents.committed)
    guard left.entries.isEmpty else {
      // Without room for it the present journal stays, in which they are, too.
      _ = try? Journal(
        name, in: run, committed: Ledger(contents.committed + left.entries), isFinished: false)
      throw Self.incomplete("an interrupted run of \"\(name)\" could not be rolled back", left)
    }
    if committed.entries.isEmpty {
      Journal.remove(name, in: run)
    } else {
      _ = try Journal(name, in: run, committed: committed)
    }
    return interruption
  }

  static func incomplete(_ message: String, _ left: Left) -> ProvisioningError {
    let signal = left.error?.signal.map { ": interrupted by \(Signals.name(of: $0)), and again" }
    var error = ProvisioningError(
      .rollbackIncomplete, message + (signal ?? ""), operation: left.error?.operation,
      path: left.error?.path,
      value: left.error?.value, errno: left.error?.errno,
      hint: left.error?.hint
        ?? "remove the listed objects or fix the cause, then run teardown again",
      kernelLog: left.error?.kernelLog ?? [])
    error.leftovers = left.sentences
    return error
  }

  /// The effects that could not be undone.
  struct Left {
    /// In the order of the journal.
    var entries: [JournalEntry]
    var sentences: [String]
    var error: ProvisioningError?
    var changed: Bool
  }

  func unwind(
    _ entries: [JournalEntry], _ progress: @escaping (Progress) -> Void, loops: [String: String]
  ) -> Left {
    var unwinding = Unwinding(
      executor: Executor(machine: machine, timeout: timeout, loops: loops), progress: progress)
    for entry in entries.reversed() { _ = unwinding.takeBack(entry) }
    unwinding.settle()
    return Left(
      entries: unwinding.leftEntries, sentences: unwinding.leftovers, error: unwinding.firstError,
      changed: unwinding.changed)
  }

  /// The names that have a journal.
  /// - Throws: ``ProvisioningError`` of kind `needsPrivileges` when this user cannot read them.
  public func names() throws(ProvisioningError) -> [String] { try run.names() }
}

extension Duration {
  /// `30 s`, `0.5 s`.
  fileprivate var secondsText: String {
    let (seconds, rest) = components
    let tenths = rest / 100_000_000_000_000_000
    return tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
  }
}
