// SPDX-License-Identifier: Apache-2.0
package import SimulatedKernel

/// A call after which the two kernels differ.
package struct KernelDifference: Sendable {
  /// The calls from an empty machine to the one that shows the difference.
  package var calls: [KernelCall]
  /// The difference: `outcome`, `result`, `log`, `tree`, `leftovers`.
  package var aspect: String
  package var real: [String]
  package var simulated: [String]

  /// A name for differences of one kind: the call without names, what differs, and both errnos.
  package var signature: String {
    let outcomes =
      aspect == "outcome" ? " real \(real.first ?? "") simulated \(simulated.first ?? "")" : ""
    return "\(calls.last.map(Self.shape) ?? "nothing"): \(aspect)\(outcomes)"
  }

  private static func shape(_ call: KernelCall) -> String {
    switch call {
    case .make(let path): "mkdir " + PathShape.shape(of: path)
    case .remove(let path): "rmdir " + PathShape.shape(of: path)
    case .link(let path, let target):
      "symlink \(PathShape.shape(of: path)) to \(PathShape.shape(of: target))"
    case .unlink(let path): "unlink " + PathShape.shape(of: path)
    case .write(_, let path): "write " + PathShape.shape(of: path)
    case .read(let path): "read " + PathShape.shape(of: path)
    case .list(let path): "list " + PathShape.shape(of: path)
    case .status(let path): "lstat " + PathShape.shape(of: path)
    case .linkText(let path): "readlink " + PathShape.shape(of: path)
    case .open(let path, let mode): "open \(mode.rawValue) " + PathShape.shape(of: path)
    case .readOpen: "read of an open attribute"
    case .rewind: "lseek of an open attribute"
    case .writeOpen: "write of an open attribute"
    case .close: "close of an attribute"
    case .load(let module, _): "load " + module
    case .unload(let module): "unload " + module
    case .describe: "describe"
    }
  }
}

/// The same calls on two kernels, one of them simulated.
package struct Comparison {
  /// The end of a sequence.
  package struct Ending {
    package var difference: KernelDifference?
    /// The calls that both kernels performed.
    package var performed = 0
    /// Calls that were not performed, because the real kernel has undefined behaviour there.
    package var refused = 0
    /// Differences with a reason.
    package var explained: [String] = []
    /// The number of calls by result: `ok`, or an errno.
    package var outcomes: [String: Int] = [:]
    /// The number of NVMe controllers that drivers created for functions.
    package var controllers = 0
  }

  /// Two machines without anything in their trees; the text tells why there are none.
  package typealias Fresh = () -> (
    real: ComparedKernel, simulated: SimulatedKernel, leftovers: [String]
  )

  let fresh: Fresh
  let explanations: Explanations
  /// Called before each call.
  package var announce: (KernelCall) -> Void = { _ in }
  /// The trees are compared after every n-th call; the tree of a call that worked always.
  package var treeInterval = 16

  package init(explanations: Explanations = Explanations(), fresh: @escaping Fresh) {
    self.fresh = fresh
    self.explanations = explanations
  }

  /// A random sequence.
  package func run(_ tree: ComparedTree, seed: UInt64, calls count: Int) -> Ending {
    var generator: CallGenerator?
    return run(count: count) { simulated, last in
      if generator == nil { generator = CallGenerator(tree, seed: seed, on: simulated) }
      if let (call, answer) = last { generator?.note(call, answer) }
      return generator?.next(on: simulated)
    }
  }

  /// Given calls.
  package func run(_ calls: [KernelCall]) -> Ending {
    var rest = calls[...]
    return run(count: calls.count) { _, _ in rest.popFirst() }
  }

  private func run(
    count: Int, _ next: (SimulatedKernel, (KernelCall, Answer)?) -> KernelCall?
  ) -> Ending {
    var ending = Ending()
    var (real, simulated, leftovers) = fresh()
    guard leftovers.isEmpty else {
      ending.difference = KernelDifference(
        calls: [], aspect: "leftovers", real: leftovers, simulated: [])
      return ending
    }
    var mirror = ComparedKernel(simulated)
    var calls: [KernelCall] = []
    var last: (KernelCall, Answer)?
    while ending.performed < count, ending.refused < 4 * count, let call = next(simulated, last) {
      guard call.isSafe(on: simulated) else {
        ending.refused += 1
        last = nil
        continue
      }
      calls.append(call)
      announce(call)
      let expected = real.perform(call)
      let answer = mirror.perform(call)
      ending.performed += 1
      last = (call, expected)
      ending.outcomes[expected.outcome, default: 0] += 1
      ending.controllers += expected.log.filter { $0.hasPrefix("nvmet: Created nvm") }.count
      var found = Self.compare(expected, answer)
      if found == nil { found = compareTrees(real, mirror, after: call, expected, calls.count) }
      guard let found else { continue }
      let difference = KernelDifference(
        calls: calls, aspect: found.aspect, real: found.real, simulated: found.simulated)
      guard let reason = explanations.reason(for: difference) else {
        ending.difference = difference
        return ending
      }
      ending.explained.append(reason)
      // Only what leaves the trees equal can go on.
      if compareTrees(real, mirror) != nil { return ending }
    }
    // A reference that the calls leaked keeps a module, or a directory.
    if ending.difference == nil, let found = compareTrees(real, mirror) {
      ending.difference = KernelDifference(
        calls: calls, aspect: found.aspect, real: found.real, simulated: found.simulated)
    }
    let left = real.clean()
    if ending.difference == nil, !left.isEmpty {
      ending.difference = KernelDifference(
        calls: calls, aspect: "leftovers", real: left, simulated: [])
    }
    return ending
  }

  private static func compare(
    _ real: Answer, _ simulated: Answer
  ) -> (aspect: String, real: [String], simulated: [String])? {
    if real.outcome != simulated.outcome {
      return (
        "outcome", [real.outcome] + real.result + real.log,
        [simulated.outcome] + simulated.result + simulated.log
      )
    }
    if real.result != simulated.result { return ("result", real.result, simulated.result) }
    if real.log != simulated.log { return ("log", real.log, simulated.log) }
    return nil
  }

  /// Compares what a call can have changed, and now and then everything.
  private func compareTrees(
    _ real: ComparedKernel, _ simulated: ComparedKernel, after call: KernelCall, _ answer: Answer,
    _ count: Int
  ) -> (aspect: String, real: [String], simulated: [String])? {
    if count.isMultiple(of: treeInterval) { return compareTrees(real, simulated) }
    guard call.isEffect, answer.outcome == "ok" || count.isMultiple(of: 4) else { return nil }
    return compareTrees(real, simulated, call.trees)
  }

  private func compareTrees(
    _ real: ComparedKernel, _ simulated: ComparedKernel,
    _ trees: [ComparedTree] = ComparedTree.allCases
  ) -> (aspect: String, real: [String], simulated: [String])? {
    let (here, there) = (real.lines(of: trees), simulated.lines(of: trees))
    guard here != there else { return nil }
    let (left, right) = (Set(here), Set(there))
    return ("tree", here.filter { !right.contains($0) }, there.filter { !left.contains($0) })
  }
}

