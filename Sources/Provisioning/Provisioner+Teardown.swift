// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

extension Provisioner {
  public struct TeardownOptions: Sendable {
    public var unloadsModules = false
    /// Also removes files that setup created, with the data in them.
    public var removesFiles = false
    /// Proceed although a host, or a namespace of others, uses an object.
    public var force = false
    public init() {}
  }

  /// The steps of `teardown`, in order; changes nothing.
  /// - Returns: nil when there is no journal of that name.
  /// - Throws: ``ProvisioningError`` when the journal cannot be used.
  public func teardownPlan(
    _ name: String, options: TeardownOptions = TeardownOptions()
  ) throws(ProvisioningError) -> Plan? {
    guard let contents = try Journal.contents(name, in: run) else { return nil }
    let ownership = try Ownership(name, in: run)
    let unfinished = contents.unfinished.reversed()
    let teardown = Teardown(
      contents.committed, ownership, on: machine, options: options)
    let unwinding = Unwinding(
      executor: Executor(machine: machine, timeout: timeout, loops: ownership.own.loops),
      progress: { _ in })
    var steps: [Step] = []
    for entry in unfinished + teardown.entries.reversed() {
      guard let operation = unwinding.operation(takingBack: entry) else { continue }
      steps.append(
        Step(
          operation, reason: entry.isRestart ? "others use the controller" : "setup created it",
          disruption: teardown.disruption(of: operation)))
    }
    let warnings = teardown.keptModules.map { ProfileIssue(.warning, path: "", message: $0) }
    return Plan(name: name, driver: nil, steps: steps, warnings: warnings)
  }

  /// Removes everything that epfnvme created under a name, and nothing else.
  /// - Returns: whether anything was there to remove.
  /// - Throws: ``ProvisioningError`` of kind `disruptive` when a host uses it and `force` is not given, `rollbackIncomplete` with the
  ///   leftovers if an object could not be removed.
  public func tearDown(
    _ name: String, options: TeardownOptions = TeardownOptions(),
    progress: @escaping (Progress) -> Void
  ) throws(ProvisioningError) -> Bool {
    try Preflight(machine: machine).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    guard let contents = try Journal.contents(name, in: run) else { return false }
    let ownership = try Ownership(name, in: run)
    if !options.force {
      try Teardown(contents.committed, ownership, on: machine, options: options).checkUnused()
    }
    var entries = contents.committed
    if !contents.unfinished.isEmpty {
      // First back to where the last finished run left the machine, then all the way.
      entries += unwind(contents.unfinished, progress, loops: ownership.own.loops).entries
    }
    let teardown = Teardown(entries, ownership, on: machine, options: options)
    if teardown.restartsControllers {
      // A run that is cut off here is finished with the controllers started again.
      _ = try Journal(name, in: run, committed: Ledger(teardown.entries))
    }
    let left = unwind(teardown.entries, progress, loops: ownership.own.loops)
    guard left.entries.isEmpty else {
      // Without room for it the present journal stays, in which they are, too.
      _ = try? Journal(name, in: run, committed: Ledger(left.entries))
      throw Self.incomplete("\"\(name)\" could not be taken down completely", left)
    }
    Journal.remove(name, in: run)
    for sentence in teardown.keptModules { progress(.kept(sentence)) }
    if !options.removesFiles {
      for file in teardown.files { progress(.kept("\(file) is kept: it holds data")) }
    }
    return true
  }
}

/// The undo of a whole journal on the machine as it is, with regard to others.
struct Teardown {
  /// In setup order: they are undone in reverse.
  private(set) var entries: [JournalEntry]
  /// Files that setup created.
  private(set) var files: [String] = []
  /// The modules that were to be unloaded and stay, as sentences.
  private(set) var keptModules: [String] = []
  private let machine: Machine
  private let ownership: Ownership
  /// Controllers that are stopped for a moment, with the functions of others that are bound to them.
  private var interrupted: [(controller: String, functions: [String])] = []

  var restartsControllers: Bool { !interrupted.isEmpty }

