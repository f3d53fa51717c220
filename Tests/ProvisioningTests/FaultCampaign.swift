// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelEvents
import LibC
import Provisioning
import SimulatedKernel
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// The disturbance of one call of a run.
enum Disturbance: CustomStringConvertible {
  case errno(Errno)
  case signal(CInt)
  /// The clock jumps ahead, as after a suspension of the machine.
  case clockJump

  var description: String {
    switch self {
    case .errno(let errno): errno.name
    case .signal(let signal): Signals.name(of: signal)
    case .clockJump: "a clock jump"
    }
  }

  static let signals: [CInt] = [SIGINT, SIGTERM, SIGHUP]

  /// The disturbances that a call can meet: errnos that the kernel can return for objects in this state, which excludes that an object
  /// that is there is reported as missing.
  static func all(of operation: SimulatedKernel.Operation) -> [Disturbance] {
    let errnos: [Errno] =
      switch operation {
      case .read, .list, .connections: [.ioError, .permissionDenied, .noMemory]
      case .describe: [.ioError, .permissionDenied, .tooManySymbolicLinkLevels]
      case .write:
        [
          .resourceBusy, .invalidArgument, .ioError, .noSpace, .permissionDenied, .notPermitted,
          .noMemory, .noSuchFileOrDirectory, .operationNotSupportedByDevice, .interrupted,
          .addressInUse, .addressNotAvailable, .notSupported, .fileExists,
        ]
      case .create:
        [
          .fileExists, .invalidArgument, .noMemory, .noSuchFileOrDirectory, .permissionDenied,
          .fileNameTooLong, .operationNotSupportedByDevice, .noSpace, .interrupted,
        ]
      case .remove: [.resourceBusy, .permissionDenied, .notPermitted, .directoryNotEmpty, .ioError]
      case .link:
        [
          .resourceBusy, .fileExists, .invalidArgument, .noSuchFileOrDirectory, .noMemory,
          .notPermitted, .permissionDenied, .ioError, .interrupted, .noRouteToHost,
          .connectionRefused, .timedOut, .operationNotSupportedByDevice,
        ]
      case .unlink: [.resourceBusy, .permissionDenied, .notPermitted, .ioError]
      case .load:
        [
          .noSuchFileOrDirectory, .execFormatError, .noMemory, .notPermitted, .invalidArgument,
          .operationNotSupportedByDevice, .ioError,
        ]
      case .unload: [.resourceBusy, .notPermitted, .resourceTemporarilyUnavailable]
      case .mount: [.notPermitted, .operationNotSupportedByDevice, .noMemory]
      case .createFile:
        [
          .noSpace, .diskQuotaExceeded, .readOnlyFileSystem, .permissionDenied, .ioError,
          .fileTooLarge, .fileExists, .interrupted,
        ]
      case .removeFile: [.permissionDenied, .readOnlyFileSystem, .resourceBusy, .ioError]
      case .attachLoop:
        [
          .resourceBusy, .noSuchAddressOrDevice, .noMemory, .permissionDenied, .invalidArgument,
          .operationNotSupportedByDevice,
        ]
      case .detachLoop: [.resourceBusy, .permissionDenied, .ioError]
      case .disconnect: [.permissionDenied, .ioError, .interrupted, .noMemory]
      }
    return errnos.map { .errno($0) } + signals.map { .signal($0) } + [.clockJump]
  }
}

/// A run, `setup` or `teardown` of a profile, which is disturbed at one of its calls.
struct FaultCampaign {
  enum Phase: String, CaseIterable, Sendable { case setup, teardown }

  let phase: Phase
  let located: Profile.Located
  let plan: Plan
  /// The machine before the run, with the journal.
  private let start: SimulatedKernel
  private let journals: [String: String]
  /// The calls of an undisturbed run.
  private(set) var calls: [(operation: SimulatedKernel.Operation, path: String)] = []
  /// The state after it.
  private let complete: [String]
  private var name: String { located.profile.name }

