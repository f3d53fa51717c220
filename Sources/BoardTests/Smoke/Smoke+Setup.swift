// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import Provisioning

/// The way up: from an empty machine to a started controller.
extension Smoke {
  /// - Returns: whether the run can go on.
  func hasEndpointController() -> Bool {
    let wanted = Set(located.profile.functions.map(\.controller))
    guard !wanted.isEmpty else { return true }
    let present = provisioner.machine.endpointControllers().sorted()
    let missing = wanted.subtracting(["auto"]).subtracting(present).min()
    guard present.isEmpty || missing != nil else { return true }
    let reason =
      present.isEmpty
      ? "this machine has no PCI endpoint controller"
      : "this machine has no endpoint controller \(missing ?? ""); it has \(present.joined(separator: ", "))"
    skipRest("not run: there is nothing to set up", upTo: .endpointControllerPresent)
    finish(.endpointControllerPresent, .skipped(reason))
    return false
  }

  /// Sets the profile up, and records the outcome of each case.
  /// - Returns: whether it is up.
  func setUp() throws(ProvisioningError) -> Bool {
    var way = Way(smoke: self)
    let start = time
    do {
      _ = try provisioner.setUp(located, force: false) { way.hear($0) }
    } catch {
      switch error.kind {
      // Nothing was done, and there is no earlier run: the run could not begin.
      case .needsPrivileges, .cannotCreate, .malformedProfile, .disruptive, .internal,
        .timedOut
      where record.run == 1 && !way.hasBegun:
        throw error
      case .interrupted:
        way.finishReached()
        return false
      default: break
      }
      addSpan("setup", from: start, hasFailed: true)
      way.fail(error)
      return false
    }
    addSpan("setup", from: start)
    measure("setup-time", time - start)
    way.finishReached()
    return true
  }

  /// The progress of a setup, by case.
  private struct Way {
    let smoke: Smoke
    var plan: Plan?
    private var left: [SmokeCase: Int] = [:]
    private var current: SmokeCase?
    /// Whether a step was tried.
    var hasBegun: Bool { current != nil }
    private var mark: KernelLogMark?
    private var began: Duration = .zero
    private var durations: [SmokeCase: Duration] = [:]

    init(smoke: Smoke) { self.smoke = smoke }

    private static let order: [SmokeCase] = [
      .configFSMounted, .endpointControllerPresent, .driverLoaded, .backingReady, .targetLinked,
      .functionBound, .controllerStarted, .controllerCreated,
    ]

    mutating func hear(_ progress: Progress) {
      switch progress {
      case .planned(let plan):
        self.plan = plan
        for step in plan.steps { left[SmokeCase(of: step.operation), default: 0] += 1 }
        smoke.controllers = plan.startedControllers
      case .begins(_, _, let step):
        let item = SmokeCase(of: step.operation)
        // The kernel's lines of a failure begin with its step.
        mark = smoke.watch.mark()
        if item == .controllerStarted { smoke.startMark = mark }
        current = item
        began = smoke.now
      case .done(_, _, let step):
        let item = SmokeCase(of: step.operation)
        left[item, default: 1] -= 1
        durations[item, default: .zero] += smoke.now - began
        smoke.addSpan(step.operation.sentence, from: smoke.time - (smoke.now - began))
      case .failed(_, _, let step, _):
        smoke.addSpan(
          step.operation.sentence, from: smoke.time - (smoke.now - began), hasFailed: true)
      case .undoing, .undone, .cannotUndo, .kept, .continuesAfterSignal: break
      }
    }

    /// The cases whose steps are all done have passed.
    func finishReached() {
      for item in Self.order where plan != nil && left[item, default: 0] == 0 {
        smoke.finish(
          item, outcomeWhenDone(item), began: durations[item].map { smoke.now - $0 })
      }
    }

    private func outcomeWhenDone(_ item: SmokeCase) -> TestReport.Outcome {
      let profile = smoke.located.profile
      switch item {
      case .targetLinked where profile.subsystems.isEmpty:
        return .skipped("the profile has no local target")
      case .backingReady where profile.backings.isEmpty:
        return .skipped("the profile has no local backing")
      case .endpointControllerPresent, .functionBound, .controllerStarted, .controllerCreated:
        return profile.functions.isEmpty ? .skipped("the profile has no function") : .passed
      default: return .passed
      }
    }

    func fail(_ error: ProvisioningError) {
      let item = current ?? SmokeCase(ofPlanning: error)
      let reason = error.message.singleLine
      let outcome: TestReport.Outcome =
        error.kind == .timedOut ? .timedOut(reason) : .failed(reason)
      for earlier in Self.order.prefix(while: { $0 != item }) {
        if plan != nil, left[earlier, default: 0] == 0 {
          smoke.finish(earlier, outcomeWhenDone(earlier))
        } else if earlier == .configFSMounted, smoke.provisioner.machine.isConfigFSMounted() {
          smoke.finish(earlier, .passed)
        } else {
          smoke.finish(earlier, .skipped("not reached: \(item.rawValue) failed"))
        }
      }
      var details: [String] = error.leftovers.map { "left over: \($0)" }
      if let hint = error.hint { details.append("hint: \(hint)") }
      smoke.finish(item, outcome, details: details, since: mark, began: began)
      if error.kind == .rollbackIncomplete {
        smoke.finish(
          .cleanTeardown, .failed("the rollback of the failed setup is incomplete"),
          details: error.leftovers)
      }
      smoke.skipRest("not reached: \(item.rawValue) failed", upTo: .linkUp)
    }
  }
}

extension Plan {
  /// The endpoint controllers that the plan starts.
  fileprivate var startedControllers: [String] {
    steps.compactMap { step in
      guard case .write(let path, _, _) = step.operation, path.hasSuffix("/start") else {
        return nil
      }
      return path.split(separator: "/").dropLast().last.map(String.init)
    }
  }
}

extension SmokeCase {
  /// The case that a step of a setup serves.
  init(of operation: Operation) {
    switch operation {
    case .mountConfigFS: self = .configFSMounted
    case .loadModule, .unloadModule: self = .driverLoaded
    case .createFile, .removeFile, .attachLoop, .detachLoop, .awaitDevice: self = .backingReady
    case .verifyController: self = .controllerCreated
    case .expectConnection, .disconnect: self = .functionBound
    case .createDirectory(let path), .removeDirectory(let path), .restoreDirectory(let path, _),
      .write(let path, _, _), .link(let path, _), .unlink(let path, _), .awaitDirectory(let path):
      if path.contains("/nullb/") {
        self = .backingReady
      } else if path.contains("/nvmet/") {
        self = .targetLinked
      } else {
        self = path.hasSuffix("/start") ? .controllerStarted : .functionBound
      }
    }
  }

  /// The case that an error before the first step belongs to.
  init(ofPlanning error: ProvisioningError) {
    switch error.kind {
    case .unsupported: self = .driverLoaded
    case .inputMissing: self = .backingReady
    case .impossible where error.path?.contains("controllers") ?? true:
      self = .endpointControllerPresent
    default: self = .functionBound
    }
  }
}