  init(
    _ journal: [JournalEntry], _ ownership: Ownership, on machine: Machine,
    options: Provisioner.TeardownOptions
  ) {
    self.machine = machine
    self.ownership = ownership
    entries = Ledger(journal).ordered(below: machine.configFS.mountPoint)
    files = entries.compactMap { entry in
      if case .createFile(let path, _) = entry.operation { path } else { nil }
    }
    for index in entries.indices {
      switch entries[index].operation {
      case .createFile(let path, _) where options.removesFiles:
        entries[index].undo = .removeFile(path: path)
      case .loadModule(let module, _) where options.unloadsModules:
        entries[index].undo = .unloadModule(module)
      default: break
      }
    }
    keepDrivers()
    leaveShared()
    leaveHeaders()
    interruptControllers()
  }

  /// A driver of functions stays loaded where unloading it is dangerous, and with it the modules that it needs.
  private mutating func keepDrivers() {
    guard let reason = Hazard.reasonToKeepDrivers(on: machine) else { return }
    let unloaded = entries.compactMap { entry in
      if case .unloadModule(let module)? = entry.undo { module } else { nil }
    }
    let drivers = FunctionDriver.nvmeDrivers.filter { driver in
      unloaded.contains { $0.replacingDashes == driver.moduleName.replacingDashes }
    }
    for driver in drivers {
      let needed = driver.neededModules + [driver.moduleName]
      for index in entries.indices {
        guard case .unloadModule(let module)? = entries[index].undo,
          needed.contains(where: { $0.replacingDashes == module.replacingDashes })
        else { continue }
        entries[index].undo = nil
      }
      keptModules.append("\(driver.moduleName) stays loaded: \(reason)")
    }
  }

  /// The last profile that has an object removes it.
  private mutating func leaveShared() {
    entries = entries.filter { entry in
      guard case .removeDirectory(let path)? = entry.undo else { return true }
      return ownership.owner(of: path) == nil
    }
    // Attributes of a kept host that only this profile set are reset to those of a new host.
    for index in entries.indices {
      guard case .write(let path, _, _) = entries[index].operation,
        case .host? = ConfigAddress(path, below: machine.configFS.mountPoint),
        ownership.owner(of: path.parentPath) != nil, ownership.isOwnAlone(path)
      else { continue }
      entries[index].undo = ProfileSchema.host.reset(path)
    }
  }

  /// The configuration header of a driver is that of the others as long as they have functions of it.
  private mutating func leaveHeaders() {
    var shared: [String: Bool] = [:]
    let root = machine.configFS.mountPoint.appending("pci_ep/functions").string + "/"
    for index in entries.indices {
      guard case .write(let path, _, _)? = entries[index].undo, path.hasPrefix(root) else {
        continue
      }
      let driver = path.parentPath.parentPath
      if shared[driver] == nil {
        let functions = (try? machine.configFS.entries(of: FilePath(driver))) ?? []
        shared[driver] = functions.contains {
          $0.kind == .directory && !ownership.own.directories.contains("\(driver)/\($0.name)")
        }
      }
      guard shared[driver] == true else { continue }
      entries[index].undo = headerText(driver, path).map { text in
        .write(path: path, value: .text(text), shown: text)
      }
    }
  }

  /// The value of a header field that another profile set for its function of a driver.
  private func headerText(_ driver: String, _ path: String) -> String? {
    let name = path.dropFirst(path.parentPath.utf8.count)
    for (_, ledger) in ownership.others {
      for directory in ledger.directories where directory.parentPath == driver {
        if let text = ledger.lastWritten[directory + name] { return text }
      }
    }
    return nil
  }

