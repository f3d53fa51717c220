// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import Provisioning
internal import SystemPackage

/// A failure as printed with `--json`: the keys are the same for all failures.
struct Failure {
  private let error: ProvisioningError
  private let code: CInt
  private let kind: String
  private var issues: [ProfileIssue]?

  init(_ error: ProvisioningError) {
    self.error = error
    code = error.exitCode
    kind = error.kind.rawValue
  }

  /// A malformed profile: its first error, and all of them as `issues`.
  init(_ located: LocatedIssues) {
    let first = located.issues.issues.first { $0.severity == .error }
    self.init(
      ProvisioningError(
        .malformedProfile, first?.text(file: located.file) ?? "malformed profile",
        operation: "validate", path: located.file, hint: first?.hint))
    issues = located.issues.issues
  }

  /// A command line that cannot be understood.
  init(usage message: String, hint: String? = nil) {
    error = ProvisioningError(.internal, message, operation: "parse", hint: hint)
    code = EX_USAGE
    kind = "usage"
  }

  /// The value of `error`.
  var value: JSONValue {
    var members: [JSONValue.Member] = [
      .init("code", JSONValue(code)), .init("kind", .string(kind)),
      .init("operation", JSONValue(error.operation)), .init("path", JSONValue(error.path)),
      .init("value", JSONValue(error.value)), .init("errno", JSONValue(error.errno?.name)),
      .init("message", .string(error.message)), .init("hint", JSONValue(error.hint)),
      .init("kernelLog", .array(error.kernelLog.map { .string($0) })),
      .init("leftovers", .array(error.leftovers.map { .string($0) })),
    ]
    if let issues { members.append(.init("issues", .array(issues.map(\.json)))) }
    return .object(members)
  }

  var json: JSONValue { ["error": value] }
}
