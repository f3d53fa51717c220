// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The structure that Docs/Architecture.md shows is the one that is built.
@Suite struct ArchitectureTests {
  /// Target → the targets of this package that it depends on, as the package manager reads the manifest.
  private func graph() throws -> [String: Set<String>] {
    // Reading the manifest with `swift package` would wait for the lock of the build that runs this test.
    let manifest = String(
      decoding: try readFile(ShippedProfile.repository.appending("Package.swift")), as: UTF8.self)
    var graph: [String: Set<String>] = [:]
    let declaration = try Regex(
      #"\.(?:target|executableTarget|systemLibrary)\(\s*name: "(\w+)"(.*?)(?=\n    (?://|\.(?:target|executableTarget|testTarget|systemLibrary)\()|\n  \]\n)"#
    ).dotMatchesNewlines()
    for match in manifest.matches(of: declaration) {
      let name = String(match.output[1].substring ?? "")
      let rest = String(match.output[2].substring ?? "")
      guard !rest.contains("path: \"Tests/") else { continue }
      graph[name] = Set(
        rest.matches(of: try Regex(#""(\w+)""#)).map { String($0.output[1].substring ?? "") })
    }
    let targets = Set(graph.keys)
    return graph.mapValues { $0.intersection(targets) }
  }

  /// The same from the table of the document.
  private func documented() throws -> [String: Set<String>] {
    let text = String(
      decoding: try readFile(ShippedProfile.repository.appending("Docs/Architecture.md")),
      as: UTF8.self)
    let start = try #require(text.range(of: "<!-- target-graph -->"))
    let end = try #require(text.range(of: "<!-- /target-graph -->"))
    var graph: [String: Set<String>] = [:]
    for line in text[start.upperBound..<end.lowerBound].split(separator: "\n") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count >= 2, cells[0].hasPrefix("`"), let last = cells.last else { continue }
      let names = last.matches(of: try Regex(#"`(\w+)`"#)).map {
        String($0.output[1].substring ?? "")
      }
      graph[cells[0].trimmingCharacters(in: ["`"])] = Set(names)
    }
    return graph
  }

  @Test("the table of targets is the package's graph")
  func table() throws {
    let graph = try graph()
    let documented = try documented()
    #expect(graph.count >= 12)
    #expect(Set(graph.keys) == Set(documented.keys))
    for (target, imports) in graph {
      #expect(documented[target]?.intersection(Set(graph.keys)) == imports, "\(target)")
    }
  }

  @Test("Provisioning and the simulated kernel depend on each other only through protocols")
  func directions() throws {
    let graph = try graph()
    #expect(graph["Provisioning"]?.contains("SimulatedKernel") == false)
    #expect(graph["SimulatedKernel"]?.contains("Provisioning") == false)
    for target in ["ConfigFS", "PCIEndpoint", "NVMeTarget", "BlockDevices"] {
      #expect(graph[target]?.isDisjoint(with: ["Provisioning", "SimulatedKernel"]) == true)
    }
  }
}
