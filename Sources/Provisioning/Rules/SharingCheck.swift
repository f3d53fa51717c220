// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

/// Effects of a plan on objects of others: refused before the first step, or shared by design.
///
/// Ports, hosts and controllers can be shared; every other object belongs to one profile. An object that no journal lists is foreign,
/// unless the profile has no journal and everything matches the profile: then the journal was lost, and the profile adopts its objects.
struct SharingCheck {
  let planner: Planner
  let ownership: Ownership
  let machine: Machine
  /// Shared objects, and with a lost journal all of them, as the journal will have them.
  private(set) var claims: [JournalEntry] = []
  /// Whether a whole profile was found standing without a journal.
  private(set) var isAdoption = false
  /// The directories of the profile that exist already and are not in its journal.
  private var strangers: [Int] = []

  /// - Throws: ``ProvisioningError`` of kind `impossible`.
  init(
    _ planner: Planner, _ ownership: Ownership, on machine: Machine, _ profile: String,
    hasSteps: Bool
  ) throws(ProvisioningError) {
    // Ports and hosts that others created.
    var common: [(index: Int, path: FilePath)] = []
    self.planner = planner
    self.ownership = ownership
    self.machine = machine
    for (index, fact) in planner.facts.enumerated() {
      guard fact.wish == .present, case .directory(let path) = fact.content,
        planner.standings[index] == .satisfied, !ownership.own.directories.contains(path.string)
      else { continue }
      if let owner = ownership.owner(of: path.string) {
        try share(index, path, with: owner)
      } else if address(path)?.isShareable == true {
        common.append((index, path))
      } else {
        strangers.append(index)
      }
    }
    claimControllers()
    guard !strangers.isEmpty else {
      // A port or host that others created is used unchanged, and is kept.
      for (index, path) in common { try checkEqual(index, path, "others") }
      return
    }
    guard !ownership.hasJournal, !hasSteps else { throw refusal(profile) }
    if let index = planner.facts.indices.first(where: { !isProven($0) }) {
      throw refusal(profile, missing: planner.facts[index])
    }
    isAdoption = true
    claims = planner.facts.indices.compactMap(adoption)
  }

  private func address(_ path: FilePath) -> ConfigAddress? {
    ConfigAddress(path.string, below: machine.configFS.mountPoint)
  }

  private func name(_ path: FilePath) -> String { address(path)?.description ?? path.string }

  // MARK: Sharing

  private mutating func share(
    _ index: Int, _ path: FilePath, with owner: String
  ) throws(ProvisioningError) {
    guard address(path)?.isShareable == true else {
      throw ProvisioningError(
        .impossible, "\(name(path)) was created for the profile \"\(owner)\"", operation: "create",
        path: path.string, errno: .fileExists,
        hint: "use another name, or take it down first: epfnvme teardown \(owner)")
    }
    // A host has the attributes of all its profiles; a port or controller must be the same for all.
    let isHost = if case .host? = address(path) { true } else { false }
    try checkEqual(
      index, path, "the profile \"\(owner)\"",
      except: { isHost && !ownership.isWrittenByOthers($0) })
    claims.append(
      JournalEntry(
        operation: .createDirectory(path: path.string), undo: .removeDirectory(path: path.string),
        state: .done))
    // Attributes of a host that both profiles set remain when one of them is torn down.
    guard isHost else { return }
    for (inner, fact) in planner.facts.enumerated() where fact.needs.contains(index) {
      guard case .attribute = fact.content, planner.standings[inner] == .satisfied,
        let claim = adoption(inner)
      else { continue }
      claims.append(claim)
    }
  }

  /// A port of others that links subsystems of theirs.
  private func isForeignPort(_ path: FilePath) -> Bool {
    guard case .port? = address(path) else { return false }
    let links = (try? machine.configFS.entries(of: path.appending("subsystems"))) ?? []
    return links.contains { link in
      let path = path.appending("subsystems").appending(link.name)
      return !planner.facts.contains { fact in
        if case .link(path, _) = fact.content { true } else { false }
      }
    }
  }

