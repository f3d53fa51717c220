// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import PCIEndpoint
internal import SystemPackage

/// A machine held against a profile: every attribute, link, device and module that the profile means, as it is now.
public struct Check: Hashable, Sendable {
  /// One thing that was looked at.
  public struct Case: Hashable, Sendable {
    /// Stable: the kind and the path below configfs, `attribute nvmet/subsystems/nq/attr_model`.
    public var id: String
    public var path: String
    /// What stands there; nil when nothing does.
    public var actual: String?
    /// What should.
    public var expected: String
    public var outcome: Outcome
    /// What it is there for.
    public var meaning: String

    public var hasPassed: Bool { outcome == .passed }

    public init(
      id: String, path: String, actual: String?, expected: String, outcome: Outcome,
      meaning: String
    ) {
      self.id = id
      self.path = path
      self.actual = actual
      self.expected = expected
      self.outcome = outcome
      self.meaning = meaning
    }
  }

  public enum Outcome: Hashable, Sendable {
    case passed, failed
    /// It could not be looked at: why.
    case skipped(String)
  }

  public var cases: [Case] = []
  /// The endpoint driver that the profile means on this machine; nil when it has no functions.
  public var driver: String?
  public var failures: [Case] { cases.filter { $0.outcome == .failed } }
  /// Those that could not be looked at.
  public var skipped: [Case] {
    cases.filter { if case .skipped = $0.outcome { true } else { false } }
  }
  public var hasPassed: Bool { failures.isEmpty }

  public init() {}
}

extension Check {
  public var json: JSONValue {
    [
      "passed": .bool(hasPassed), "failed": JSONValue(failures.count),
      "skipped": JSONValue(skipped.count),
      "cases": .array(
        cases.map { item in
          var reason: String?
          if case .skipped(let why) = item.outcome { reason = why }
          return [
            "id": .string(item.id), "passed": .bool(item.hasPassed),
            "skipped": JSONValue(reason), "path": .string(item.path),
            "expected": .string(item.expected), "actual": JSONValue(item.actual),
            "meaning": .string(item.meaning),
          ]
        }),
    ]
  }
}

extension Provisioner {
  /// Looks at everything that a profile means; changes nothing but for the busy test of a controller, which writes a value back.
  /// - Throws: ``ProvisioningError`` when the profile cannot be on this machine at all.
  public func check(_ located: Profile.Located) throws(ProvisioningError) -> Check {
    let profile = located.profile
    let owned = try Journal.contents(profile.name, in: run)?.all ?? Ledger()
    let resolution = try Resolution(profile, on: machine, owned: owned)
    let desired = try DesiredState(profile, resolution, on: machine)
    var check = Check()
    for fact in desired.facts { check.cases.append(look(at: fact, owned)) }
    check.driver = resolution.driver?.name
    if let driver = check.driver { check.cases.append(kernelLog(driver)) }
    return check
  }

  func look(at fact: Fact, _ owned: Ledger) -> Check.Case {
    func result(
      _ kind: String, _ path: String, is actual: String?, _ expected: String,
      _ hasPassed: Bool? = nil
    ) -> Check.Case {
      let root = machine.configFS.mountPoint.string + "/"
      let short = path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
      return Check.Case(
        id: "\(kind) \(short)", path: path, actual: actual, expected: expected,
        outcome: hasPassed ?? (actual == expected) ? .passed : .failed, meaning: fact.reason)
    }
    switch fact.content {
    case .configFSMounted:
      let isMounted = machine.isConfigFSMounted()
      return result(
        "configfs", machine.configFS.mountPoint.string, is: isMounted ? "mounted" : nil, "mounted")
    case .module(let name, _):
      let state = try? machine.modules.state(of: name)
      let isThere = state == .loaded || state == .builtIn
      return result("module", name, is: isThere ? "loaded" : nil, "loaded")
    case .file(let path, _):
      let isThere = (try? machine.storage.describe(FilePath(path))) != nil
      return result("file", path, is: isThere ? "present" : nil, "present")
    case .loop(_, let loop):
      let device = boundDevice(loop.file)
      return result("loop", loop.file, is: device, "bound to a loop device", device != nil)
    case .directory(let path), .lateDirectory(let path):
      let isThere = (try? machine.configFS.kind(of: path)) == .directory
      return result("directory", path.string, is: isThere ? "present" : nil, "present")
    case .deviceNode(let path):
      let isThere = (try? machine.storage.describe(path)) != nil
      return result("device", path.string, is: isThere ? "present" : nil, "present")
    case .attribute(let path, let value, let shown, _):
      let expected: String =
        switch value {
        case .text: shown
        case .loopDevice(let backing): owned.loops[backing] ?? "its loop device"
        }
      let current = try? machine.configFS.read(path)
      func told(_ text: String) -> String {
        SecretAttribute.reported(text.withoutTrailingNewline, at: path.string)
      }
      return result(
        "attribute", path.string, is: current.map(told), told(expected),
        current.map {
          sameAttributeText($0, expected, at: path.string)
            || ClearedAtBind.explains(path, shown: $0, wanted: expected, on: machine)
        } ?? false)
    case .link(let path, let target):
      let current = try? machine.configFS.linkTarget(of: path)
      return result("link", path.string, is: current?.string, target.string)
    case .connection(let address):
      let all = ((try? machine.fabrics.connections()) ?? []).filter { $0.address == address }
      let found = all.first(where: \.isLive) ?? all.first
      return result(
        "connection", address.nqn, is: found?.description, "connected by \(address.route)",
        found?.isLive ?? false)
    case .controller(let function, let driver):
      // The older driver has no controller but through the link itself.
      let exists =
        driver != FunctionDriver.nvmetPCIEPF.name
        || Hazard.isBusy(function.appending("nvme").appending("portid"), machine)
      return result(
        "controller", function.string, is: exists ? "created" : nil, "created")
    }
  }

  private func boundDevice(_ file: String) -> String? {
    (try? machine.storage.boundLoops())?.first { $0.file == FilePath(file) }?.device.string
  }

  /// What the driver has complained about since it last created a controller.
  private func kernelLog(_ driver: String) -> Check.Case {
    let id = "kernel-log \(driver)"
    let meaning = "the driver logs what it could not do"
    guard let all = machine.log.allLines() else {
      return Check.Case(
        id: id, path: "/dev/kmsg", actual: nil, expected: "no error",
        outcome: .skipped("this process may not read the kernel's log"), meaning: meaning)
    }
    let lines = all.filter { $0.text.contains(driver) }
    let created = lines.lastIndex {
      $0.text.contains("New PCI ctrl") || $0.text.contains("NVMe PCI controller:")
    }
    let complaints = lines[(created ?? lines.startIndex)...].filter { $0.level <= 3 }
    return Check.Case(
      id: id, path: "/dev/kmsg", actual: complaints.last?.text,
      expected: "no error", outcome: complaints.isEmpty ? .passed : .failed,
      meaning: meaning)
  }
}
