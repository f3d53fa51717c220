// SPDX-License-Identifier: Apache-2.0
//
// Prints pairs of random profiles that differ under one name, a JSON object with the members `a` and `b` per line:
// RandomProfiles COUNT DRIVER [ATTRIBUTE...]. The attributes are those that the kernel lacks; no profile sets them. Without them the
// pairs are those of ChangeTests, by their numbers.
import Foundation
import Provisioning
import SimulatedKernel
import TestSupport

let arguments = CommandLine.arguments
guard arguments.count >= 3, let count = UInt64(arguments[1]), count > 0,
  let kernelRelease = SimulatedKernel.Release(functionDriver: arguments[2])
else {
  FileHandle.standardError.write(
    Data("usage: RandomProfiles COUNT DRIVER [ATTRIBUTE...]\n".utf8))
  exit(64)
}
let missing = Set(arguments.dropFirst(3))

func text(_ profile: Profile) -> String {
  var profile = profile
  for index in profile.subsystems.indices {
    profile.subsystems[index].attributes.removeAll { missing.contains($0.name) }
  }
  for index in profile.hosts.indices {
    profile.hosts[index].attributes.removeAll { missing.contains($0.name) }
  }
  return profile.json.compactText
}

for seed in 1...count {
  let pair = ProfileGenerator.pair(seed: seed, for: kernelRelease)
  print("{\"a\":\(text(pair.0)),\"b\":\(text(pair.1))}")
}
