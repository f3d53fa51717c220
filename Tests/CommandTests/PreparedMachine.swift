// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A profile that is set up, as the files that hold it: each case begins with a copy of them.
struct PreparedMachine: Sendable {
  let name: String
  let kernelRelease: SimulatedKernel.Release
  /// The absolute numbers of the effects that a teardown has.
  var effects: ClosedRange<Int> = 1...1
  /// configfs after an undisturbed teardown.
  var after: [String] = []
  private var kernel = Data()
  private var journal = Data()

  init(_ shipped: ShippedProfile) throws {
    kernelRelease = shipped.kernelRelease
    name = try shipped.located().profile.name
    let program = Program()
    _ = try program.kernel(kernelRelease, machine: shipped.machine)
    let up = try program("setup", shipped.file.string, "--quiet")
    try #require(up.status == 0, "\(up.errors)")
    let first = try program.kernel(kernelRelease).effects + 1
    kernel = try Data(contentsOf: URL(fileURLWithPath: program.kernelFile.string))
    journal = try Data(contentsOf: URL(fileURLWithPath: journalPath(program)))
    try #require(try program("teardown", name, "--quiet").status == 0)
    let whole = try program.kernel(kernelRelease)
    effects = first...whole.effects
    after = whole.snapshot()
  }

  private func journalPath(_ program: Program) -> String {
    program.runDirectory.appending(name + ".json").string
  }

  /// A fresh copy, with faults.
  func start(_ faults: SimulatedKernel.Fault...) throws -> Program {
    let program = Program()
    try kernel.write(to: URL(fileURLWithPath: program.kernelFile.string))
    try FileManager.default.createDirectory(
      atPath: program.runDirectory.string, withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700])
    try journal.write(to: URL(fileURLWithPath: journalPath(program)))
    let kernel = try program.kernel(kernelRelease)
    for fault in faults { kernel.inject(fault) }
    return program
  }

  /// No object of the profile is left.
  func expectGone(_ program: Program, _ label: String) throws {
    let kernel = try program.kernel(kernelRelease)
    #expect(kernel.snapshot() == after, "\(label): leftovers")
    #expect(kernel.crashes.isEmpty, "\(label): the kernel crashed")
    #expect(
      !FileManager.default.fileExists(atPath: journalPath(program)),
      "\(label): a journal is left")
  }
}
