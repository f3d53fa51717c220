// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// The data that the doctor's rules inspect, read once, and their findings.
struct Examination {
  let provisioner: Provisioner
  let files: any SystemFiles
  let profile: Profile.Located?
  let configuration: KernelConfiguration?
  let tree: TreeSnapshot
  /// nil when this process may not read it.
  let log: [KernelLogLine]?
  /// nil when this process may not read them.
  let journals: [JournalSummary]?
  let isMounted: Bool
  var diagnosis: MachineDiagnosis
  /// The NVMe function drivers that the kernel has, loaded or not.
  var drivers: [FunctionDriver] = []
  /// The compatibles of the endpoint controllers in the device tree.
  var hardware: [String] = []

  var machine: Provisioning.Machine { provisioner.machine }

  init(_ provisioner: Provisioner, _ files: any SystemFiles, _ profile: Profile.Located?) {
    self.provisioner = provisioner
    self.files = files
    self.profile = profile
    let machine = provisioner.machine
    let release = machine.facts.release
    configuration = KernelConfiguration.ofRunningKernel(release: release, files: files)
    isMounted = machine.isConfigFSMounted()
    tree = provisioner.snapshot()
    log = machine.log.allLines()
    diagnosis = MachineDiagnosis(
      machine: machine.label, release: release, profile: profile?.profile.name)
    do { journals = try provisioner.journals() } catch {
      journals = nil
      hide(
        "journals", provisioner.run.path, error,
        "the objects of epfnvme cannot be distinguished from those of others")
    }
    if log == nil {
      hide(
        "kernel log",
        "/dev/kmsg: not readable by this process, so the messages of drivers are unknown; run as root"
      )
    }
    hideTree()
  }

  /// Reports the parts of configfs that cannot be read, except write-only attributes.
  private mutating func hideTree() {
    let all = tree.unreadable.sorted { $0.key < $1.key }.filter { path, error in
      error == .permissionDenied || error == .notPermitted || tree.entries[path] == nil
    }
    for (path, error) in all where tree.entries[path] == nil {
      hide("configfs", FilePath(full(path)), error, "no conclusion is drawn about its contents")
    }
    let attributes = all.filter {
      tree.entries[$0.key] != nil && !Self.writeOnly.contains($0.key.lastPart)
    }
    if let (path, error) = attributes.first {
      let others = attributes.count == 1 ? nil : "and \(attributes.count - 1) more attributes"
      hide("configfs", FilePath(full(path)), error, others)
    }
  }

  private static let writeOnly: Set<String> = ["revalidate_size", "zone_offline", "zone_readonly"]

  // MARK: Saying

  mutating func find(
    _ id: Finding.ID, _ subject: String, _ evidence: [Finding.Evidence],
    _ explanation: String, remedy: String
  ) {
    diagnosis.findings.append(
      Finding(
        id: id, subject: subject, evidence: evidence, explanation: explanation, remedy: remedy))
  }

  mutating func see(_ name: String, _ value: String) {
    diagnosis.found.append(MachineDiagnosis.Fact(name: name, value: value))
  }

  mutating func hide(_ what: String, _ reason: String) {
    diagnosis.notInspected.append(MachineDiagnosis.Uninspected(what: what, reason: reason))
  }

  mutating func hide(
    _ what: String, _ path: FilePath, _ error: Errno, _ consequence: String? = nil
  ) {
    let root = error == .permissionDenied || error == .notPermitted ? "; run as root" : ""
    hide(
      what, "\(path): \(error.nameAndText)\(consequence.map { "; \($0)" } ?? "")\(root)")
  }

  func found(_ id: Finding.ID) -> Bool { diagnosis.findings.contains { $0.id == id } }

  // MARK: Looking

  /// The children of a directory of configfs that are directories, or links, by name.
  func children(of path: String) -> [(name: String, entry: TreeSnapshot.Entry)] {
    let prefix = path + "/"
    return tree.entries.filter {
      $0.key.hasPrefix(prefix) && !$0.key.dropFirst(prefix.count).contains("/")
    }
    .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
    .sorted { $0.name < $1.name }
  }

  func directories(in path: String) -> [String] {
    children(of: path).compactMap { $0.entry == .directory ? $0.name : nil }
  }

  func links(in path: String) -> [(name: String, target: String)] {
    children(of: path).compactMap { child in
      if case .link(let target) = child.entry { (child.name, target) } else { nil }
    }
  }

  func has(_ path: String) -> Bool { tree.entries[path] != nil }

  /// Whether a path is in a part that cannot be read.
  func isHidden(_ path: String) -> Bool {
    tree.unreadable.keys.contains { path == $0 || path.hasPrefix($0 + "/") }
  }

  /// The path as users type it.
  func full(_ path: String) -> String { machine.configFS.mountPoint.string + "/" + path }

  /// An attribute as evidence, without secrets.
  func evidence(_ path: String) -> Finding.Evidence {
    guard let text = tree.text(path) else {
      return Finding.Evidence(full(path), has(path) ? "present" : "missing")
    }
    return Finding.Evidence(
      full(path), text.isEmpty ? "empty" : SecretAttribute.reported(text, at: path))
  }

  func evidence(_ line: KernelLogLine) -> Finding.Evidence {
    Finding.Evidence("/dev/kmsg", line.text)
  }

  /// Whether epfnvme created a directory of configfs; nil when a journal cannot be read.
  func isOurs(_ path: String) -> Bool? {
    guard let journals else { return nil }
    if journals.contains(where: { $0.directories.contains(full(path)) }) { return true }
    return journals.contains { $0.problem != nil } ? nil : false
  }

  /// Whether it belongs to an unfinished run, which has a separate finding.
  func isInterrupted(_ path: String) -> Bool {
    journals?.contains { $0.unfinished != nil && $0.directories.contains(full(path)) } ?? false
  }

  /// Whether a kernel option is set; nil when the configuration cannot be read.
  func isSet(_ option: String) -> Bool? { configuration?.has(option) }

  func option(_ option: String) -> Finding.Evidence? {
    configuration.map {
      Finding.Evidence($0.source?.string ?? "configuration", $0.line(of: option))
    }
  }

  /// The driver that would serve the profile, or any profile, on this machine.
  var driver: FunctionDriver? {
    let wanted = profile?.profile
    return switch wanted?.driver {
    case .nvmetPCIEPF: .nvmetPCIEPF
    case .pciEPFNVMe: .pciEPFNVMe
    case .auto, nil:
      wanted?.isRemote == true ? .pciEPFNVMe : drivers.first
    }
  }
}

extension Profile {
  /// Whether a function leads to another machine.
  var isRemote: Bool {
    functions.contains { if case .tcp = $0.target { true } else { false } }
  }
}
