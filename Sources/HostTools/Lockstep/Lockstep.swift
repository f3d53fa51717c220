// SPDX-License-Identifier: Apache-2.0
package import NVMe
internal import Numbers
package import Provisioning

/// Access to registers, and waiting.
package protocol RegisterDrive: AnyObject {
  func read(_ register: Register) -> UInt32
  func write(_ register: Register, _ value: UInt32)
  /// Waits for a part of a millisecond.
  func pause()
  /// Milliseconds since some moment.
  var milliseconds: UInt64 { get }
}

/// Applies the same stimuli to a real controller and to its emulation: enable, disable and shutdown by CC; compares the changes of CSTS.
///
/// No doorbell is rung, so that neither side touches memory.
package struct Lockstep {
  /// One value for CC.
  package struct Step: Hashable, Sendable {
    package var name: String
    package var configuration: UInt32
    package var meaning: String
  }

  /// The steps, in order.
  /// - Source: NVM Express Base 2.1, 3.5 and 3.6; the sequences that hosts and firmware are known for.
  package static let steps: [Step] = [
    Step(name: "reset", configuration: 0, meaning: "EN = 0 clears RDY"),
    Step(name: "enable", configuration: 0x0046_0001, meaning: "EN = 1 sets RDY"),
    Step(name: "disable", configuration: 0x0046_0000, meaning: "EN = 0 clears RDY"),
    Step(name: "enable-again", configuration: 0x0046_0001, meaning: "same as the first time"),
    Step(
      name: "normal-shutdown", configuration: 0x0046_4001, meaning: "SHN = 01b ends with SHST = 10b"
    ),
    Step(
      name: "reset-after-shutdown", configuration: 0, meaning: "SHST after a reset"),
    Step(
      name: "enable-after-shutdown", configuration: 0x0046_0001,
      meaning: "a controller that was shut down can be enabled again"),
    Step(
      name: "abrupt-shutdown", configuration: 0x0046_8001, meaning: "SHN = 10b ends with SHST = 10b"
    ),
    Step(name: "reset-after-abrupt", configuration: 0, meaning: "SHST after a reset"),
    Step(
      name: "shutdown-while-disabled", configuration: 0x0000_4000,
      meaning: "SHN without EN: there is nothing to shut down"),
    Step(name: "clear-notification", configuration: 0, meaning: "SHN = 00b"),
    Step(
      name: "enable-with-small-entries", configuration: 0x0000_0001,
      meaning: "IOSQES and IOCQES of 0: whether it becomes ready"),
    Step(name: "reset-at-the-end", configuration: 0, meaning: "same as the first time"),
  ]

  /// The changes of CSTS after a step.
  struct Course: Hashable {
    /// The values one after the other, the one before the step first.
    var values: [UInt32]
    /// Milliseconds until the last change.
    var duration: UInt64

    var text: String {
      values.map { hexadecimal($0) }.joined(separator: " -> ")
    }
  }

  /// The time for which a controller is observed after its last expected change, in milliseconds.
  private static let watch: UInt64 = 100

  private let disk: any RegisterDrive
  private let emulation: any RegisterDrive

  /// Plays all steps on both sides.
  /// - Parameters:
  /// - shutdownLimit: RTD3E, milliseconds; 0 if it is not reported.
  /// - isInterrupted: called before each step; if true, the remaining steps are omitted.
  package static func run(
    _ disk: any RegisterDrive, against emulation: any RegisterDrive, name: String,
    shutdownLimit: UInt64, isInterrupted: () -> Bool = { false }
  ) -> [Check.Case] {
    let run = Lockstep(disk: disk, emulation: emulation)
    for drive in [disk, emulation] {
      // Queues of the minimum size, at a page that is never read: no command is submitted.
      drive.write(.configuration, 0)
      run.settle(drive)
      drive.write(.adminQueueAttributes, 0x001f_001f)
      drive.write(.adminSubmissionQueue, 0x0001_0000)
      drive.write(Register(rawValue: 0x2c), 0)
      drive.write(.adminCompletionQueue, 0x0001_1000)
      drive.write(Register(rawValue: 0x34), 0)
    }
    let timeout = UInt64(disk.read(.capabilities) >> 24) * 500
    var cases: [Check.Case] = []
    for step in steps {
      if isInterrupted() { break }
      let expected = run.play(step, on: emulation, until: nil, limit: 1000)
      let isShutdown = step.configuration & 0xc000 != 0
      // Linux waits 5 s for a shutdown if the controller does not report RTD3E.
      let limit = max(isShutdown ? (shutdownLimit > 0 ? shutdownLimit : 5000) : timeout, 500)
      let actual = run.play(
        step, on: disk, until: expected.values.last, limit: expected.values.count > 1 ? limit : 0)
      let isSame = actual.values == expected.values && actual.duration <= limit
      cases.append(
        Check.Case(
          id: "lockstep \(step.name)", path: name,
          actual: "\(actual.text) in \(actual.duration) ms",
          expected: "\(expected.text) within \(limit) ms", outcome: isSame ? .passed : .failed,
          meaning: "\(step.meaning); CC <- \(hexadecimal(step.configuration))"))
    }
    return cases
  }

  /// Writes CC and follows CSTS.
  /// - Parameters:
  ///   - last: the value that is waited for; without one, all of the time.
  ///   - limit: milliseconds for it.
  private func play(
    _ step: Step, on drive: any RegisterDrive, until last: UInt32?, limit: UInt64
  ) -> Course {
    var course = Course(values: [drive.read(.status)], duration: 0)
    let start = drive.milliseconds
    drive.write(.configuration, step.configuration)
    var end = start + max(limit, Self.watch)
    while drive.milliseconds < end {
      let value = drive.read(.status)
      // A shutdown in progress (SHST = 01b) may or may not be observed.
      if value != course.values.last, value >> 2 & 3 != 1 || value == .max {
        course.values.append(value)
        course.duration = drive.milliseconds - start
        if value == last { end = min(end, drive.milliseconds + Self.watch) }
      }
      drive.pause()
    }
    return course
  }

  /// Waits until the controller has settled.
  private func settle(_ drive: any RegisterDrive) {
    let end = drive.milliseconds + UInt64(drive.read(.capabilities) >> 24) * 500
    while drive.read(.status) & 1 != 0, drive.milliseconds < end { drive.pause() }
    let rest = drive.milliseconds + Self.watch
    while drive.milliseconds < rest { drive.pause() }
  }
}