  /// A function is unbound only while its controller is stopped; a controller that others use or started is started again.
  private mutating func interruptControllers() {
    let tree = EndpointTree(on: machine.configFS)
    var seen: Set<String> = []
    for (path, _) in ownership.own.links.sorted(by: { $0.key < $1.key }) {
      guard
        case .binding(let name, _)? = ConfigAddress(path, below: machine.configFS.mountPoint),
        seen.insert(name).inserted
      else { continue }
      let controller = tree.controller(name)
      let start = controller.isStarted.path.string
      guard (try? controller.isStarted.read()) == true,
        !entries.contains(where: { $0.isRestart && $0.operation.path == start })
      else { continue }
      let others = ((try? controller.directory.links()) ?? []).filter { link in
        ownership.own.links[controller.directory.path.appending(link.name).string] == nil
      }
      guard !others.isEmpty || ownership.own.lastWritten[start] == nil else { continue }
      interrupted.append((name, others.map(\.name)))
      // For profiles that do not start it, the controller is stopped, as after their setup.
      let isNeeded =
        ownership.own.lastWritten[start] == nil || !ownership.startedBy(start).isEmpty
        || others.contains { link in
          ownership.owner(of: controller.directory.path.appending(link.name).string) == nil
        }
      guard isNeeded else { continue }
      let on = Operation.write(
        path: start, value: .text(true.attributeText), shown: true.shownText)
      let off = Operation.write(
        path: start, value: .text(false.attributeText), shown: false.shownText)
      entries.removeAll { $0.operation.path == start }
      entries.insert(JournalEntry(operation: off, undo: on, state: .done), at: 0)
      entries.append(JournalEntry(operation: on, undo: off, state: .done))
    }
  }

  // MARK: Effects on hosts

  /// The effect of one operation on others.
  func disruption(of operation: Operation) -> String? {
    for (controller, functions) in interrupted where !functions.isEmpty {
      if operation.path.hasSuffix("/controllers/\(controller)/start") {
        return "the PCIe link of \(controller) goes down for \(functions.joined(separator: ", "))"
      }
    }
    return nil
  }

  /// - Throws: ``ProvisioningError`` of kind `disruptive` when a host, another function or another namespace uses an object.
  func checkUnused() throws(ProvisioningError) {
    if let (controller, functions) = interrupted.first(where: { !$0.functions.isEmpty }) {
      throw ProvisioningError(
        .disruptive,
        "the endpoint controller \(controller) must be stopped for a moment, and \(functions.joined(separator: ", ")) is also bound to it: its host loses the link",
        operation: "write", path: controller, hint: "use --force to proceed")
    }
    let use = HostUse(machine)
    var seen: Set<String> = []
    for path in ownership.own.links.keys.sorted() {
      guard case .binding(let name, _)? = ConfigAddress(path, below: machine.configFS.mountPoint),
        seen.insert(name).inserted
      else { continue }
      try use.checkUnused(
        controller: name, "teardown", only: ownership.own.directories)
    }
    try checkDevices()
  }

  private func checkDevices() throws(ProvisioningError) {
    let stores = StoreCheck(machine, ownership, except: [])
    for entry in entries {
      let device: String
      switch entry.undo {
      case .write(let path, _, _)? where path.hasSuffix("/power"):
        device = "/dev/" + FilePath(path.parentPath).name
      case .detachLoop(_, _, let path?)?: device = path
      default: continue
      }
      guard let user = stores.user(ofDevice: device) else { continue }
      throw ProvisioningError(
        .disruptive, "\(device) is the store of \(user)", operation: "detach", path: device,
        errno: .resourceBusy, hint: "disable that namespace first, or use --force")
    }
  }
}

extension Provisioner {
  /// Checks that the machine has no objects of a profile without a journal.
  /// - Throws: ``ProvisioningError`` of kind `inputMissing` when it has one: the profile was set up and its journal is missing, or others
  ///   created the object.
  public func checkAbsent(_ located: Profile.Located) throws(ProvisioningError) {
    guard machine.isConfigFSMounted(),
      let planner = (try? observe(located.profile))?.planner
    else { return }
    let found = planner.facts.indices.compactMap { index -> FilePath? in
      guard case .directory(let path) = planner.facts[index].content,
        planner.standings[index] == .satisfied,
        ConfigAddress(path.string, below: machine.configFS.mountPoint)?.isShareable == false
      else { return nil }
      return path
    }
    guard let first = found.first else { return }
    throw ProvisioningError(
      .inputMissing,
      "\"\(located.profile.name)\" has no journal, but \(first) exists"
        + (found.count > 1 ? ", and \(found.count - 1) more of its objects" : ""),
      operation: "read", path: first.string,
      hint:
        "if everything matches the profile, epfnvme setup adopts it; then teardown removes it"
    )
  }
}
