// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import LibC
public import Provisioning
public import SimulatedKernel
public import SystemPackage

/// The built `epfnvme` as a process with arguments, a separate directory and a simulated kernel in it.
public final class Program: Sendable {
  /// The result of a run.
  public struct Result: Sendable {
    /// 128 and the number of the signal for a process that one ended, as in a shell.
    public var status: Int32
    public var output: String
    public var errors: String

    /// Standard output, which must be one JSON value.
    public var json: JSONValue? { try? LocatedJSON(parsing: Array(output.utf8)).value }
  }

  public let directory: FilePath

  public init() {
    var random = SystemRandomNumberGenerator()
    directory = FilePath("/dev/shm/epfnvme-command-\(String(random.next(), radix: 16))")
    _ = unsafe mkdir(directory.string, 0o700)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory.string) }

  /// The state file of the simulated kernel.
  public var kernelFile: FilePath { directory.appending("kernel") }
  public var runDirectory: FilePath { FilePath(kernelFile.string + ".run") }

  /// The kernel in the file; a new one when there is none.
  public func kernel(
    _ kernelRelease: SimulatedKernel.Release = .linux7_2,
    machine: SimulatedKernel.Machine = SimulatedKernel.Machine()
  ) throws -> SimulatedKernel {
    try SimulatedKernel(contentsOf: kernelFile, kernelRelease: kernelRelease, machine: machine)
  }

  /// Writes a file into the directory.
  public func write(_ text: String, to name: String) throws -> String {
    let path = directory.appending(name).string
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Runs a command on the kernel in the file.
  public func callAsFunction(
    _ arguments: String..., environment: [String: String] = [:]
  ) throws -> Result {
    try start(arguments, environment: environment).finish()
  }

  public func callAsFunction(_ arguments: [String]) throws -> Result {
    try start(arguments, environment: [:]).finish()
  }

  /// A program that runs while the test continues.
  public struct Running {
    /// Its directory must outlive the run.
    let program: Program
    let process: Process
    let output: FilePath
    let errors: FilePath

    public var isRunning: Bool { process.isRunning }

    /// Its standard output so far.
    public var outputSoFar: String {
      String(decoding: (try? readFile(output)) ?? [], as: UTF8.self)
    }

    /// Its standard error so far.
    public var errorsSoFar: String {
      String(decoding: (try? readFile(errors)) ?? [], as: UTF8.self)
    }

    public func send(signal number: Int32) { _ = kill(process.processIdentifier, number) }

    public func finish() throws -> Result {
      process.waitUntilExit()
      func text(_ path: FilePath) throws -> String {
        String(decoding: try readFile(path), as: UTF8.self)
      }
      return Result(
        status: process.terminationReason == .uncaughtSignal
          ? 128 + process.terminationStatus : process.terminationStatus,
        output: try text(output), errors: try text(errors))
    }
  }

  /// Runs a script of a shell in the directory, with `epfnvme` on the PATH and the kernel in the file.
  public func shell(
    _ script: String, _ arguments: String..., shell: String = "/bin/sh",
    environment: [String: String] = [:]
  ) throws -> Result {
    let path = FilePath(Self.executable).removingLastComponent().string
    return try start(
      ["-c", script, shell] + arguments,
      environment: ["PATH": "\(path):/usr/sbin:/usr/bin:/sbin:/bin"].merging(environment) { $1 },
      executable: shell, in: directory
    ).finish()
  }

  public func start(
    _ arguments: [String], environment: [String: String] = [:],
    executable: String = Program.executable, in workingDirectory: FilePath? = nil
  ) throws -> Running {
    var random = SystemRandomNumberGenerator()
    let name = String(random.next(), radix: 16)
    let output = directory.appending("out-" + name)
    let errors = directory.appending("err-" + name)
    for file in [output, errors] {
      _ = FileManager.default.createFile(atPath: file.string, contents: nil)
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    if let workingDirectory {
      process.currentDirectoryURL = URL(fileURLWithPath: workingDirectory.string)
    }
    process.environment = [
      "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EPFNVME_KERNEL": "simulated=\(kernelFile)",
    ].merging(Self.instrumentation) { $1 }.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: output.string)
    process.standardError = FileHandle(forWritingAtPath: errors.string)
    try process.run()
    return Running(program: self, process: process, output: output, errors: errors)
  }

  /// The settings of sanitizers and of the measurement of coverage, which the program is built with if the tests are.
  private static let instrumentation: [String: String] = ProcessInfo.processInfo.environment.filter
  {
    [
      "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_PRELOAD", "LLVM_PROFILE_FILE",
      "SWIFT_BACKTRACE",
    ].contains($0.key)
  }

  /// Beside the test's own executable, where the package manager puts it.
  public static let executable: String = {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = FilePath(own).removingLastComponent().appending("epfnvme").string
    // A helper of the toolchain may run the tests; then the build directory is where they lie.
    return FileManager.default.isExecutableFile(atPath: beside)
      ? beside
      : FilePath(CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own)
        .removingLastComponent().appending("epfnvme").string
  }()
}
