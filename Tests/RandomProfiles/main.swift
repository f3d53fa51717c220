// SPDX-License-Identifier: Apache-2.0
//
// Prints pairs of random profiles that differ under one name, a JSON object with the members `a` and `b` per line:
// RandomProfiles COUNT DRIVER. The pairs are those of ChangeTests, by their numbers.
import Foundation
import Provisioning
import SimulatedKernel
import TestSupport

let arguments = CommandLine.arguments
guard arguments.count == 3, let count = UInt64(arguments[1]), count > 0,
  let personality = SimulatedKernel.Personality.allCases.first(where: {
    $0.functionDriver == arguments[2]
  })
else {
  FileHandle.standardError.write(Data("usage: RandomProfiles COUNT DRIVER\n".utf8))
  exit(64)
}
for seed in 1...count {
  let pair = ProfileGenerator.pair(seed: seed, for: personality)
  print("{\"a\":\(pair.0.json.compactText),\"b\":\(pair.1.json.compactText)}")
}
