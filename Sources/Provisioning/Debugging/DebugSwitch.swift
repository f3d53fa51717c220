// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
public import KernelModules
internal import SystemPackage

/// Turns kernel debug messages for the endpoint on, and restores every call site.
public struct DebugSwitch: Sendable {
  private let control: any DynamicDebugControl
  private let run: RunDirectory
  private let controllerModules: [String]
  private let lockTimeout: Duration

  /// - Parameters:
  ///   - control: the kernel's list of call sites.
  ///   - run: where the former state is kept.
  ///   - controllerModules: the modules of the endpoint controllers' drivers.
  ///   - lockTimeout: how long to wait for another run.
  public init(
    _ control: any DynamicDebugControl, run: RunDirectory, controllerModules: [String],
    lockTimeout: Duration = .zero
  ) {
    self.control = control
    self.run = run
    self.controllerModules = controllerModules
    self.lockTimeout = lockTimeout
  }

  /// The state of the call sites; changes nothing.
  ///
  /// Without the right to read the saved state, this is reported.
  public func status(
    _ groups: [DebugGroup] = DebugGroup.allCases
  ) throws(ProvisioningError) -> DebugStatus {
    var kept: KeptCallSites?
    var problem: ProvisioningError?
    do { kept = try KeptCallSites(in: run) } catch {
      guard error.kind == .needsPrivileges else { throw error }
      problem = error
    }
    var result = status(groups, try sites(), kept?.entries ?? [])
    result.keptProblem = problem
    return result
  }

  /// Turns on the call sites that are off. The previous state is saved first; a saved state is not replaced.
  /// - Throws: ``ProvisioningError`` of kind `unsupported` when no module of the groups has call sites; when the kernel refuses, all is as
  ///   it was.
  public func switchOn(_ groups: [DebugGroup]) throws(ProvisioningError) -> DebugStatus {
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    let before = try sites()
    let former = try KeptCallSites(in: run)
    var kept = former
    let known = Set(former.entries.map { Place($0.site) })
    for group in groups {
      let modules = Set(group.modules(controllerModules))
      for site in before where modules.contains(site.module) && !known.contains(Place(site)) {
        kept.entries.append(.init(group: group, site: site))
      }
    }
    let affected = status(groups, before, kept.entries).modules
    guard !affected.isEmpty else {
      throw ProvisioningError(
        .unsupported,
        "no module of \(groups.map(\.rawValue).joined(separator: ", ")) with debug call sites is loaded",
        operation: "debug", path: control.path.string,
        hint: "load the driver first, for example with epfnvme setup")
    }
    try kept.save(in: run)
    do throws(ProvisioningError) {
      for module in affected where module.on < module.sites {
        try write("module \(Self.quoted(module.name)) +p")
      }
    } catch {
      var error = error
      do throws(ProvisioningError) {
        // As they were when this run began.
        try putBack(before.filter { site in affected.contains { $0.name == site.module } })
        try former.save(in: run)
      } catch let second {
        error.kind = .rollbackIncomplete
        error.leftovers = [second.message]
        error.hint = "epfnvme debug off restores the call sites"
      }
      throw error
    }
    let after = try sites()
    var result = status(groups, after, kept.entries)
    result.changed = Self.differences(before, after)
    return result
  }

  /// Restores the call sites. Those of a module that was unloaded no longer exist.
  /// - Throws: ``ProvisioningError`` when one cannot be restored; its previous state remains saved.
  public func switchOff(_ groups: [DebugGroup]) throws(ProvisioningError) -> DebugStatus {
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    let before = try sites()
    var kept = try KeptCallSites(in: run)
    try putBack(kept.entries.filter { groups.contains($0.group) }.map(\.site))
    kept.entries.removeAll { groups.contains($0.group) }
    try kept.save(in: run)
    let after = try sites()
    var result = status(groups, after, kept.entries)
    result.changed = Self.differences(before, after)
    return result
  }

  // MARK: Call sites

  /// The identity of a call site, as far as the kernel's queries support it.
  private struct Place: Hashable {
    var module: String
    var file: String
    var line: UInt32
    var function: String

    init(_ site: DebugCallSite) {
      module = site.module
      file = site.file
      line = site.line
      function = site.function
    }
  }

  private func putBack(_ wanted: [DebugCallSite]) throws(ProvisioningError) {
    var flags: [Place: String] = [:]
    for site in try sites() { flags[Place(site)] = site.flags }
    // A file's name with a colon would be read as one with a line; module, function and line are enough then.
    for site in wanted where flags[Place(site)].map({ $0 != site.flags }) ?? false {
      let file = site.file.contains(":") ? "" : " file \(Self.quoted(site.file))"
      try write(
        "module \(Self.quoted(site.module))\(file) line \(site.line) func "
          + "\(Self.quoted(site.function)) =\(site.flags)")
    }
    flags = [:]
    for site in try sites() { flags[Place(site)] = site.flags }
    for site in wanted {
      guard let now = flags[Place(site)], now != site.flags else { continue }
      throw ProvisioningError(
        .operationFailed,
        "the call site \(site.file):\(site.line) of \(site.module) is =\(now), it was =\(site.flags)",
        operation: "write", path: control.path.string, value: "=\(site.flags)",
        hint: "another process changes it as well; epfnvme debug off tries again")
    }
  }

  private func sites() throws(ProvisioningError) -> [DebugCallSite] {
    do { return DebugCallSite.all(in: try control.read()).filter { !$0.hasClass } } catch {
      throw failure("read", nil, error)
    }
  }

  private func write(_ query: String) throws(ProvisioningError) {
    do { try control.write(query) } catch { throw failure("write", query, error) }
  }

  private func failure(_ operation: String, _ query: String?, _ errno: Errno) -> ProvisioningError {
    let isDenied = errno == .permissionDenied || errno == .notPermitted
    let what = query.map { "write \"\($0)\" to" } ?? "read"
    return ProvisioningError(
      isDenied ? .needsPrivileges : .operationFailed,
      "cannot \(what) \(control.path): \(errno.nameAndText)", operation: operation,
      path: control.path.string, value: query, errno: errno,
      hint: isDenied ? "run as root" : "see the kernel log for the reason")
  }

  private func status(
    _ groups: [DebugGroup], _ sites: [DebugCallSite], _ kept: [KeptCallSites.Entry]
  ) -> DebugStatus {
    let byModule = Dictionary(grouping: sites, by: \.module)
    let keptByModule = Dictionary(grouping: kept, by: \.site.module)
    return DebugStatus(
      modules: groups.flatMap { group in
        group.modules(controllerModules).compactMap { name in
          byModule[name].map { sites in
            DebugStatus.Module(
              group: group, name: name, sites: sites.count, on: sites.count { $0.isOn },
              kept: keptByModule[name]?.count ?? 0)
          }
        }
      })
  }

  private static func differences(_ before: [DebugCallSite], _ after: [DebugCallSite]) -> Int {
    var flags: [Place: String] = [:]
    for site in before { flags[Place(site)] = site.flags }
    return after.count { site in flags[Place(site)].map { $0 != site.flags } ?? false }
  }

  /// A word of a query; words with blanks are quoted.
  private static func quoted(_ word: String) -> String {
    guard word.contains(where: { $0.isWhitespace || $0 == "#" || $0 == "'" }) else { return word }
    return "\"\(word)\""
  }
}
