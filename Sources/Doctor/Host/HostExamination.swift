// SPDX-License-Identifier: Apache-2.0
internal import HostTools

/// The problems that a host's log and bus show, and what explains what.
struct HostExamination {
  /// A problem of one device.
  struct Problem {
    var signature: Signature
    var device: HostLog.Device
    var evidence: [Finding.Evidence]
    /// Messages beyond the evidence.
    var more = 0
    /// What single messages say in addition, each once.
    var details: [String] = []
    var isRecurring = false

    mutating func add(_ item: Finding.Evidence) {
      if evidence.contains(item) { return }
      if evidence.count < Self.shown { evidence.append(item) } else { more += 1 }
    }

    /// Enough to recognise a problem that is reported thousands of times.
    private static let shown = 3

    mutating func add(details more: [String]) {
      details += more.filter { !details.contains($0) }
    }
  }

  let log: HostLog?
  private var diagnosis: MachineDiagnosis
  private var problems: [Problem] = []
  /// The driver's name of a function on the bus.
  var names: [String: String] = [:]

  init(log: HostLog?, _ diagnosis: MachineDiagnosis) {
    self.log = log
    self.diagnosis = diagnosis
    for (name, function) in log?.functions ?? [:] { names[function] = name }
  }

  mutating func see(_ name: String, _ value: String) {
    diagnosis.found.append(MachineDiagnosis.Fact(name: name, value: value))
  }

  mutating func hide(_ what: String, _ reason: String) {
    diagnosis.notInspected.append(MachineDiagnosis.Uninspected(what: what, reason: reason))
  }

  /// Records a problem that sysfs or procfs shows.
  mutating func find(
    _ id: Finding.ID, _ device: HostLog.Device, _ evidence: [Finding.Evidence]
  ) {
    guard let signature = Signature.host.first(where: { $0.id == id }) else {
      preconditionFailure("\(id) has no signature")
    }
    for item in evidence { add(signature, device, item) }
  }

  private mutating func add(
    _ signature: Signature, _ device: HostLog.Device, _ item: Finding.Evidence,
    details: [String] = [], isRecurring: Bool = false
  ) {
    let known = problems.firstIndex { $0.signature.id == signature.id && $0.device == device }
    if let known {
      problems[known].add(item)
      problems[known].add(details: details)
      problems[known].isRecurring = problems[known].isRecurring || isRecurring
    } else {
      problems.append(
        Problem(
          signature: signature, device: device, evidence: [item], details: details,
          isRecurring: isRecurring))
    }
  }

  // MARK: The log

  mutating func examineLog() {
    guard let log else { return }
    // Problems of devices that need not be the board's.
    var others: Set<Finding.ID> = []
    for index in log.lines.indices {
      let line = log.lines[index]
      endProblems(with: line)
      guard var signature = Signature.host.first(where: { applies($0, log, at: index) }) else {
        continue
      }
      // The host has NVMe functions, and the log says nothing else about this device: it need not be the board's.
      if log.hasFunction, !log.isIdentified(line.device), signature.isOfAnyDevice(line) {
        others.insert(signature.id)
        continue
      }
      // A message of the same kind without a device, after one about such a device.
      if line.device == .none, others.contains(signature.id) { continue }
      // A slot that lost its link and does not get it back has one problem.
      if signature.id == .linkUntrained,
        let lost = problems.first(where: {
          $0.signature.id == .linkLost && $0.device == line.device && $0.device != .none
        })
      {
        signature = lost.signature
      }
      add(
        signature, line.device, Finding.Evidence(line.place, line.text),
        details: signature.details(of: line),
        isRecurring: signature.recurring.contains { $0.matches(line.bytes) })
    }
  }

  private func applies(_ signature: Signature, _ log: HostLog, at index: Int) -> Bool {
    switch (log.lines[index].device, signature.scope) {
    case (.other, _), (.port, .function): return false
    case (.function, _), (.none, _), (.port, .ports): break
    }
    if signature.onlyWithoutDisk, log.hasFunction { return false }
    return signature.matches(log.lines, at: index)
  }

  private mutating func endProblems(with line: HostLog.Line) {
    problems.removeAll { problem in
      problem.device == line.device && problem.signature.ends(with: line) && !problem.isRecurring
    }
    guard let log, let address = line.foundFunction else { return }
    problems.removeAll { problem in
      guard problem.signature.endsWithFunction, case .port(let port) = problem.device else {
        return false
      }
      return log.isBehind(port, address)
    }
  }

  // MARK: The result

  /// The diagnosis, without problems that others explain.
  var result: MachineDiagnosis {
    var result = diagnosis
    let all = merged(problems)
    result.findings = all.filter { problem in
      !all.contains { Self.explains($0, problem) }
    }.map(finding)
    return result
  }

  /// Problems that a port or the IOMMU reported belong to the function that has the same problem.
  private func merged(_ problems: [Problem]) -> [Problem] {
    var result: [Problem] = []
    for problem in problems {
      let place = result.firstIndex { other in
        guard other.signature.id == problem.signature.id else { return false }
        return !other.device.isFunction || !problem.device.isFunction
      }
      guard let place else {
        result.append(problem)
        continue
      }
      for item in problem.evidence { result[place].add(item) }
      result[place].more += problem.more
      result[place].add(details: problem.details)
      if problem.device.isFunction { result[place].device = problem.device }
    }
    return result
  }

  private static func explains(_ cause: Problem, _ problem: Problem) -> Bool {
    guard let first = cause.signature.rank, let second = problem.signature.rank, first < second
    else { return false }
    return !cause.device.isFunction || cause.device == problem.device
      || cause.device.isUnlocated || problem.device.isUnlocated
  }

  private func finding(_ problem: Problem) -> Finding {
    var evidence = problem.evidence
    if problem.more > 0, let last = evidence.last {
      evidence.append(Finding.Evidence(last.path, "and \(problem.more) more"))
    }
    return Finding(
      id: problem.signature.id, subject: subject(problem.device), evidence: evidence,
      explanation: ([problem.signature.meaning] + problem.details).joined(separator: "; "),
      remedy: problem.signature.fix)
  }

  private func subject(_ device: HostLog.Device) -> String {
    switch device {
    case .function(let name), .port(let name), .other(let name):
      names[name].map { "\($0) (\(name))" } ?? name
    case .none: diagnosis.machine
    }
  }
}

extension HostLog.Device {
  var isFunction: Bool { if case .function = self { true } else { false } }

  /// Whether only the driver's name of it is known, so that it may be any function.
  var isUnlocated: Bool {
    if case .function(let name) = self { name.hasPrefix("nvme") } else { false }
  }
}

extension Signature {
  /// The host's problems; a message belongs to the first one that it matches.
  static let host = dma + bus + disk + controller
}
