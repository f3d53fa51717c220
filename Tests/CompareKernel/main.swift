// SPDX-License-Identifier: Apache-2.0
//
// The simulated kernel against the one that this runs on, as root, in the machine of the lab:
//
//   CompareKernel random TREE FIRST-SEED SEQUENCES CALLS SECONDS EXPLANATIONS
//   CompareKernel trace TREE SEED CALLS
//   CompareKernel replay FILE EXPLANATIONS
//   CompareKernel plans FIRST-SEED PAIRS SECONDS
//
// Everything in pci_ep, nvmet and nullb is removed. Each line of output has fields with tabs between them; the first one says what it is.
import KernelComparison
import LibC
import LinuxFiles
import SimulatedKernel
import SystemPackage

func say(_ fields: String...) {
  print(fields.joined(separator: "\t"))
  fflush(nil)
}

func fail(_ text: String) -> Never {
  say("error", text)
  exit(1)
}

let arguments = Array(CommandLine.arguments.dropFirst())
func argument(_ index: Int) -> String { index < arguments.count ? arguments[index] : "" }

func explanations(_ path: String) -> Explanations {
  guard let text = try? readFile(FilePath(path)) else { return Explanations() }
  return Explanations(parsing: text)
}

guard let live = LiveMachine() else { fail("the simulation does not have this kernel's release") }
say("release", live.release.uname)

/// A difference as it was found, shrunk.
func report(_ difference: KernelDifference, seed: UInt64, _ comparison: Comparison) {
  say("found", "seed \(seed)", difference.signature)
  // Without an empty machine nothing can be tried again.
  let small = difference.aspect == "leftovers" ? difference : comparison.shrink(difference)
  say("difference", "seed \(seed)", small.signature)
  for call in small.calls { say("call", call.line) }
  for line in small.real.prefix(20) { say("real", line.debugDescription) }
  for line in small.simulated.prefix(20) { say("simulated", line.debugDescription) }
  for line in small.regressionTest(seed: seed).split(separator: "\n") { say("test", String(line)) }
}

switch argument(0) {
case "random":
  guard let tree = ComparedTree(rawValue: argument(1)), let first = UInt64(argument(2)),
    let sequences = UInt64(argument(3)), let calls = Int(argument(4)), let limit = Int(argument(5))
  else { fail("usage: CompareKernel random TREE FIRST-SEED SEQUENCES CALLS SECONDS EXPLANATIONS") }
  let comparison = Comparison(explanations: explanations(argument(6)), fresh: live.fresh)
  var known: Set<String> = []
  var performed = 0
  var refused = 0
  var explained: [String: Int] = [:]
  var outcomes: [String: Int] = [:]
  var controllers = 0
  let start = time(nil)
  for seed in first..<(first + sequences) {
    if limit > 0, time(nil) - start >= limit { break }
    say("seed", String(seed))
    let ending = comparison.run(tree, seed: seed, calls: calls)
    performed += ending.performed
    refused += ending.refused
    outcomes.merge(ending.outcomes, uniquingKeysWith: +)
    controllers += ending.controllers
    for reason in ending.explained { explained[reason, default: 0] += 1 }
    if let difference = ending.difference {
      if known.insert(difference.signature).inserted {
        report(difference, seed: seed, comparison)
      } else {
        say("again", "seed \(seed)", difference.signature)
      }
      if difference.aspect == "leftovers" { fail("the machine cannot be emptied") }
    }
    say("done", String(seed), String(ending.performed), String(ending.refused))
  }
  for (reason, count) in explained.sorted(by: { $0.key < $1.key }) {
    say("explained", String(count), reason)
  }
  for (outcome, count) in outcomes.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
    say("outcome", String(count), outcome)
  }
  say("controllers", String(controllers))
  say("total", tree.rawValue, String(performed), String(refused), "\(time(nil) - start) s")
case "trace":
  guard let tree = ComparedTree(rawValue: argument(1)), let seed = UInt64(argument(2)),
    let calls = Int(argument(3))
  else { fail("usage: CompareKernel trace TREE SEED CALLS") }
  var comparison = Comparison(fresh: live.fresh)
  comparison.announce = { say("performing", $0.line) }
  let ending = comparison.run(tree, seed: seed, calls: calls)
  say("total", "trace", String(ending.performed), String(ending.refused), "")
case "replay":
  guard let text = try? readFile(FilePath(argument(1))) else { fail("cannot read \(argument(1))") }
  let calls = text.split(separator: "\n").compactMap { KernelCall(line: $0) }
  var comparison = Comparison(explanations: explanations(argument(2)), fresh: live.fresh)
  comparison.announce = { say("performing", $0.line) }
  let ending = comparison.run(calls)
  if let difference = ending.difference { report(difference, seed: 0, comparison) }
  say("total", "replay", String(ending.performed), String(ending.refused), "")
case "plans":
  guard let first = UInt64(argument(1)), let pairs = Int(argument(2)), let limit = Int(argument(3))
  else { fail("usage: CompareKernel plans FIRST-SEED PAIRS SECONDS") }
  let comparison = PlanComparison(
    live.release, options: live.machine.options, runDirectory: "/run/compare")
  var (changed, refused, compared) = (0, 0, 0)
  let start = time(nil)
  var seed = first
  while changed < pairs, refused < 20 + 4 * pairs {
    if limit > 0, time(nil) - start >= limit { break }
    say("seed", String(seed))
    var isCounted = true
    switch try comparison.run(seed: seed, on: live.freshForPlans()) {
    case .equal(let count):
      changed += 1
      compared += count
    case .refused(let reason):
      refused += 1
      isCounted = false
      say("refused", "seed \(seed)", reason)
    case .different(let step, let real, let simulated):
      changed += 1
      say("difference", "seed \(seed)", "plans: \(step)")
      for line in real.prefix(20) { say("real", line.debugDescription) }
      for line in simulated.prefix(20) { say("simulated", line.debugDescription) }
      if step == "cleaning" { fail("the machine cannot be emptied") }
    }
    say("done", String(seed), isCounted ? "1" : "0", isCounted ? "0" : "1")
    seed += 1
  }
  say("total", "plans", String(changed), String(refused), "\(time(nil) - start) s")
  say("compared", String(compared))
default: fail("usage: CompareKernel random|trace|replay|plans …")
}
