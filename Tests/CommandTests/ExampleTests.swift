// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The Swift code that README shows is that of Tests/Examples, which CI builds and runs.
@Suite struct ExampleTests {
  private func text(_ path: String) throws -> String {
    String(decoding: try readFile(ShippedProfile.repository.appending(path)), as: UTF8.self)
  }

  @Test("README's Swift code is part of an example")
  func readme() throws {
    let example = try text("Tests/Examples/Sources/ProvisionEndpoint/main.swift")
    let blocks = try text("README.md").matches(of: #/```swift\n((?:.|\n)*?)```/#)
    #expect(!blocks.isEmpty)
    for block in blocks {
      #expect(example.contains(String(block.output.1)), "\(block.output.1)")
    }
  }
}
