// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation
internal import KernelEvents
internal import KernelHistory
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// Whether a profile fits the machine, by the same rules as `setup`.
extension Examination {
  mutating func examineProfile() {
    guard let profile else { return }
    // What the machine shows itself is not told again; warnings of a profile are not compared with each other.
    let earlier = diagnosis.findings
    for function in profile.profile.functions { predict(function, profile.profile) }
    // Problems that affect every profile have been reported already.
    if let reason = earlier.first(where: { Self.foundations.contains($0.id) }) {
      for warning in profile.warnings { tell(warning, earlier) }
      return hide(
        "whether \(profile.profile.name) fits",
        "fix \(reason.id.rawValue) first: \(reason.subject)")
    }
    let plan: Plan
    do throws(ProvisioningError) { plan = try provisioner.plan(profile) } catch {
      // The reason of a refusal can be a warning of the profile.
      for warning in profile.warnings where !error.message.contains(warning.message) {
        tell(warning, earlier)
      }
      if error.kind == .needsPrivileges || error.errno == .permissionDenied {
        return hide("whether \(profile.profile.name) fits", error.message + "; run as root")
      }
      return find(
        .profileImpossible, profile.profile.name,
        [Finding.Evidence(error.path ?? profile.profile.name, error.message)],
        "setup refuses this profile on this machine",
        remedy: error.hint ?? "change the profile")
    }
    for warning in profile.warnings { tell(warning, earlier) }
    for warning in plan.warnings where !profile.warnings.contains(warning) {
      tell(warning, earlier)
    }
    see(
      "plan", plan.changesAnything ? "\(plan.steps.count) steps" : "nothing to do: it is set up")
  }

  /// Findings after which a plan adds no information.
  private static let foundations: Set<Finding.ID> = [
    .optionMissing, .endpointSupportMissing, .tlsKernel, .driverMissing, .moduleMissing,
    .moduleLoadingDisabled, .controllerMissing, .controllerDisabled, .controllerWithoutDriver,
    .controllerUnsuitable, .journalDamaged,
  ]

  private static let topics: [ProfileIssue.Topic.Kind: Finding.ID] = [
    .portUnused: .portUnused, .contiguousMemory: .cmaLow, .namespaceAccess: .anaInaccessible,
  ]

  /// - Parameter earlier: the findings about the machine, which may show the same.
  private mutating func tell(_ warning: ProfileIssue, _ earlier: [Finding]) {
    let id = warning.topic.flatMap { Self.topics[$0.kind] }
    if let id, let topic = warning.topic,
      subjects(of: topic).allSatisfy({ subject in
        earlier.contains { $0.id == id && $0.subject == subject }
      })
    {
      return
    }
    find(
      id ?? .profileWarning, warning.path, [Finding.Evidence(warning.path, warning.message)],
      "setup continues despite it", remedy: warning.hint ?? "change the profile, or accept it")
  }

  /// The subjects as they are named on this machine, on which the NQN of a function's subsystem can have a suffix.
  private func subjects(of topic: ProfileIssue.Topic) -> [String] {
    guard topic.kind == .namespaceAccess, let profile = profile?.profile else {
      return topic.subjects
    }
    let here = profile.identified(on: machine.facts.machineID)
    return topic.subjects.map { subject in
      for (given, own) in zip(profile.subsystems, here.subsystems)
      where subject.hasPrefix("\(given.nqn) ") {
        return own.nqn + subject.dropFirst(given.nqn.count)
      }
      return subject
    }
  }

  /// The outbound windows of a function, which grow with its queues from a release on.
  private func windows(_ driver: FunctionDriver, queues: Int) -> String {
    let growing = "up to \(OutboundWindowRule.windows(forQueuePairs: queues + 1)) outbound windows"
    return switch OutboundWindowRule.growth(driver, machine.facts.release) {
    case .present: growing
    case .absent: "few outbound windows, whatever the number of queues"
    case .unknown: growing + ", or few if this kernel maps a completion queue only to post to it"
    }
  }

  /// Queues, vectors and BAR 0 of a function, as the driver computes them.
  private mutating func predict(_ function: Profile.Function, _ profile: Profile) {
    guard let driver else { return }
    let isPCIEPFNVMe = driver == .pciEPFNVMe
    var setup = DriverSetup(isPCIEPFNVMe ? .pciEPFNVMe : .nvmetPCIEPF)
    setup.msixVectors = Int(function.msixVectors)
    setup.msiVectors = Int(function.msiVectors)
    setup.isMSIXCapable = function.controllerFeatures?.msix ?? true
    setup.isMSICapable = function.controllerFeatures?.msi ?? true
    let limit = profile.subsystem(function.target.nqn)?.maximumQueueID
    var wanted = Int(function.ioQueues ?? limit ?? (isPCIEPFNVMe ? UInt16.max : 127))
    if isPCIEPFNVMe { wanted = min(wanted, machine.facts.onlineCPUs) }
    let queues = setup.queues(target: wanted).ioQueues ?? 0
    let interrupts: String =
      switch setup.interrupts {
      case .msix(let count): "\(count) MSI-X vectors"
      case .msi(let count): "\(count) MSI vectors"
      default: "INTx"
      }
    see(
      "function \(function.name) of the profile",
      "\(queues) I/O queues and the admin queue on \(machine.facts.onlineCPUs) processors, \(interrupts), \(setup.registerBytes) bytes of registers in BAR 0, \(windows(driver, queues: queues))"
    )
  }
}
