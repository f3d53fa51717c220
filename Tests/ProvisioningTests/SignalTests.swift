// SPDX-License-Identifier: Apache-2.0
import LibC
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// SIGINT, SIGTERM and SIGHUP at every effect, for every shipped profile on both kernels.
@Suite struct SignalTests {
  static let signals: [CInt] = [SIGINT, SIGTERM, SIGHUP]

  /// A machine that sends signals to the run itself, each before an effect with a number.
  private func machine(
    _ kernel: SimulatedKernel, journals: [String: String] = [:], _ inbox: Signals.Inbox,
    _ sent: [Int: CInt]
  ) -> (machine: SimulatedMachine, watch: CrashPoints) {
    let watch = CrashPoints(kernel, keepsPoints: false) { number in
      if let signal = sent[number] { inbox.send(signal) }
    }
    return (SimulatedMachine(kernel: kernel, journals: journals, wrap: watch.watching), watch)
  }

  /// A profile that is set up, and what a whole teardown makes of it.
  private struct Standing {
    let name: String
    let kernel: SimulatedKernel
    let journal: String
    let effects: Int
    let after: [String]

    init(_ shipped: ShippedProfile) throws {
      let located = try shipped.located()
      name = located.profile.name
      let start = shipped.fresh()
      try start.setUp(located)
      kernel = start.kernel
      journal = try #require(start.journal(name))
      let copy = kernel.copy()
      let watch = CrashPoints(copy, keepsPoints: false)
      let whole = SimulatedMachine(
        kernel: copy, journals: [name: journal], wrap: watch.watching)
      try whole.tearDown(name)
      effects = watch.effects
      after = whole.state()
      try #require(effects > 0)
    }
  }

  @Test(
    "a signal at any effect of teardown: it continues to its end, and reports it once",
    arguments: ShippedProfile.all)
  func teardown(_ shipped: ShippedProfile) throws {
    let standing = try Standing(shipped)
    var cases = 0
    let effects = TestScale.some(of: 1...standing.effects, oneIn: 4, offset: standing.effects)
    for effect in effects {
      for signal in TestScale.some(of: Self.signals, oneIn: 3, offset: effect / 2) {
        let label = "\(Signals.name(of: signal)) at effect \(effect)"
        let inbox = Signals.Inbox()
        let (machine, _) = machine(
          standing.kernel.copy(), journals: [standing.name: standing.journal], inbox,
          [effect: signal])
        var notices = 0
        try Signals.$inbox.withValue(inbox) {
          let changed = try machine.provisioner.tearDown(standing.name) { progress in
            if case .continuesAfterSignal(signal) = progress { notices += 1 }
          }
          #expect(changed, "\(label)")
          #expect(Signals.caught == signal, "\(label)")
        }
        // Nothing is undone after the last effect, so it is not noticed there.
        #expect(notices == (effect < standing.effects ? 1 : 0), "\(label)")
        #expect(machine.state() == standing.after, "\(label): leftovers")
        #expect(machine.journal(standing.name) == nil, "\(label): a journal is left")
        #expect(machine.kernel.crashes.isEmpty, "\(label): the kernel crashed")
        cases += 1
      }
    }
    print("signal table: \(shipped): \(cases) signals in teardown")
    #expect(cases == (TestScale.isFull ? 3 : 1) * effects.count)
  }

