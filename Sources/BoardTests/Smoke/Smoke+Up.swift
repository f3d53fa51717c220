// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import Provisioning

/// The checks while everything is up.
extension Smoke {
  // MARK: The link

  func awaitLink() {
    guard !controllers.isEmpty else {
      return finish(.linkUp, .skipped("the profile has no function"))
    }
    guard startMark != nil else {
      return finish(.linkUp, .skipped(Self.noLog))
    }
    let began = now
    if waitForLink(since: startMark) {
      linkWasUp = true
      // From the start of the controller; the wait itself began a little later.
      measure("link-up-time", now - began)
      finish(.linkUp, .passed, began: began)
    } else if isInterrupted {
      finish(.linkUp, .skipped(interruption))
    } else if options.requiresLink {
      let reason = watch.silence.map { "\($0), and no host has enabled the controller" }
      finish(
        .linkUp, .timedOut(reason ?? "no link within \(provisioner.timeout)"), since: startMark,
        began: began)
    } else if let reason = watch.silence {
      finish(
        .linkUp, .skipped("\(reason), and no host has enabled the controller"), began: began)
    } else if watch.links(since: runMark).contains(.up) {
      // The driver reports it at bind, before the controller is started.
      finish(.linkUp, .skipped("this endpoint controller does not report its link"))
    } else {
      finish(
        .linkUp,
        .skipped(
          "no link within \(provisioner.timeout): no host is connected and powered, or this controller does not report its link"
        ), began: began)
    }
    addSpan("wait for the link", from: time - (now - began))
  }

  static let noLog = "this process cannot read the kernel log, which reports the link"

  private func waitForLink(since mark: KernelLogMark?) -> Bool {
    let isUp = provisioner.machine.clock.wait(upTo: provisioner.timeout) {
      isInterrupted || watch.links(since: mark).contains(.up)
    }
    return isUp && watch.links(since: mark).contains(.up)
  }

  // MARK: Values

  func checkMachine() {
    guard !isInterrupted else { return finish(.machineAsProfile, .skipped(interruption)) }
    let began = now
    switch differences() {
    case .success(let cases, let count):
      finish(
        .machineAsProfile,
        cases.isEmpty ? .passed : .failed("\(cases.count) of \(count) values differ"),
        details: cases, since: runMark, began: began)
    case .failure(let error): finish(.machineAsProfile, .failed(error), since: runMark)
    }
    addSpan("check", from: time - (now - began))
  }

  private enum Differences {
    case success([String], of: Int)
    case failure(String)
  }

