// SPDX-License-Identifier: Apache-2.0
import KernelModules
import Provisioning
import SimulatedKernel
import TestSupport
import Testing

/// After a SIGKILL before or after any effect, the next run removes the leftovers.
@Suite struct CrashTests {
  /// Runs something and keeps what each moment would leave.
  private func points(
    _ kernel: SimulatedKernel, _ name: String, journals: [String: String] = [:],
    _ body: (SimulatedMachine) throws -> Void
  ) throws -> [CrashPoints.Point] {
    let crash = CrashPoints(kernel)
    let machine = SimulatedMachine(kernel: kernel, journals: journals, wrap: crash.watching)
    crash.readJournal { [weak machine] in machine?.journal(name) }
    try body(machine)
    return crash.points
  }

  private func revived(_ point: CrashPoints.Point, _ name: String) -> SimulatedMachine {
    SimulatedMachine(
      kernel: point.kernel.copy(), journals: point.journal.map { [name: $0] } ?? [:])
  }

  @Test(
    "killed at any effect of setup, the next teardown leaves nothing and the next setup works",
    arguments: ShippedProfile.all)
  func setup(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let name = located.profile.name
    let start = shipped.fresh()
    let plan = try start.provisioner.plan(located)
    let whole = SimulatedMachine(kernel: start.kernel.copy())
    try whole.setUp(located)
    let complete = whole.state()
    let moments = try points(start.kernel.copy(), name) { try $0.setUp(located) }
    let tried = TestScale.some(of: moments, oneIn: 11, offset: plan.steps.count)
    for point in tried {
      let down = revived(point, name)
      // Modules stay. The tree of a machine that has the same ones and nothing else:
      let modules = SimulatedMachine(kernel: start.kernel.copy())
      for step in plan.steps {
        guard case .loadModule(let module, let parameters) = step.operation else { continue }
        if try down.kernel.state(of: module) == .loaded {
          try modules.kernel.load(module, parameters: parameters)
        }
      }
      let had = point.journal != nil
      #expect(try down.tearDown(name) == had, "\(point.description): teardown")
      #expect(
        down.state(files: plan.createdFiles) == modules.state(files: plan.createdFiles),
        "\(point.description): leftovers")
      #expect(down.journal(name) == nil, "\(point.description): a journal is left")
      #expect(down.kernel.crashes.isEmpty, "\(point.description): the kernel crashed")

      let up = revived(point, name)
      let outcome = try up.setUp(located)
      #expect(outcome.recovered == had, "\(point.description): setup")
      #expect(up.state() == complete, "\(point.description): another machine than at once")
      #expect(up.kernel.crashes.isEmpty, "\(point.description): the kernel crashed")
    }
    print("crash table: \(shipped): \(tried.count) moments, a teardown and a setup after each")
    let effects = plan.steps.count { $0.operation.call?.isEffect == true && $0.undo != .capture }
    #expect(moments.count >= 2 * effects)
  }

  @Test(
    "killed at any effect of teardown, the next teardown finishes it",
    arguments: ShippedProfile.all)
  func teardown(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let name = located.profile.name
    let start = shipped.fresh()
    try start.setUp(located)
    let done = SimulatedMachine(
      kernel: start.kernel.copy(), journals: [name: try #require(start.journal(name))])
    try done.tearDown(name)
    let moments = try points(
      start.kernel.copy(), name, journals: [name: try #require(start.journal(name))]
    ) { try $0.tearDown(name) }
    #expect(!moments.isEmpty)
    for point in TestScale.some(of: moments, oneIn: 11, offset: moments.count) {
      let machine = revived(point, name)
      try machine.tearDown(name)
      #expect(machine.state() == done.state(), "\(point.description): leftovers")
      #expect(machine.journal(name) == nil, "\(point.description): a journal is left")
      #expect(machine.kernel.crashes.isEmpty, "\(point.description): the kernel crashed")
    }
  }
}