  @Test(
    "a second signal stops the teardown, what is left is listed, and the next teardown removes it",
    arguments: ShippedProfile.all)
  func teardownTwice(_ shipped: ShippedProfile) throws {
    let standing = try Standing(shipped)
    try #require(standing.effects > 2)
    // The first one is noticed before the second effect, the second one after that.
    for effect in TestScale.some(of: 2..<standing.effects, oneIn: 5, offset: standing.effects) {
      let label = "second signal at effect \(effect)"
      let inbox = Signals.Inbox()
      let (machine, watch) = machine(
        standing.kernel.copy(), journals: [standing.name: standing.journal], inbox,
        [1: SIGTERM, effect: SIGINT])
      let error = try #require(
        Signals.$inbox.withValue(inbox) {
          machine.failure { (machine) throws(ProvisioningError) in
            try machine.tearDown(standing.name)
          }
        }, "\(label): went through")
      #expect(watch.effects == effect, "\(label): went on")
      #expect(error.kind == .rollbackIncomplete, "\(label)")
      #expect(!error.leftovers.isEmpty, "\(label): nothing is listed")
      #expect(error.message.contains("interrupted by SIGTERM, and again"), "\(label): \(error)")
      #expect(error.hint?.contains("teardown") == true, "\(label)")
      #expect(try machine.tearDown(standing.name), "\(label): nothing to take down")
      #expect(machine.state() == standing.after, "\(label): leftovers")
      #expect(machine.journal(standing.name) == nil, "\(label): a journal is left")
    }
  }

  @Test(
    "a signal at any effect of setup undoes everything before it", arguments: ShippedProfile.all)
  func setup(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let start = shipped.fresh()
    let copy = start.kernel.copy()
    let watch = CrashPoints(copy, keepsPoints: false)
    let whole = SimulatedMachine(kernel: copy, wrap: watch.watching)
    let files = try whole.provisioner.plan(located).createdFiles
    try whole.setUp(located)
    for effect in TestScale.some(of: 1...watch.effects, oneIn: 7, offset: watch.effects) {
      let signal = Self.signals[effect % 3]
      let label = "\(Signals.name(of: signal)) at effect \(effect)"
      let inbox = Signals.Inbox()
      let (machine, _) = machine(start.kernel.copy(), inbox, [effect: signal])
      let error = Signals.$inbox.withValue(inbox) {
        machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(located) }
      }
      let name = located.profile.name
      // A signal at the last effect does not interrupt the run.
      guard let error else {
        #expect(effect == watch.effects, "\(label): went through")
        continue
      }
      #expect(error.kind == .interrupted, "\(label): \(error)")
      #expect(error.signal == signal, "\(label)")
      #expect(machine.journal(name) == nil, "\(label): a journal is left")
      let left = machine.state(files: files).filter { line in
        files.contains(line) || line.contains("->") || line.contains(" = /")
      }
      #expect(left == [], "\(label): leftovers")
      #expect(machine.kernel.crashes.isEmpty, "\(label): the kernel crashed")
    }
  }

  @Test("a signal while the last step waits undoes the setup: the object is not there")
  func wait() throws {
    let located = try profile(
      #"{ "version": 1, "name": "p", "backings": { "a": { "nullBlock": { "device": "disk" } } } }"#)
    let machine = SimulatedMachine(.linux7_2)
    let last = try machine.provisioner.plan(located).steps.count
    machine.kernel.inject(
      .init(.describe, at: "/dev/disk", action: .errno(.noSuchFileOrDirectory), count: nil))
    let inbox = Signals.Inbox()
    let error = Signals.$inbox.withValue(inbox) {
      machine.failure { (machine) throws(ProvisioningError) in
        _ = try machine.provisioner.setUp(located, force: false) { progress in
          if case .begins(last, _, _) = progress { inbox.send(SIGTERM) }
        }
      }
    }
    #expect(error?.kind == .interrupted)
    #expect(error?.signal == SIGTERM)
    #expect(machine.journal("p") == nil)
    #expect(!machine.tree.contains { $0.contains("nullb/disk") })
  }

  @Test(
    "a signal at any effect of a change restores the objects that it had removed, with their attributes",
    arguments: SimulatedKernel.Release.allCases)
  func change(_ kernelRelease: SimulatedKernel.Release) throws {
    // Another name: the function is removed with its group, which 6.12 creates late.
    func document(_ function: String) -> String {
      """
      { "version": 1, "name": "p", "backings": { "a": { "nullBlock": { "sizeMiB": 64 } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:p", "namespaces": [ { "id": 1, "backing": "a" } ] } ],
        "functions": [ { "name": "\(function)", "vendorID": 1, "deviceID": 2, "msixVectors": 8, "mdtsKiB": 256,
          "target": { "loop": "nqn.2026-01.org.example:p" } } ] }
      """
    }
    let machine = SimulatedMachine(
      kernelRelease,
      machine: ShippedProfile(name: "null_blk-loop", kernelRelease: kernelRelease).machine)
    try machine.setUp(try profile(document("first")))
    let before = machine.tree
    let journals = ["p": try #require(machine.journal("p"))]
    let located = try profile(document("second"))
    let kernel = machine.kernel.copy()
    let watch = CrashPoints(kernel, keepsPoints: false)
    let whole = SimulatedMachine(kernel: kernel, journals: journals, wrap: watch.watching)
    try whole.setUp(located, force: true)
    try #require(watch.effects >= 10)
    var interrupted = 0
    for effect in 1...watch.effects {
      let inbox = Signals.Inbox()
      let (copy, _) = self.machine(
        machine.kernel.copy(), journals: journals, inbox, [effect: SIGTERM])
      let error = Signals.$inbox.withValue(inbox) {
        copy.failure { (machine) throws(ProvisioningError) in
          try machine.setUp(located, force: true)
        }
      }
      guard let error else { continue }
      interrupted += 1
      #expect(error.kind == .interrupted, "effect \(effect): \(error)")
      #expect(copy.tree == before, "effect \(effect)")
    }
    #expect(interrupted > watch.effects / 2)
  }
}
