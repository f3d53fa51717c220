// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BoardTests
internal import ConfigFS
internal import LibC
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// The outputs of a run's reports: one format to each output, all from the same results.
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
      "The output file of the format at the same position; - is standard output.",
      valueName: "path"), completion: .file())
  var output: [String] = []

  private static func format(_ text: String) throws -> ReportFormat {
    guard let format = ReportFormat(rawValue: text) else {
      throw ValidationError(
        "unknown format \"\(text)\"; the formats are "
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

  /// Opens every output before anything else is done.
  /// - Parameter subject: the subject of the report that states that the run has not ended.
  /// - Throws: ``ProvisioningError`` when a file cannot be written.
  func open(json: Bool, subject: String) throws(ProvisioningError) -> ReportOutputs {
    let formats = format.isEmpty ? [json ? .json : .ktap] : format
    let paths = output.isEmpty ? ["-"] : output
    var outputs: [ReportOutput] = []
    for (format, path) in zip(formats, paths) {
      do { outputs.append(try ReportOutput(format, path, subject)) } catch {
        let report = TestReport(suite: "smoke", subject: subject).withoutResults(because: error)
        try? ReportOutputs(outputs).end(without: report)
        throw error
      }
    }
    return ReportOutputs(outputs)
  }
}

/// One report while it is being written.
///
/// A format that grows with the run is written incrementally. For other formats, the file states from the start that the run has not ended,
/// in case the run is killed; the whole report replaces it at the end.
final class ReportOutput {
  private enum Place {
    case standardOutput
    case file(DocumentFile)
    /// `lava-test-case`, if the LAVA job provides it: LAVA then writes the console output.
    case program(String)
  }

  private var writer: any ReportWriter
  private let place: Place
  private let growsWithRun: Bool
  /// Of a format that grows.
  private var file: Descriptor?
  private var number: CInt?
  private(set) var failure: ProvisioningError?

  init(_ format: ReportFormat, _ path: String, _ subject: String) throws(ProvisioningError) {
    writer = format.writer()
    growsWithRun = format.growsWithRun
    guard !DocumentFile.isStandardOutput(path) else {
      let program = format == .lava ? ChildProcess.path(of: "lava-test-case") : nil
      place = program.map { Place.program($0) } ?? Place.standardOutput
      return
    }
    let document = DocumentFile(name: "the report", path: path, mode: 0o644)
    place = .file(document)
    if format.growsWithRun {
      let opened = try document.open()
      number = opened.number
      file = consume opened
    } else if try document.isRegular() {
      var whole = format.writer()
      let open = TestReport(suite: "smoke", subject: subject).withoutResults(
        "the run has not ended: it is still running, or was killed")
      try document.overwrite(whole.end(open))
    }
  }

  var usesStandardOutput: Bool {
    if case .file = place { false } else { true }
  }

  func begin(_ report: TestReport, count: Int) { put(writer.begin(report, count: count)) }
  func note(_ text: String) { put(writer.note(text)) }

  func result(_ result: TestReport.Result) {
    let text = writer.result(result)
    if case .program(let program) = place {
      call(program, LAVAWriter.arguments(result))
    } else {
      put(text)
    }
  }

  func end(_ report: TestReport) {
    let text = writer.end(report)
    do throws(ProvisioningError) {
      switch place {
      case .program(let program):
        for measurement in report.measurements {
          call(program, LAVAWriter.arguments(measurement))
        }
      case .file(let document) where !growsWithRun: try document.overwrite(text)
      case .standardOutput, .file: put(text)
      }
    } catch { failure = error }
    guard let file = file.take() else { return }
    do { try file.close() } catch { fail(error) }
  }

  private func put(_ text: String) {
    guard !text.isEmpty, failure == nil else { return }
    guard case .file = place else {
      _ = Output.emit(text, terminator: "")
      return
    }
    guard let number else { return }
    do { try StandardDescriptors.write(Array(text.utf8), to: number) } catch { fail(error) }
  }

  private func fail(_ error: Errno) {
    guard failure == nil, case .file(let document) = place else { return }
    failure = document.failure("write", error)
  }

  private func call(_ program: String, _ arguments: [String]) {
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
final class ReportOutputs {
  private let outputs: [ReportOutput]
  /// The initial contents of the reports.
  private var opening: (report: TestReport, count: Int)?
  /// Whether every report is complete.
  private(set) var hasEnded = false

  init(_ outputs: [ReportOutput]) { self.outputs = outputs }

  var usesStandardOutput: Bool { outputs.contains(where: \.usesStandardOutput) }

  /// - Parameter count: the number of results, unless the run cannot begin. Nothing is written before the first result.
  func begin(_ report: TestReport, count: Int) { opening = (report, count) }

  private func open() {
    guard let (report, count) = opening else { return }
    opening = nil
    for item in outputs { item.begin(report, count: count) }
  }

  func note(_ text: String) {
    open()
    for item in outputs { item.note(text) }
  }

  func result(_ result: TestReport.Result) {
    open()
    for item in outputs { item.result(result) }
  }

  /// - Throws: ``ProvisioningError`` when a report could not be written in full.
  func end(_ report: TestReport) throws(ProvisioningError) {
    open()
    hasEnded = true
    for item in outputs { item.end(report) }
    if let failure = outputs.lazy.compactMap(\.failure).first { throw failure }
  }

  /// Completes every report of a run that could not begin.
  func end(without report: TestReport) throws(ProvisioningError) {
    begin(report, count: report.results.count)
    for item in report.results { result(item) }
    try end(report)
  }
}
