// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Exports a machine, or a part of it, as a profile that creates it again.
public struct Export: Sendable {
  public var profile: Profile
  /// Objects that are not in the profile, with reasons, and the issues of the profile.
  public var warnings: [ProfileIssue]
}

extension Provisioner {
  /// Exports the machine's configuration as a profile; changes nothing.
  /// - Parameters:
  /// - names: the profiles whose objects are exported; if empty, all objects are exported.
  ///   - name: the name of the result; by default that of the only profile there is.
  ///   - withSecrets: writes DH-HMAC-CHAP secrets instead of a mask.
  /// - Throws: ``ProvisioningError`` of kind `inputMissing` for an unknown name, `unsupported` without configfs.
  public func export(
    _ names: [String] = [], as name: String? = nil, withSecrets: Bool = false
  ) throws(ProvisioningError) -> Export {
    let reader = try reader(names, withSecrets: withSecrets)
    let known = (try? self.names()) ?? []
    let title = name ?? (names.count == 1 ? names[0] : known.count == 1 ? known[0] : "exported")
    var exporter = ProfileExporter(reader: reader, profile: Profile(name: title))
    do { try exporter.all() } catch {
      throw ProvisioningError(
        error, kind: error.errno == .permissionDenied ? .needsPrivileges : .operationFailed)
    }
    let rules = ProfileRules.issues(of: exporter.profile).map { issue in
      var issue = issue
      if issue.severity == .error { issue.message = "setup would refuse this: " + issue.message }
      issue.severity = .warning
      return issue
    }
    return Export(profile: exporter.profile, warnings: reader.warnings + rules)
  }

  func reader(
    _ names: [String], withSecrets: Bool
  ) throws(ProvisioningError) -> MachineReader {
    guard machine.isConfigFSMounted() else {
      throw ProvisioningError(
        .unsupported, "configfs is not mounted at \(machine.configFS.mountPoint)",
        hint: "nothing is set up on this machine: there is nothing to export")
    }
    let known: [String]
    var problem: ProvisioningError?
    do { known = try self.names() } catch {
      // An export of everything does not depend on journals.
      guard names.isEmpty else { throw error }
      known = []
      problem = error
    }
    if let unknown = names.first(where: { !known.contains($0) }) {
      throw ProvisioningError(
        .inputMissing, "\"\(unknown)\" is not set up on \(machine.label)", operation: "read",
        path: unknown,
        hint: known.isEmpty
          ? "no profile is set up; without a name everything is exported"
          : "there are: " + known.joined(separator: ", "))
    }
    var entries: [JournalEntry] = []
    for name in names.isEmpty ? known : names {
      entries += try Journal.contents(name, in: run)?.all.entries ?? []
    }
    let reader = MachineReader(
      machine, owned: Ledger(entries), isWhole: names.isEmpty, showsSecrets: withSecrets)
    if let problem { reader.warn(run.path.string, problem.message, hint: problem.hint) }
    return reader
  }
}

/// Builds the profile: first the target, then its backings and the functions that serve it.
struct ProfileExporter {
  let reader: MachineReader
  var profile: Profile
  private let target: TargetTree
  private let fresh: FreshValues
  private var stores = BackingNames()

  init(reader: MachineReader, profile: Profile) {
    self.reader = reader
    self.profile = profile
    target = TargetTree(on: reader.machine.configFS)
    fresh = FreshValues(
      firmware: String(reader.machine.facts.release.prefix(8)),
      pageSize: reader.machine.facts.pageSize)
  }

  mutating func all() throws(ConfigFSError) {
    try nullBlockDevices()
    if target.isAvailable {
      try hosts()
      for item in try reader.chosen(target.subsystems) { try add(item) }
      for (id, item) in try reader.numbered(target.ports, as: UInt16.self)
      where reader.isChosen(item.directory) {
        try add(item, id)
      }
    }
    var functions = FunctionExporter(reader: reader, profile: profile)
    try functions.all()
    profile = functions.profile
    unusedLoops()
  }

