// SPDX-License-Identifier: Apache-2.0
//
// Writes what is published about the keys of profiles and about kernel releases: SchemaDocuments REPOSITORY. It replaces
// Configs/schema/profile.schema.json, the tables in Docs/Guides/Profiles.md, and Docs/Reference/Kernel/releases.md.
import Foundation
import KernelHistory
import Provisioning
import SimulatedKernel

guard CommandLine.arguments.count == 2 else {
  FileHandle.standardError.write(Data("usage: SchemaDocuments REPOSITORY\n".utf8))
  exit(64)
}
let repository = URL(fileURLWithPath: CommandLine.arguments[1])
let guide = repository.appendingPathComponent("Docs/Guides/Profiles.md")
try Data(ProfileSchema.updatingTables(of: String(contentsOf: guide, encoding: .utf8)).utf8)
  .write(to: guide, options: .atomic)
try Data((ProfileSchema.jsonSchema.prettyText + "\n").utf8).write(
  to: repository.appendingPathComponent("Configs/schema/profile.schema.json"), options: .atomic)
try Data(KernelChange.page(emulated: SimulatedKernel.Release.emulatedChanges).utf8).write(
  to: repository.appendingPathComponent("Docs/Reference/Kernel/releases.md"), options: .atomic)
