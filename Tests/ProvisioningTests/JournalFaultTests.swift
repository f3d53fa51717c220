// SPDX-License-Identifier: Apache-2.0
import LibC
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Journals that a crash tore, and a run directory without room for them, at every byte.
@Suite struct JournalFaultTests {
  @Test(
    "a journal that a crash cut off in its last line is undone by the next teardown",
    arguments: ShippedProfile.all)
  func torn(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let name = located.profile.name
    let start = shipped.fresh()
    let plan = try start.provisioner.plan(located)
    let files = plan.createdFiles
    let kernel = start.kernel.copy()
    let crash = CrashPoints(kernel)
    let machine = SimulatedMachine(kernel: kernel, wrap: crash.watching)
    crash.readJournal { [weak machine] in machine?.journal(name) }
    try machine.setUp(located)
    // Before an effect its announcement has just been written: torn, it has not begun.
    let points = crash.points.filter { $0.description.hasSuffix("before") && $0.journal != nil }
    let cuts = points.flatMap { point -> [(CrashPoints.Point, Int)] in
      let text = point.journal ?? ""
      let last = text.dropLast().lastIndex(of: "\n").map { text[$0...].utf8.count - 1 } ?? 0
      return (1...max(1, last)).map { (point, $0) }
    }
    var cases = 0
    for (point, cut) in TestScale.some(of: cuts, oneIn: 199, full: 23, offset: cuts.count) {
      let text = String(decoding: Array((point.journal ?? "").utf8.dropLast(cut)), as: UTF8.self)
      let label: Comment = "\(point.description), \(cut) bytes short"
      let torn = SimulatedMachine(kernel: point.kernel.copy(), journals: [name: text])
      let modules = SimulatedMachine(kernel: start.kernel.copy())
      try modules.load(like: torn, of: plan.steps)
      try torn.tearDown(name)
      #expect(torn.state(files: files) == modules.state(files: files), label)
      #expect(torn.journal(name) == nil, label)
      #expect(torn.kernel.crashes.isEmpty, label)
      cases += 1
    }
    print("torn journals: \(shipped): \(cases) cases")
    #expect(cases > 0)
  }

  @Test(
    "with room for any number of bytes in the run directory, setup does everything or nothing, and teardown everything, or the next one the rest",
    arguments: ShippedProfile.all)
  func full(_ shipped: ShippedProfile) async throws {
    let step = TestScale.isCampaign ? 5 : TestScale.isFull ? 97 : 3_989
    // The limit is that of a process.
    await #expect(processExitsWith: .success) {
      [
        name = shipped.name as String, release = shipped.kernelRelease.rawValue as String,
        step = step as Int
      ] in
      let shipped = ShippedProfile(
        name: name, kernelRelease: try #require(.init(rawValue: release)))
      try FullRunDirectory(shipped).run(oneIn: step)
    }
    let cases = Array(try FullRunDirectory(shipped).rooms(oneIn: step)).count
    print("full run directory: \(shipped): \(2 * cases) cases")
  }
}

/// Runs with a limit of the size of files, which a full file system looks like: a write is cut short, and the next one fails.
private struct FullRunDirectory {
  private let located: Profile.Located
  private let start: SimulatedKernel
  private let standing: SimulatedKernel
  private let journal: String
  private let complete: [String]
  private let gone: [String]
  private let plan: Plan
  private var files: [String] { plan.createdFiles }
  private var name: String { located.profile.name }

  init(_ shipped: ShippedProfile) throws {
    located = try shipped.located()
    let machine = shipped.fresh()
    start = machine.kernel.copy()
    plan = try machine.provisioner.plan(located)
    try machine.setUp(located)
    journal = try #require(machine.journal(located.profile.name))
    standing = machine.kernel.copy()
    complete = machine.state(files: plan.createdFiles)
    try machine.tearDown(located.profile.name)
    gone = machine.state()
  }

  /// The sizes of files. During a run the journal also has announcements, which are not shorter than the entries of the finished one.
  func rooms(oneIn step: Int) -> StrideTo<Int> {
    stride(from: 0, to: 2 * journal.utf8.count + 512, by: step)
  }

  func run(oneIn step: Int) throws {
    signal(SIGXFSZ, SIG_IGN)
    for room in rooms(oneIn: step) {
      try setUp(room)
      try tearDown(room)
    }
  }

  private func limited<Failure: Error>(
    to bytes: Int, _ body: () throws(Failure) -> Void
  ) throws(Failure) {
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    let before = limit
    limit.rlim_cur = rlim_t(bytes)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    defer {
      var before = before
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
    }
    try body()
  }

  private func setUp(_ room: Int) throws {
    let machine = SimulatedMachine(kernel: start.copy())
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try limited(to: room) { () throws(ProvisioningError) in try machine.setUp(located) }
    }
    let label: Comment = "setup with room for \(room) bytes: \(String(describing: error))"
    #expect(machine.kernel.crashes.isEmpty, label)
    guard let error else {
      #expect(machine.state(files: files) == complete, label)
      return
    }
    #expect(error.kind == .cannotCreate, label)
    let modules = SimulatedMachine(kernel: start.copy())
    try modules.load(like: machine, of: plan.steps)
    #expect(machine.state(files: files) == modules.state(files: files), label)
    #expect(machine.journal(name) == nil, label)
  }

  private func tearDown(_ room: Int) throws {
    let machine = SimulatedMachine(kernel: standing.copy(), journals: [name: journal])
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try limited(to: room) { () throws(ProvisioningError) in try machine.tearDown(name) }
    }
    let label: Comment = "teardown with room for \(room) bytes: \(String(describing: error))"
    if error != nil {
      let next = machine.failure { (machine) throws(ProvisioningError) in
        try machine.tearDown(name)
      }
      #expect(next == nil, label)
    }
    #expect(machine.state() == gone, label)
    #expect(machine.journal(name) == nil, label)
    #expect(machine.kernel.crashes.isEmpty, label)
  }
}
