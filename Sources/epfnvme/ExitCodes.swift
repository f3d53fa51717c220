// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

/// The meanings of the exit codes, for the help and the manual. An error's code is ``ProvisioningError/exitCode``.
enum ExitCodes {
  static let table: [(code: String, meaning: String)] = [
    ("0", "done, or nothing to do"),
    (
      "1",
      "`check` or `diff` found a difference, `doctor` an error, a case of `smoke` failed, or the emulated controller failed"
    ),
    ("4", "`check --host` could not inspect anything, or `smoke` had to skip everything"),
    (
      "64",
      "usage error; also a change that would disrupt a host or a user of a disk, without `--force`"
    ),
    ("65", "the profile is malformed"),
    ("66", "an input, or a disk on the bus, is missing"),
    ("69", "the kernel lacks support"),
    ("70", "internal error (please report)"),
    ("73", "a result, a report or the journal cannot be written"),
    ("74", "an operation failed; everything is rolled back"),
    ("75", "timed out, or another epfnvme is running"),
    (
      "76",
      "an operation failed, or a second signal arrived, and the rollback or teardown is incomplete; leftovers are listed"
    ),
    ("77", "needs privileges"),
    ("78", "the profile is valid but impossible on this machine"),
    (
      "129, 130, 143",
      "SIGHUP, SIGINT or SIGTERM arrived; `setup` was rolled back completely, `teardown` was finished completely, or neither had begun (`monitor`, `serve`, `link` and `status --watch` end normally, with 0)"
    ),
  ]

  /// The table for the help: the help's own wrapping would begin the second line of a meaning in the first column.
  static var helpText: String {
    table.map { row in
      var lines = ["  \(row.code):"]
      for word in row.meaning.split(separator: " ") {
        // The help breaks a line of 80 columns, too.
        if lines[lines.count - 1].count + 1 + word.count > 79 {
          lines.append("     ")
        }
        lines[lines.count - 1] += " \(word)"
      }
      return lines.joined(separator: "\n")
    }.joined(separator: "\n")
  }
}

extension ProvisioningError {
  /// The exit code that scripts can rely on.
  var exitCode: CInt {
    switch kind {
    case .disruptive: 64
    case .malformedProfile: 65
    case .inputMissing: 66
    case .unsupported: 69
    case .internal: 70
    case .different: 1
    case .cannotCreate: 73
    case .operationFailed: 74
    case .timedOut: 75
    case .rollbackIncomplete: 76
    case .needsPrivileges: 77
    case .impossible: 78
    case .interrupted: 128 + (signal ?? 2)
    }
  }
}

/// The end of a command that has already printed its messages.
struct Ending: Error {
  var code: CInt
}
