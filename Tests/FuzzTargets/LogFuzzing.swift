// SPDX-License-Identifier: Apache-2.0
internal import BoardTests
internal import Doctor
internal import EndpointProvisioning
internal import KernelEvents
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage
internal import TestSupport

/// Kernel logs: a saved one of a host, and the records of a board.
enum LogFuzzing {
  static func host(_ bytes: [UInt8]) throws {
    let diagnosis = HostDoctor.examine(savedLog: bytes, name: "input")
    _ = diagnosis.json.compactText
    let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
    for finding in diagnosis.findings {
      for evidence in finding.evidence {
        guard let number = evidence.path.split(separator: ":").last.flatMap({ Int($0) }) else {
          continue
        }
        try FuzzViolation.unless(
          (1...lines).contains(number), "evidence in line \(number) of \(lines)")
      }
    }
  }

  /// Records of `/dev/kmsg`, a line feed after each, as a board's log.
  static func board(_ bytes: [UInt8]) throws {
    var window = KernelLogWindow(capacity: 64)
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      if let record = KernelLogRecord(parsing: String(decoding: line, as: UTF8.self)) {
        window.append(record)
      }
    }
    let lines = window.lines(from: 0)
    for prepared in try boards.get() {
      let cases = BoardLog.cases(
        expected: prepared.log, lines: lines.map(\.text), driver: prepared.driver,
        nqns: prepared.nqns)
      let same = BoardLog.cases(
        expected: prepared.log, lines: prepared.log, driver: prepared.driver, nqns: prepared.nqns)
      try FuzzViolation.unless(cases.map(\.id) == same.map(\.id), "other cases")
      var machine = Machine.simulated(prepared.kernel)
      machine.log = FixedLog(lines: lines)
      let doctor = MachineDoctor(
        Provisioner(machine, run: RunDirectory("/dev/shm/epfnvme-none")),
        files: prepared.kernel.systemFiles)
      _ = doctor.examine().json.compactText
    }
  }

  private struct FixedLog: KernelLog {
    var lines: [KernelLogLine]
    func mark() -> KernelLogMark? { KernelLogMark(sequence: 0) }
    func lines(moving mark: inout KernelLogMark) -> [KernelLogLine] { lines }
    func allLines() -> [KernelLogLine]? { lines }
  }

  /// A board with a bound function of each driver.
  private struct Board: Sendable {
    var kernel: SimulatedKernel
    var log: [String]
    var driver: String
    var nqns: [String]
  }

  private static let boards = Result { () throws -> [Board] in
    try [
      ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2),
      ShippedProfile(name: "null_blk-loop", kernelRelease: .linux6_12),
    ].map { shipped in
      let located = try shipped.located()
      let machine = shipped.fresh()
      try machine.setUp(located)
      return Board(
        kernel: machine.kernel, log: machine.kernel.allLines()?.map(\.text) ?? [],
        driver: shipped.kernelRelease.functionDriver,
        nqns: located.profile.identified(on: machine.kernel.facts.machineID).functions.map(
          \.target.nqn))
    }
  }

  static func boardSeeds() throws -> [[UInt8]] {
    try boards.get().map { board in
      let records = board.log.enumerated().map { number, text in
        "\(number % 2 == 0 ? 6 : 3),\(number),\(1000 * number),-;\(text)\n"
      }
      return Array(records.joined().utf8)
    } + [
      Array(
        "12,1,2,+,caller=T1;text\\x0a\\x5c\n SUBSYSTEM=pci\n6,2,3,+;more\n6,18446744073709551615,3,-;end\n"
          .utf8)
    ]
  }

  static let hostSeeds: [[UInt8]] = [
    """
    [    0.000000] Linux version 7.2.13 (a@b) #1 SMP
    [    0.300000] iommu: Default domain type: Translated
    [    1.000000] pci 0000:01:00.0: [15b7:5fff] type 00 class 0x010802 PCIe Endpoint
    [    2.000000] nvme nvme0: pci function 0000:01:00.0
    [    2.100000] nvme 0000:01:00.0: enabling device (0000 -> 0002)
    [   62.000000] nvme nvme0: I/O tag 12 (100c) QID 0 timeout, disable controller
    [   63.000000] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0
    [   64.000000] nvme nvme0: Identify Controller failed (-4)
    [   65.000000] pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error message received from 0000:01:00.0
    [   66.000000] DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0xfffff000 [fault reason 0x06] PTE Read access is not set
    """,
    "<6>[   12.345678][    T1] nvme nvme1: 4/0/0 default/read/poll queues\r\n",
    "Nov 30 16:14:30 board kernel: block nvme1n1: the capability attribute has been deprecated.\n",
    "kern  :err   : [Mon Nov 30 16:14:30 2026] nvme nvme0: controller is down; will reset: CSTS=0xffffffff\n",
    "\u{1b}[32m[   1.0] \u{1b}[0mnvme nvme0: Removing after probe failure status: -19\n",
    "2026-11-30T16:14:30+00:00 host kernel: pci 0000:01:00.0: BAR 0 [mem size 0x4000 64bit]: failed to assign\n",
  ].map { Array($0.utf8) }
}