  init(_ shipped: ShippedProfile, _ phase: Phase) throws {
    self.phase = phase
    located = try shipped.located()
    let machine = shipped.fresh()
    plan = try machine.provisioner.plan(located)
    if phase == .teardown {
      try machine.setUp(located)
      let name = located.profile.name
      journals = [name: try #require(machine.journal(name))]
    } else {
      journals = [:]
    }
    start = machine.kernel.copy()
    let list = CallList()
    let kernel = start.copy()
    let watch = CrashPoints(
      kernel, keepsPoints: false, beforeCall: { list.add($1, $2) })
    let whole = SimulatedMachine(kernel: kernel, journals: journals, wrap: watch.watching)
    try Self.run(phase, located, on: whole)
    calls = list.calls
    complete = Self.state(whole, plan.createdFiles)
    try #require(calls.count > 20)
  }

  private static func run(
    _ phase: Phase, _ located: Profile.Located, on machine: SimulatedMachine
  ) throws(ProvisioningError) {
    switch phase {
    case .setup: try machine.setUp(located)
    case .teardown: try machine.tearDown(located.profile.name)
    }
  }

  /// Runs with a disturbance at a call, numbered from 1, and checks what it has left.
  func disturb(call number: Int, _ disturbance: Disturbance) throws {
    let (operation, path) = calls[number - 1]
    let label: Comment =
      "\(phase), \(disturbance) at call \(number) of \(calls.count), \(operation) \(path)"
    let kernel = start.copy()
    let inbox = Signals.Inbox()
    let watch = CrashPoints(
      kernel, keepsPoints: false,
      beforeCall: { reached, operation, path in
        guard reached == number else { return }
        switch disturbance {
        case .errno(let errno): kernel.inject(.init(operation, at: path, action: .errno(errno)))
        case .signal(let signal): inbox.send(signal)
        case .clockJump: kernel.advance(by: .seconds(100_000))
        }
      })
    let machine = SimulatedMachine(kernel: kernel, journals: journals, wrap: watch.watching)
    let error = Signals.$inbox.withValue(inbox) {
      machine.failure { (machine) throws(ProvisioningError) in
        try Self.run(phase, located, on: machine)
      }
    }
    kernel.removeFaults()
    check(machine, error, label)
    try recover(machine, after: error, label)
  }

  /// Everything or nothing, or a list of exactly what is left.
  private func check(_ machine: SimulatedMachine, _ error: ProvisioningError?, _ label: Comment) {
    let state = Self.state(machine, plan.createdFiles)
    #expect(machine.kernel.crashes.isEmpty, label)
    guard let error else {
      #expect(state == complete, label)
      #expect((machine.journal(name) != nil) == (phase == .setup), label)
      return
    }
    #expect(error.kind != .internal, "\(label): \(error)")
    #expect(!error.message.isEmpty, label)
    let reference = untouched(like: machine)
    guard error.kind == .rollbackIncomplete else {
      #expect(state == reference, "\(label): \(error)")
      #expect((machine.journal(name) != nil) == (phase == .teardown), "\(label): \(error)")
      return
    }
    #expect(!error.leftovers.isEmpty, label)
    let goal = phase == .setup ? reference : complete
    let left = Set(state).symmetricDifference(goal)
    for line in left {
      #expect(
        error.leftovers.contains { Self.names($0, line) }, "\(label): \(line) is left, not listed")
    }
    for leftover in error.leftovers {
      #expect(
        left.contains { Self.names(leftover, $0) },
        "\(label): \(leftover) is listed, not left")
    }
  }

  /// The machine as the run found it, with the modules that a machine has.
  private func untouched(like machine: SimulatedMachine) -> [String] {
    let other = SimulatedMachine(kernel: start.copy())
    do { try other.load(like: machine, of: plan.steps) } catch { Issue.record(error) }
    return Self.state(other, plan.createdFiles)
  }

  /// The next runs work: a teardown removes what is left, and a setup has its whole result.
  private func recover(
    _ machine: SimulatedMachine, after error: ProvisioningError?, _ label: Comment
  ) throws {
    if machine.journal(name) != nil {
      let error = machine.failure { (machine) throws(ProvisioningError) in
        try machine.tearDown(name)
      }
      #expect(error == nil, "\(label): the next teardown: \(String(describing: error))")
    }
    let state = Self.state(machine, phase == .setup ? plan.createdFiles : [])
    let goal = phase == .setup ? untouched(like: machine) : complete.filter { !isFile($0) }
    // Data stay after a setup that was complete.
    if error != nil || phase == .teardown {
      #expect(state == goal, "\(label): leftovers after the next teardown")
    }
    #expect(machine.journal(name) == nil, "\(label): a journal after the next teardown")
    #expect(machine.kernel.crashes.isEmpty, label)
  }

  private func isFile(_ line: String) -> Bool { plan.createdFiles.contains(line) }

  /// The state of a machine, with its connections: `nqn = nvme0`.
  private static func state(_ machine: SimulatedMachine, _ files: [String]) -> [String] {
    let connections = (try? machine.kernel.connections()) ?? []
    return machine.state(files: files) + connections.map { "\($0.address.nqn) = \($0.name)" }
  }

  /// Whether a leftover names what a line of a state is about, `nvmet/ports/1 dir` or `/dev/loop0 = /srv/disk.img`: the object, a directory
  /// that it is in, or the file of a loop device.
  private static func names(_ leftover: String, _ line: String) -> Bool {
    guard let colon = leftover.firstRange(of: ": ") else { return false }
    let named = leftover[..<colon.lowerBound]
    let separator = [" -> ", " = ", " dir"].lazy.compactMap { line.firstRange(of: $0) }.first
    let path = separator.map { String(line[..<$0.lowerBound]) } ?? line
    let value = separator.map { line[$0.upperBound...] } ?? ""
    let full = path.hasPrefix("/") ? path : "/sys/kernel/config/" + path
    return named == full || named == path || full.hasPrefix(named + "/")
      || path.hasPrefix("/dev/loop") && named == value
  }
}

/// The calls of a run, in order.
private final class CallList: Sendable {
  private let entries = Mutex<[(operation: SimulatedKernel.Operation, path: String)]>([])
  func add(_ operation: SimulatedKernel.Operation, _ path: String) {
    entries.withLock { $0.append((operation, path)) }
  }
  var calls: [(operation: SimulatedKernel.Operation, path: String)] { entries.withLock { $0 } }
}
