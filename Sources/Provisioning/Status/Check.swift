// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import PCIEndpoint
internal import SystemPackage

/// A machine held against a profile: every attribute, link, device and module that the profile means, as it is now.
public struct Check: Hashable, Sendable {
  /// One checked value.
  public struct Case: Hashable, Sendable {
    /// Stable: the kind and the path below configfs, `attribute nvmet/subsystems/nq/attr_model`.
    public var id: String
    public var path: String
    /// The actual value; nil if it is missing.
    public var actual: String?
    /// The expected value.
    public var expected: String
    public var outcome: Outcome
    /// The purpose of the value.
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
    /// Not checked, with the reason.
    case skipped(String)
  }

  public var cases: [Case] = []
  /// The endpoint driver that the profile means on this machine; nil when it has no functions.
  public var driver: String?
  public var failures: [Case] { cases.filter { $0.outcome == .failed } }
  /// Cases that were not checked.
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
  /// Checks everything that a profile describes. Changes nothing except that the busy test of a controller writes back a value.
  /// - Throws: ``ProvisioningError`` when the profile cannot be on this machine at all.
  public func check(_ located: Profile.Located) throws(ProvisioningError) -> Check {
    let (desired, planner) = try observe(located.profile)
    var check = Check()
    for (index, fact) in desired.facts.enumerated() where fact.wish == .present {
      var item = look(at: fact, planner.loops)
      switch planner.standings[index] {
      // A missing attribute or object has no default.
      case .absent where fact.isDefault: continue
      case .satisfied where fact.isDefault && item.actual == nil: continue
      case .absent, .differs: item.outcome = .failed
      case .satisfied:
        // Only an inspection shows whether they are live.
        switch fact.content {
        case .controller, .connection: break
        default: item.outcome = .passed
        }
      }
      check.cases.append(item)
    }
    check.driver = desired.resolution.driver?.name
    if let driver = check.driver { check.cases.append(kernelLog(driver, located.profile)) }
    return check
  }

  func look(at fact: Fact, _ loops: [String: String]) -> Check.Case {
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
    case .loop(let backing, let loop):
      let actual = loops[backing].flatMap { device in
        ((try? machine.storage.loopConfiguration(of: FilePath(device))) ?? nil).map {
          "\(device): \($0.summary)"
        }
      }
      return result("loop", loop.file, is: actual, loop.summary, actual != nil)
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
        case .loopDevice(let backing): loops[backing] ?? "its loop device"
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
      // With `pci_epf_nvme` the link fails if the controller cannot be created.
      let exists =
        driver != FunctionDriver.nvmetPCIEPF.name
        || Hazard.isBusy(function.appending("nvme").appending("portid"), machine)
      return result(
        "controller", function.string, is: exists ? "created" : nil, "created")
    }
  }

  /// Errors that the driver logged since it last created the controllers of a profile.
  private func kernelLog(_ driver: String, _ profile: Profile) -> Check.Case {
    let id = "kernel-log \(driver)"
    let meaning = "the driver logs its failures"
    guard let all = machine.log.allLines() else {
      return Check.Case(
        id: id, path: "/dev/kmsg", actual: nil, expected: "no error",
        outcome: .skipped("this process cannot read the kernel log"), meaning: meaning)
    }
    var complaints: [KernelLogLine] = []
    for function in profile.functions {
      let log = FunctionLog(driver: driver, nqn: function.target.nqn, in: all)
      complaints += log.lines.filter { $0.level <= 3 }
    }
    return Check.Case(
      id: id, path: "/dev/kmsg", actual: complaints.last?.text,
      expected: "no error", outcome: complaints.isEmpty ? .passed : .failed,
      meaning: meaning)
  }
}