  private func tell(_ texts: AttributeTexts, _ directory: ConfigDirectory) {
    for problem in texts.problems {
      reader.warn(
        directory.path.appending(problem.attribute).string, "\(problem.message): left out")
    }
  }

  // MARK: Backings

  private mutating func nullBlockDevices() throws(ConfigFSError) {
    for item in try reader.chosen(NullBlockTree(on: reader.machine.configFS).devices) {
      var texts = AttributeTexts(try reader.texts(of: item.directory))
      let name = stores.name(for: item.node.string)
      profile.backings.append(
        Profile.Backing(
          name: name, store: .nullBlock(Profile.NullBlock(device: item.name, &texts))))
      tell(texts, item.directory)
      if (try? item.isPowered.read()) == false {
        reader.warn(item.directory, "is powered off; setup would power it on")
      }
      if let ranges = reader.text(item.directory, "badblocks"), !ranges.isEmpty {
        reader.warn(item.directory, "bad blocks are left out: \(ranges.prefix(60))")
      }
    }
  }

  /// The backing for the path of a namespace, created at its first use.
  private mutating func backing(_ path: String, _ directory: ConfigDirectory) -> String {
    if let known = stores.known(path) { return known }
    let storage = reader.machine.storage
    if let (name, loop) = reader.owned.loop(at: path) {
      stores.set(name, for: path)
      profile.backings.append(Self.loopBacking(name, loop))
      return name
    }
    let name = stores.name(for: path)
    let kind = (try? storage.describe(FilePath(path)))?.kind
    if let file = (try? storage.loopFile(of: FilePath(path))) ?? nil {
      reader.warn(
        directory,
        "\(path) is a loop device of \(file) that epfnvme did not create: the profile treats it as a block device",
        hint: "\"loopDevice\": { \"path\": \"\(file)\" } creates it again after a restart")
    } else if kind == nil {
      reader.warn(directory, "\(path) is missing")
    }
    let isFile = kind.map { $0 == .regularFile } ?? !path.hasPrefix("/dev/")
    profile.backings.append(
      Profile.Backing(
        name: name, store: isFile ? .file(Profile.File(path: path)) : .block(path: path)))
    return name
  }

  private static func loopBacking(_ name: String, _ loop: LoopConfiguration) -> Profile.Backing {
    var device = Profile.LoopDevice(file: Profile.File(path: loop.file))
    device.blockSize = loop.blockSize == 0 ? nil : loop.blockSize
    device.directIO = loop.usesDirectIO
    device.offset = loop.offset
    return Profile.Backing(name: name, store: .loopDevice(device))
  }

  /// Loop devices that a profile created and no namespace uses.
  private mutating func unusedLoops() {
    for (name, path) in reader.owned.loops.sorted(by: { $0.key < $1.key })
    where stores.known(path) == nil {
      guard let (_, loop) = reader.owned.loop(at: path) else { continue }
      stores.set(name, for: path)
      profile.backings.append(Self.loopBacking(name, loop))
    }
  }

  // MARK: The target

  private mutating func hosts() throws(ConfigFSError) {
    var allowed: Set<String> = []
    for item in try reader.chosen(target.subsystems) {
      allowed.formUnion(try reader.linkTargets(item.allowedHosts.directory))
    }
    for item in try reader.chosen(target.hosts) {
      let attributes = ProfileSchema.host.raw(try reader.texts(of: item.directory))
      if !attributes.isEmpty || !allowed.contains(item.name) {
        profile.hosts.append(Profile.Host(nqn: item.name, attributes: attributes))
      }
      for attribute in attributes where attribute.text == SecretAttribute.mask {
        reader.warn(
          item.directory.path.appending(attribute.name).string, "this secret is hidden",
          hint: "--with-secrets writes it")
      }
    }
  }

