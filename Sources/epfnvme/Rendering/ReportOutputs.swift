// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Checks
internal import ConfigFS
internal import Glibc
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// Where the reports of a run go: one format to each output, all from the same results.
struct ReportOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "ktap, tap, junit, lava, json or html; may be given several times, each with its own --output.",
      valueName: "format"), completion: .list(ReportFormat.allCases.map(\.rawValue)),
    transform: Self.format)
  var format: [ReportFormat] = []
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file of the format at the same place in the line; - is standard output.",
      valueName: "path"), completion: .file())
  var output: [String] = []

  private static func format(_ text: String) throws -> ReportFormat {
    guard let format = ReportFormat(rawValue: text) else {
      throw ValidationError(
        "there is no format \"\(text)\"; there are "
          + ReportFormat.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return format
  }

  func validate() throws {
    let formats = max(format.count, 1)
    guard output.count == formats || output.isEmpty && formats == 1 else {
      throw ValidationError(
        "--format is given \(format.count) times and --output \(output.count) times: give each format its output (- is standard output)."
      )
    }
    guard output.count(where: { $0 == "-" }) <= 1 else {
      throw ValidationError("Only one report can go to standard output.")
    }
    guard Set(output).count == output.count else {
      throw ValidationError("Two reports cannot go to one file.")
    }
  }

  /// - Throws: ``ProvisioningError`` when a file cannot be written.
  func open(json: Bool) throws(ProvisioningError) -> ReportOutputs {
    let formats = format.isEmpty ? [json ? .json : .ktap] : format
    let paths = output.isEmpty ? ["-"] : output
    var outputs: [ReportOutput] = []
    for (format, path) in zip(formats, paths) { outputs.append(try ReportOutput(format, path)) }
    return ReportOutputs(outputs)
  }
}

/// One report while it is being written.
final class ReportOutput {
  private let format: ReportFormat
  private var writer: any ReportWriter
  private let descriptor: FileDescriptor
  private let path: String
  /// `lava-test-case`, where a LAVA job has it: the console is then LAVA's own business.
  private let program: String?
  private(set) var failure: ProvisioningError?

  init(_ format: ReportFormat, _ path: String) throws(ProvisioningError) {
    self.format = format
    self.path = path
    writer = format.writer()
    program = format == .lava && path == "-" ? ChildProcess.path(of: "lava-test-case") : nil
    guard path != "-" else {
      descriptor = .standardOutput
      return
    }
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      let errno = error as? Errno
      throw ProvisioningError(
        .cannotCreate, "cannot write the report \(path): \(errno?.nameAndText ?? "\(error)")",
        operation: "create", path: path, errno: errno,
        hint: "name a file in a directory that you can write to")
    }
  }

  var usesStandardOutput: Bool { path == "-" }

  func begin(_ report: TestReport, count: Int) { put(writer.begin(report, count: count)) }
  func note(_ text: String) { put(writer.note(text)) }

  func result(_ result: TestReport.Result) {
    let text = writer.result(result)
    if program != nil { call(LAVAWriter.arguments(result)) } else { put(text) }
  }

  func end(_ report: TestReport) {
    let text = writer.end(report)
    if program != nil {
      for measurement in report.measurements { call(LAVAWriter.arguments(measurement)) }
    } else {
      put(text)
    }
    if path != "-" { try? descriptor.close() }
  }

  private func put(_ text: String) {
    guard !text.isEmpty, failure == nil else { return }
    do { _ = try descriptor.writeAll(text.utf8) } catch {
      let errno = error as? Errno
      failure = ProvisioningError(
        .cannotCreate, "cannot write the report \(path): \(errno?.nameAndText ?? "\(error)")",
        operation: "write", path: path, errno: errno)
    }
  }

  private func call(_ arguments: [String]) {
    guard let program else { return }
    var child = ChildProcess([program] + arguments)
    child.environment = ChildProcess.ownEnvironment
    child.limit = .seconds(30)
    let ending = try? child.run()
    if ending?.status != 0, failure == nil {
      failure = ProvisioningError(
        .cannotCreate,
        "\(program) \(arguments.joined(separator: " ")) failed: \(ending?.output ?? "not started")",
        operation: "report", path: program)
    }
  }
}

/// All reports of a run.
struct ReportOutputs {
  private let outputs: [ReportOutput]
  init(_ outputs: [ReportOutput]) { self.outputs = outputs }

  var usesStandardOutput: Bool { outputs.contains(where: \.usesStandardOutput) }
  func begin(_ report: TestReport, count: Int) {
    for item in outputs { item.begin(report, count: count) }
  }
  func note(_ text: String) { for item in outputs { item.note(text) } }
  func result(_ result: TestReport.Result) { for item in outputs { item.result(result) } }

  /// - Throws: ``ProvisioningError`` when a report could not be written in full.
  func end(_ report: TestReport) throws(ProvisioningError) {
    for item in outputs { item.end(report) }
    if let failure = outputs.lazy.compactMap(\.failure).first { throw failure }
  }
}
