// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Every step of every shipped profile fails in every way: the transaction is undone completely, and the report is complete.
@Suite struct FaultTableTests {
  static let errnos: [Errno] = [
    .resourceBusy, .invalidArgument, .ioError, .noSpace, .permissionDenied,
  ]

  /// The fault that hits a step from its beginning; nil for one without a system call.
  private func fault(in step: Step, _ errno: Errno) -> SimulatedKernel.Fault? {
    guard let call = step.operation.call else { return nil }
    // All connections are listed.
    return .init(
      call, at: call == .connections ? nil : step.operation.path, action: .errno(errno))
  }

  /// Sets a profile up with a fault that is there from the beginning of a step: what is looked at before does not meet it.
  private func setUp(
    _ located: Profile.Located, on machine: SimulatedMachine, step index: Int,
    _ fault: SimulatedKernel.Fault
  ) throws(ProvisioningError) {
    _ = try machine.provisioner.setUp(located, force: false) { progress in
      if case .begins(index + 1, _, _) = progress { machine.kernel.inject(fault) }
    }
  }

  @Test(
    "a failed step is reported with all details, and all earlier steps are undone",
    arguments: ShippedProfile.all)
  func failingStep(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let start = shipped.fresh()
    let plan = try start.provisioner.plan(located)
    let whole = SimulatedMachine(kernel: start.kernel.copy())
    try whole.setUp(located)
    let complete = whole.state()
    var cases = 0
    let steps = TestScale.some(of: plan.steps.indices, oneIn: 4, offset: plan.steps.count)
    for index in steps {
      let step = plan.steps[index]
      let reference = SimulatedMachine(kernel: start.kernel.copy())
      try onlyModules(of: plan.steps[..<index], on: reference.kernel)
      for errno in TestScale.some(of: Self.errnos, oneIn: Self.errnos.count, offset: index) {
        guard let fault = fault(in: step, errno) else { continue }
        let machine = SimulatedMachine(kernel: start.kernel.copy())
        let label = "\(errno.name) at step \(index + 1): \(step.operation.sentence)"
        cases += 1
        guard
          let error = machine.failure({ (machine) throws(ProvisioningError) in
            try setUp(located, on: machine, step: index, fault)
          })
        else {
          // A shared header field that is right already needs no system call, so none can fail.
          #expect(step.undo == .capture, "\(label): went through")
          #expect(machine.state() == complete, "\(label): went through")
          continue
        }
        #expect(error.kind == .operationFailed, "\(label): \(error)")
        #expect(error.operation == step.operation.verb, "\(label): \(error)")
        #expect(error.path == step.operation.path, "\(label): \(error)")
        #expect(error.errno == errno, "\(label): \(error)")
        #expect(error.hint?.isEmpty == false, "\(label): no hint")
        if case .write(_, .text(let text), _) = step.operation {
          #expect(error.value == text.withoutTrailingNewline, "\(label): \(error)")
        }
        if case .link(_, let target) = step.operation {
          #expect(error.value == target, "\(label): \(error)")
        }
        let files = plan.createdFiles
        #expect(machine.state(files: files) == reference.state(files: files), "\(label): leftovers")
        #expect(machine.journal(plan.name) == nil, "\(label): a journal is left")
        #expect(machine.kernel.crashes.isEmpty, "\(label): the kernel crashed")
      }
    }
    print("fault table: \(shipped): \(cases) cases over \(steps.count) steps")
    let errnos = TestScale.isFull ? Self.errnos.count : 1
    #expect(cases >= errnos * steps.count(where: { plan.steps[$0].operation.call != nil }))
  }

  @Test(
    "leftovers are listed, and a later teardown removes them",
    arguments: ShippedProfile.all)
  func failingUndo(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let start = shipped.fresh()
    let plan = try start.provisioner.plan(located)
    let last = plan.steps.count - 1
    let reference = SimulatedMachine(kernel: start.kernel.copy())
    try onlyModules(of: plan.steps[...], on: reference.kernel)
    var cases = 0
    let undoable = plan.steps.dropLast().compactMap {
      step -> (String, SimulatedKernel.Operation)? in
      switch step.operation {
      case .createDirectory: (step.operation.path, .remove)
      case .link: (step.operation.path, .unlink)
      default: nil
      }
    }
    for (path, undo) in TestScale.some(of: undoable, oneIn: 5, offset: last) {
      let machine = SimulatedMachine(kernel: start.kernel.copy())
      let failure = try #require(fault(in: plan.steps[last], .ioError))
      machine.kernel.inject(.init(undo, at: path, action: .errno(.resourceBusy), count: nil))
      let error = try #require(
        machine.failure { (machine) throws(ProvisioningError) in
          try setUp(located, on: machine, step: last, failure)
        },
        "the last step failed without an error")
      cases += 1
      #expect(error.kind == .rollbackIncomplete, "\(path): \(error)")
      #expect(error.leftovers.contains { $0.contains(path) }, "\(path): \(error)")
      machine.kernel.removeFaults()
      #expect(try machine.tearDown(plan.name), "\(path): nothing to take down")
      #expect(
        machine.state(files: plan.createdFiles) == reference.state(files: plan.createdFiles),
        "\(path): leftovers")
      #expect(machine.journal(plan.name) == nil, "\(path): a journal is left")
    }
    #expect(cases > 0)
  }

  @Test(
    "an object that cannot be looked at is removed all the same, and a value that cannot be read is restored",
    arguments: ShippedProfile.all)
  func blindUndo(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let name = located.profile.name
    let start = shipped.fresh()
    let plan = try start.provisioner.plan(located)
    try start.setUp(located)
    let journals = [name: try #require(start.journal(name))]
    let done = SimulatedMachine(kernel: start.kernel.copy(), journals: journals)
    try done.tearDown(name)
    let paths = plan.steps.filter { $0.operation.call?.isEffect == true }.map(\.operation.path)
    for path in TestScale.some(of: paths, oneIn: 13, offset: name.utf8.count) {
      for call in [.read, .list, .describe] as [SimulatedKernel.Operation] {
        let machine = SimulatedMachine(kernel: start.kernel.copy(), journals: journals)
        machine.kernel.inject(.init(call, at: path, action: .errno(.ioError), count: nil))
        let error = machine.failure { (machine) throws(ProvisioningError) in
          try machine.tearDown(name)
        }
        machine.kernel.removeFaults()
        if let error {
          // Nothing was begun, or the rest is known.
          #expect(
            error.kind == .rollbackIncomplete || machine.state() == start.state(),
            "\(path): \(error)")
          try machine.tearDown(name)
        }
        #expect(machine.state() == done.state(), "\(call) \(path): leftovers")
        #expect(machine.journal(name) == nil, "\(call) \(path)")
        #expect(machine.kernel.crashes.isEmpty, "\(call) \(path)")
      }
    }
  }
}