  private mutating func add(_ item: NVMeTarget.Subsystem) throws(ConfigFSError) {
    var texts = AttributeTexts(try reader.texts(of: item.directory))
    var subsystem = Profile.Subsystem(nqn: item.name, &texts, fresh)
    tell(texts, item.directory)
    subsystem.settleHosts(try reader.linkTargets(item.allowedHosts.directory))
    for (id, space) in try reader.numbered(item.namespaces, as: UInt32.self)
    where reader.isChosen(space.directory) {
      var texts = AttributeTexts(try reader.texts(of: space.directory))
      guard let path = texts.text("device_path"), path != "(null)" else {
        reader.warn(space.directory, "has no device path: left out")
        continue
      }
      let name = backing(path, space.directory)
      subsystem.namespaces.append(Profile.Namespace(id: id, backing: name, &texts))
      tell(texts, space.directory)
    }
    let passthru = item.passthru.directory
    if let path = reader.text(passthru, "device_path"), path != "(null)" {
      reader.warn(passthru, "profiles have no passthru: \(path) is left out")
    }
    try warnOfUnknown(item.directory, known: ["namespaces", "allowed_hosts", "passthru"])
    profile.subsystems.append(subsystem)
  }

  private mutating func add(_ item: NVMeTarget.Port, _ id: UInt16) throws(ConfigFSError) {
    let word = reader.text(item.directory, "addr_trtype") ?? ""
    guard let transport = Profile.Port.Transport(rawValue: word) else {
      reader.warn(
        item.directory,
        word.isEmpty
          ? "has no transport: left out" : "profiles have no transport \(word): left out")
      return
    }
    var texts = AttributeTexts(try reader.texts(of: item.directory))
    let links = try reader.linkTargets(item.subsystems.directory)
    var port = Profile.Port(
      id: id, transport: transport,
      subsystems: links.filter { profile.subsystem($0) != nil }, &texts, fresh)
    tell(texts, item.directory)
    for (group, groupItem) in try reader.numbered(item.anaGroups, as: UInt32.self) {
      guard let state = reader.text(groupItem.directory, "ana_state"),
        group != 1 || state != "optimized"
      else { continue }
      port.anaGroups.append(Profile.ANAGroup(id: group, state: state))
    }
    if item.referrals.exists {
      for referral in try item.referrals.all() {
        reader.warn(referral.directory, "profiles have no referrals: left out")
      }
    }
    try warnOfUnknown(item.directory, known: ["subsystems", "referrals", "ana_groups"])
    profile.ports.append(port)
  }

  /// Unknown directories are not read.
  private func warnOfUnknown(
    _ directory: ConfigDirectory, known: [String]
  ) throws(ConfigFSError) {
    for child in try directory.children() where !known.contains(child.name) {
      reader.warn(child, "is a directory that this version of epfnvme does not know: left out")
    }
  }
}

extension Ledger {
  /// The loop device at a path, and its parameters.
  func loop(at path: String) -> (backing: String, LoopConfiguration)? {
    for entry in entries {
      if case .attachLoop(let backing, let loop) = entry.operation, loops[backing] == path {
        return (backing, loop)
      }
    }
    return nil
  }
}

/// Names of backings, one a path.
struct BackingNames {
  private var names: [String: String] = [:]

  func known(_ path: String) -> String? { names[path] }

  mutating func set(_ name: String, for path: String) { names[path] = name }

  /// The last component of the path, made unique.
  mutating func name(for path: String) -> String {
    if let known = names[path] { return known }
    let last = path.split(separator: "/").last.map(String.init) ?? "disk"
    let base = String(
      String.UnicodeScalarView(
        last.unicodeScalars.map { $0.isASCII && $0.value > 0x20 && $0.value < 0x7f ? $0 : "_" }
          .prefix(60)))
    var name = base
    var count = 2
    while names.values.contains(name) {
      name = "\(base)-\(count)"
      count += 1
    }
    names[path] = name
    return name
  }
}