  /// Shared values must be the same for both.
  private func checkEqual(
    _ index: Int, _ path: FilePath, _ others: String,
    except isFree: (String) -> Bool = { _ in false }
  ) throws(ProvisioningError) {
    for (inner, fact) in planner.facts.enumerated() where fact.needs.contains(index) {
      guard case .attribute(let attribute, let value, _, _) = fact.content,
        case .differs(let current) = planner.standings[inner], !isFree(attribute.string)
      else { continue }
      let told = SecretAttribute.reported(current.withoutTrailingNewline, at: attribute.string)
      let wanted = SecretAttribute.reported(value.shown, at: attribute.string)
      throw ProvisioningError(
        .impossible,
        "\(name(path)) is shared with \(others) and has \"\(told)\" in \(attribute.name), not \"\(wanted)\"",
        operation: "write", path: attribute.string, value: wanted, errno: .resourceBusy,
        hint: "use the same value in both profiles, or a separate object")
    }
  }

  /// A controller that other profiles have started as well is stopped by the last one.
  private mutating func claimControllers() {
    for (index, fact) in planner.facts.enumerated() {
      guard fact.wish == .present, planner.standings[index] == .satisfied,
        case .attribute(let path, .text(let text), let shown, .state(let on, let off)) =
          fact.content, text == on, path.name == "start",
        ownership.own.lastWritten[path.string] == nil, !ownership.startedBy(path.string).isEmpty
      else { continue }
      claims.append(
        JournalEntry(
          operation: .write(path: path.string, value: .text(text), shown: shown),
          undo: .write(path: path.string, value: .text(off), shown: off), state: .done))
    }
  }

  // MARK: Objects that no journal lists

  private func isProven(_ index: Int) -> Bool {
    guard case .controller(let function, let driver) = planner.facts[index].content else {
      return true
    }
    return driver != FunctionDriver.nvmetPCIEPF.name
      || Hazard.isBusy(function.appending("nvme").appending("portid"), machine)
  }

  private func refusal(_ profile: String, missing: Fact? = nil) -> ProvisioningError {
    let paths = strangers.compactMap { planner.facts[$0].path }
    let names = paths.prefix(3).map(name).joined(separator: ", ")
    let more = paths.count > 3 ? " and \(paths.count - 3) more" : ""
    var difference = ""
    if !ownership.hasJournal {
      let differing = planner.facts.indices.filter {
        planner.needsWork($0) && !planner.facts[$0].isDefault
      }
      let first = missing ?? differing.first.map { planner.facts[$0] }
      if let first, let path = first.path {
        difference = "; not everything matches \"\(profile)\": \(path) differs"
      }
    }
    let unread = ownership.unreadable
    return ProvisioningError(
      .impossible,
      "\(names)\(more) exist\(paths.count == 1 ? "s" : "") already, and no journal of epfnvme lists \(paths.count == 1 ? "it" : "them")\(difference)",
      operation: "create", path: paths.first?.string, errno: .fileExists,
      hint: unread.isEmpty
        ? "remove the conflicting objects, or use other names; objects that match the profile completely are adopted: epfnvme diff shows the differences"
        : "the journal of \(unread.joined(separator: ", ")) cannot be read; inspect it first")
  }

  // MARK: Adoption

  /// A fact that is there, as the entry that making it would have left.
  private func adoption(_ index: Int) -> JournalEntry? {
    let fact = planner.facts[index]
    guard fact.wish == .present, !fact.isDefault else { return nil }
    func entry(_ operation: Operation, _ undo: Operation?) -> JournalEntry {
      JournalEntry(operation: operation, undo: undo, state: .done)
    }
    switch fact.content {
    case .directory(let path):
      // A port with subsystems of others belongs to others.
      guard !isForeignPort(path) else { return nil }
      return entry(.createDirectory(path: path.string), .removeDirectory(path: path.string))
    case .link(let path, let target):
      return entry(
        .link(path: path.string, target: target.string),
        .unlink(path: path.string, target: target.string))
    case .attribute(let path, let value, let shown, let role):
      guard case .state(_, let off) = role else {
        return entry(.write(path: path.string, value: value, shown: shown), nil)
      }
      return entry(
        .write(path: path.string, value: value, shown: shown),
        .write(path: path.string, value: .text(off), shown: off))
    case .loop(let backing, let loop):
      return entry(
        .attachLoop(backing: backing, loop),
        .detachLoop(backing: backing, file: loop.file, device: planner.loops[backing]))
    case .connection(let address):
      return entry(.expectConnection(address), .disconnect(address, sparing: []))
    case .configFSMounted, .module, .file, .lateDirectory, .deviceNode, .controller: return nil
    }
  }
}