  private func differences() -> Differences {
    do throws(ProvisioningError) {
      let check = try provisioner.check(located)
      return .success(
        check.failures.map {
          "\($0.id): \($0.actual.map { "\"\($0)\"" } ?? "missing"), should be \"\($0.expected)\""
        }, of: check.cases.count)
    } catch { return .failure(error.message) }
  }

  func comparePrediction() {
    let items: [SmokeCase] = [.queuesAsPredicted, .registersAsPredicted, .identityAsPredicted]
    guard let prediction else {
      for item in items { finish(item, .skipped("the profile has no function")) }
      return
    }
    guard !isInterrupted else {
      for item in items { finish(item, .skipped(interruption)) }
      return
    }
    let lines = watch.lines(since: runMark).map(\.text)
    let spoken = BoardLog.cases(
      expected: prediction.log, lines: lines, driver: prediction.driver,
      nqns: located.profile.identified(on: provisioner.machine.facts.machineID).functions
        .map(\.target.nqn))
    let queues = spoken.filter {
      $0.id.hasSuffix(" controller-created") || $0.id.hasSuffix(" io-queues")
    }
    let tree = provisioner.snapshot()
    if runMark == nil {
      finish(.queuesAsPredicted, .skipped("this process cannot read the kernel log"))
    } else {
      finish(.queuesAsPredicted, queues.map(Observation.init))
    }
    finish(
      .registersAsPredicted,
      prediction.comparisons(.header, with: tree).map(Observation.init)
        + spoken.filter { $0.id.hasSuffix(" interrupt-vectors") }.map(Observation.init))
    finish(
      .identityAsPredicted, prediction.comparisons(.identity, with: tree).map(Observation.init))
  }

  /// One value that was compared with its prediction; nil if it is not visible on the board.
  private struct Observation {
    var agrees: Bool?
    var sentence: String

    init(_ item: Check.Case) {
      switch item.outcome {
      case .passed: agrees = true
      case .failed: agrees = false
      case .skipped: agrees = nil
      }
      sentence = "\"\(item.actual ?? "missing")\", predicted \"\(item.expected)\""
    }

    init(_ comparison: BoardPrediction.Comparison) {
      agrees = comparison.agrees
      sentence = comparison.sentence
    }
  }

  private func finish(_ item: SmokeCase, _ observations: [Observation]) {
    let compared = observations.filter { $0.agrees != nil }
    let wrong = compared.filter { $0.agrees == false }
    guard !compared.isEmpty else {
      return finish(item, .skipped("not visible on the board"))
    }
    finish(
      item, wrong.isEmpty ? .passed : .failed("\(wrong.count) of \(compared.count) values differ"),
      details: wrong.isEmpty
        ? ["\(compared.count) \(compared.count == 1 ? "value" : "values")"] : wrong.map(\.sentence),
      since: runMark)
  }

  // MARK: Bounces

  func bounce() {
    guard options.bounces > 0 else { return finish(.linkBounced, .skipped("--bounces 0")) }
    guard !controllers.isEmpty else {
      return finish(.linkBounced, .skipped("the profile has no function"))
    }
    let began = now
    for number in 1...options.bounces {
      guard !isInterrupted else { return finish(.linkBounced, .skipped(interruption)) }
      let mark = watch.mark()
      let start = now
      if let failure = bounceOnce(number, mark) {
        linkWasUp = false
        addSpan("bounce \(number)", from: time - (now - start), hasFailed: true)
        return finish(.linkBounced, failure, since: mark, began: began)
      }
      measure("bounce-time", now - start)
      addSpan("bounce \(number)", from: time - (now - start))
    }
    switch differences() {
    case .success(let cases, _) where cases.isEmpty:
      finish(
        .linkBounced, .passed,
        details: linkWasUp ? [] : ["stop and start only: no link was reported"], began: began)
    case .success(let cases, let count):
      finish(
        .linkBounced, .failed("\(cases.count) of \(count) values differ afterwards"),
        details: cases, since: startMark, began: began)
    case .failure(let error):
      finish(.linkBounced, .failed(error), since: startMark, began: began)
    }
  }

  private func bounceOnce(_ number: Int, _ mark: KernelLogMark?) -> TestReport.Outcome? {
    do throws(ProvisioningError) {
      for controller in controllers {
        try provisioner.bounce(controller, force: options.bouncesEnabled)
      }
    } catch {
      if error.kind == .disruptive {
        let hint = error.hint.map { "; \($0)" } ?? ""
        return .failed(
          "bounce \(number) refused: \(error.message)\(hint); or --role, whose host does that; or --bounces 0"
        )
      }
      return error.kind == .timedOut ? .timedOut(error.message) : .failed(error.message)
    }
    defer { startMark = mark }
    guard linkWasUp else { return nil }
    if waitForLink(since: mark) { return nil }
    if isInterrupted { return .skipped(interruption) }
    return .timedOut("after bounce \(number) no link within \(provisioner.timeout)")
  }

  /// Whether the link, once up, stayed up: between the last start and now.
  func checkStability() {
    guard linkWasUp else {
      return finish(.linkStable, .skipped("the link was not reported, or did not come up again"))
    }
    let began = now
    let wasLost = provisioner.machine.clock.wait(upTo: options.hold) {
      isInterrupted || linkWasLost
    }
    addSpan("watch the link", from: time - (now - began))
    if wasLost, !linkWasLost { return finish(.linkStable, .skipped(interruption)) }
    finish(
      .linkStable, linkWasLost ? .failed("the link went down unexpectedly") : .passed,
      since: startMark, began: began)
  }

  /// Whether the link went down after it had come up.
  private var linkWasLost: Bool {
    let links = watch.links(since: startMark)
    return links.firstIndex(of: .up).map { links[$0...].contains(.down) } ?? false
  }
}
