// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import KernelEvents
package import HostTools
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// The host's part of a two-sided run.
extension HostSide {
  /// The test of the disk's data.
  package struct DataTest: Sendable {
    /// Whether a disk that may hold data is written to.
    package var isDestructive: Bool
    /// Bytes that are written to each namespace.
    package var mebibytes: UInt64

    package init(isDestructive: Bool, mebibytes: UInt64) {
      self.isDestructive = isDestructive
      self.mebibytes = mebibytes
    }
  }

  /// Runs all cases of the host once.
  /// - Parameters:
  ///   - limit: how long to wait for the disk.
  ///   - staysUp: whether the board stays up afterwards; otherwise the disk is removed from the bus, before the board goes away.
  package func smoke(
    within limit: Duration, _ test: DataTest, staysUp: Bool = false
  ) -> [TestReport.Result] {
    let log = LiveKernelLog()
    let mark = log.mark()
    var run = HostRun()
    run.refresh(self)
    if let device = run.find(self, within: limit) {
      run.compare(self)
      run.verifyData(on: device, self, test)
      run.fio(on: device, test)
      // The kernel's messages about a device that is gone are not those of a test. A disk that differs may be another board's.
      if !staysUp, run.passed(.asPredicted) { try? device.remove(force: false) }
    }
    run.kernel(log, mark)
    return run.results
  }

  /// Whether the data on the disk can be lost: every namespace uses the memory of a null_blk device.
  fileprivate var isScratch: Bool {
    let names = located.profile.subsystems.flatMap { $0.namespaces.map(\.backing) }
    return !names.isEmpty
      && names.allSatisfy { name in
        if case .nullBlock(let device)? = located.profile.backing(named: name)?.store {
          device.memoryBacked == true
        } else {
          false
        }
      }
  }

  /// Whether nothing can be read back: null_blk without memory.
  fileprivate var forgets: Bool {
    located.profile.backings.contains { backing in
      if case .nullBlock(let device) = backing.store { device.memoryBacked != true } else { false }
    }
  }
}

/// The cases of one run on the host.
private struct HostRun {
  private(set) var results: [TestReport.Result] = []
  /// The actions before the search for the disk.
  private var preparation: [String] = []

  func passed(_ item: HostSmokeCase) -> Bool {
    results.contains { $0.id == item.rawValue && $0.outcome == .passed }
  }

  private mutating func add(
    _ item: HostSmokeCase, _ outcome: TestReport.Outcome, _ details: [String] = [],
    since start: ContinuousClock.Instant? = nil
  ) {
    var result = TestReport.Result(id: item.rawValue, meaning: item.meaning, outcome: outcome)
    result.details = details
    if let start { result.duration = .now - start }
    results.append(result)
  }

  /// Removes a disk that was there before and rescans the bus: the board was started again since, and the host keeps a stale configuration.
  mutating func refresh(_ side: HostSide) {
    guard let device = try? side.device() else { return }
    do throws(HostViewError) {
      try device.remove(force: false)
      try side.bus.rescan()
      preparation = ["\(device.name) was removed from the bus and found again by a rescan"]
    } catch {
      preparation = ["\(device.name) was not removed before: \(ProvisioningError(error).message)"]
    }
  }

  /// The disk, once the driver has bound it; rescans the bus for a host that booted before the board.
  mutating func find(_ side: HostSide, within limit: Duration) -> BusDevice? {
    let start = ContinuousClock.now
    var isRescanned = false
    var reason = ""
    while true {
      do {
        let device = try side.device()
        if device.isUsable {
          add(.found, .passed, [device.name] + preparation, since: start)
          return device
        }
        reason =
          "\(device.name) has \(device.driver.map { "the driver \($0)" } ?? "no driver") and no disk yet"
      } catch {
        reason = error.message
        if !isRescanned {
          isRescanned = true
          // One who may not rescan waits all the same.
          try? side.bus.rescan()
        }
      }
      guard ContinuousClock.now - start < limit, Signals.caught == nil else { break }
      usleep(100_000)
    }
    add(.found, .timedOut("within \(limit): \(reason)"), since: start)
    for item in [HostSmokeCase.asPredicted, .data, .fio] {
      add(item, .skipped("the disk was not found"))
    }
    return nil
  }