extension ComparedKernel {
  /// Trees, as they are.
  func lines(of trees: [ComparedTree]) -> [String] { trees.flatMap { tree(below: $0.rawValue) } }

  /// The three trees.
  var tree: [String] { lines(of: ComparedTree.allCases) }
}

extension KernelCall {
  /// The trees that the call can change: one, but for links between functions and targets, and modules.
  fileprivate var trees: [ComparedTree] {
    switch self {
    case .write(_, let path), .make(let path), .remove(let path):
      ComparedTree.allCases.filter { path.hasPrefix($0.rawValue) }
    default: ComparedTree.allCases
    }
  }
}

extension KernelCall {
  /// Whether a kernel has defined behaviour for the call: the simulation, in a copy, does not report a crash.
  func isSafe(on kernel: SimulatedKernel) -> Bool {
    guard isEffect else { return true }
    let copy = kernel.copy()
    var compared = ComparedKernel(copy)
    _ = compared.perform(self)
    return copy.crashes.isEmpty
  }
}

/// Differences with a reason, by patterns of their signatures.
package struct Explanations: Sendable {
  private var rows: [(pattern: String, text: String, reason: String)] = []

  package init() {}

  /// Lines of three fields with tabs between them: a pattern of the signature and one of the text that only one kernel has, each with `*`
  /// for anything, and the reason. Lines with `#` are comments.
  package init(parsing text: String) {
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let fields = line.split(separator: "\t").map(String.init)
      if fields.count == 3 { rows.append((fields[0], fields[1], fields[2])) }
    }
  }

  func reason(for difference: KernelDifference) -> String? {
    let lines = difference.real + difference.simulated
    return rows.first { row in
      Self.matches(row.pattern, difference.signature)
        && !lines.isEmpty && lines.contains { Self.matches(row.text, $0) }
    }?.reason
  }

  /// Whether a text is as a pattern with `*`.
  static func matches(_ pattern: String, _ text: String) -> Bool {
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false).map {
      Array($0.utf8)
    }
    var rest = Array(text.utf8)[...]
    guard let first = parts.first, rest.starts(with: first) else { return false }
    rest = rest.dropFirst(first.count)
    guard parts.count > 1, let last = parts.last else { return rest.isEmpty }
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let place = rest.indices.first(where: { rest[$0...].starts(with: part) }) else {
        return false
      }
      rest = rest[(place + part.count)...]
    }
    return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
  }
}
