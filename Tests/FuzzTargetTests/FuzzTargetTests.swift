// SPDX-License-Identifier: Apache-2.0
import FuzzTargets
import LinuxFiles
import Numbers
import SystemPackage
import TestSupport
import Testing

/// Each fuzz target with its seeds, inputs near them, and everything that the fuzzers have found.
// One input after the other: sessions have one server.
@Suite(.serialized) struct FuzzTargetTests {
  private static let findings = ShippedProfile.repository.appending("Tests/Fuzz/Findings")

  @Test(
    "seeds and inputs near them are processed without a violation", arguments: FuzzTarget.allCases)
  func seeds(_ target: FuzzTarget) throws {
    let seeds = try target.seeds()
    try #require(!seeds.isEmpty)
    var random = SplitMix64(seed: 20)
    for seed in seeds {
      #expect(seed.count <= target.longest)
      try target.run(seed)
      for _ in 0..<(TestScale.isFull ? 100 : 2) {
        var near = seed
        for _ in 0..<Int.random(in: 1...4, using: &random) where !near.isEmpty {
          near[Int.random(in: 0..<near.count, using: &random)] = UInt8.random(
            in: 0 ... .max, using: &random)
        }
        near.removeLast(Int.random(in: 0...near.count, using: &random) / 8)
        try target.run(near)
      }
    }
    try target.run([])
  }

  @Test("inputs that a fuzzer found stay fixed", arguments: FuzzTarget.allCases)
  func findings(_ target: FuzzTarget) throws {
    let directory = Self.findings.appending(target.rawValue)
    for name in fileNames(in: directory) {
      try target.run(readBytes(directory.appending(name)))
    }
  }
}