  mutating func compare(_ side: HostSide) {
    let start = ContinuousClock.now
    do {
      let check = try side.check(withLockstep: false)
      let wrong = check.failures.map {
        "\($0.id): \($0.actual.map { "\"\($0)\"" } ?? "missing"), should be \"\($0.expected)\""
      }
      add(
        .asPredicted,
        wrong.isEmpty ? .passed : .failed("\(wrong.count) of \(check.cases.count) values differ"),
        wrong.isEmpty ? ["\(check.cases.count) values"] : wrong, since: start)
    } catch { add(.asPredicted, .failed(error.message), since: start) }
  }

  /// The reason not to write to the disk; nil if writing is allowed.
  private func obstacle(_ side: HostSide?, _ test: HostSide.DataTest) -> String? {
    guard passed(.asPredicted) else {
      return "not written to: the identity of the disk is not confirmed"
    }
    guard let side else { return nil }
    if side.forgets { return "null_blk without memoryBacked keeps no data" }
    return side.isScratch || test.isDestructive
      ? nil : "not written to: the disk may hold data (--destructive on the host)"
  }

  mutating func verifyData(on device: BusDevice, _ side: HostSide, _ test: HostSide.DataTest) {
    if let obstacle = obstacle(side, test) { return add(.data, .skipped(obstacle)) }
    let start = ContinuousClock.now
    var details: [String] = []
    var count = 0
    var random = SystemRandomNumberGenerator()
    for disk in device.disks {
      let verifier = DataVerifier(disk, seed: random.next(), budget: test.mebibytes << 20)
      do throws(DataVerifier.Failure) {
        let outcome = try verifier.run { Signals.caught != nil }
        count += outcome.differenceCount
        let write = Int(DataVerifier.Outcome.rate(outcome.bytes, outcome.writing))
        let read = Int(DataVerifier.Outcome.rate(outcome.bytes, outcome.reading))
        details.append("\(disk): \(outcome.bytes) bytes, \(write) MB/s written, \(read) MB/s read")
        details += outcome.differences.map { "\(disk): \($0)" }
      } catch { return add(.data, .failed("\(error)"), details, since: start) }
    }
    add(
      .data, count == 0 ? .passed : .failed("\(count) blocks of 512 bytes differ"), details,
      since: start)
  }

  mutating func fio(on device: BusDevice, _ test: HostSide.DataTest) {
    guard passed(.data) else { return add(.fio, .skipped("requires that the data case passed")) }
    guard let program = ChildProcess.path(of: "fio") else {
      return add(.fio, .skipped("fio is not installed"))
    }
    let start = ContinuousClock.now
    for disk in device.disks {
      var child = ChildProcess([
        program, "--name=epfnvme", "--filename=\(disk)", "--rw=randrw", "--bsrange=4k-128k",
        "--direct=1", "--iodepth=16", "--size=\(test.mebibytes)m", "--verify=crc32c",
        "--verify_fatal=1", "--do_verify=1",
      ])
      child.limit = .seconds(600)
      child.isUnwanted = { Signals.caught != nil }
      let ending = try? child.run()
      guard let ending, ending.status == 0 else {
        let lines = ending?.output.split(separator: "\n").suffix(20).map(String.init) ?? []
        return add(
          .fio,
          ending?.ranOutOfTime == true
            ? .timedOut("\(disk): fio did not end within 600 s")
            : .failed("\(disk): fio ended with \(ending?.status ?? -1)"), lines, since: start)
      }
    }
    add(.fio, .passed, since: start)
  }

  mutating func kernel(_ log: LiveKernelLog, _ mark: KernelLogMark?) {
    guard let mark else {
      return add(.noKernelErrors, .skipped("this process cannot read the kernel log"))
    }
    let errors = log.lines(since: mark).filter { $0.level <= 3 && $0.text.contains("nvme") }
    add(
      .noKernelErrors,
      errors.isEmpty ? .passed : .failed("\(errors.count) lines: \(errors[0].text)"),
      errors.map(\.text))
  }
}
