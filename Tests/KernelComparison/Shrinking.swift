// SPDX-License-Identifier: Apache-2.0

extension Comparison {
  /// The fewest calls that show a difference of the same kind, with the shortest texts.
  package func shrink(_ difference: KernelDifference) -> KernelDifference {
    var best = difference
    let signature = difference.signature
    func shows(_ calls: [KernelCall]) -> KernelDifference? {
      guard let found = run(calls).difference, found.signature == signature else { return nil }
      return found
    }
    // What depends on time or chance is not shown again.
    guard shows(best.calls) != nil else { return best }
    // Chunks of half the calls, then of a quarter, down to single ones.
    var size = max(1, best.calls.count / 2)
    while true {
      var start = 0
      var removed = false
      while start < best.calls.count - 1 {
        var calls = best.calls
        calls.removeSubrange(start..<min(start + size, calls.count - 1))
        if let found = shows(calls) {
          best = found
          removed = true
        } else {
          start += size
        }
      }
      if size > 1 { size = max(1, size / 2) } else if !removed { break }
    }
    for index in best.calls.indices {
      for simpler in best.calls[index].simpler {
        var calls = best.calls
        calls[index] = simpler
        if let found = shows(calls) {
          best = found
          break
        }
      }
    }
    return best
  }
}

extension KernelCall {
  /// The call with shorter texts, the simplest first.
  fileprivate var simpler: [KernelCall] {
    switch self {
    case .write(let text, let path):
      ["1\n", "0\n", "x\n", String(text.prefix(40))].filter { $0 != text && $0.count <= text.count }
        .map { .write($0, to: path) }
    case .writeOpen(let text, let number) where text.count > 2: [.writeOpen("1\n", to: number)]
    case .load(let module, let parameters) where !parameters.isEmpty:
      [.load(module, []), .load(module, Array(parameters.prefix(1)))]
    default: []
    }
  }
}

extension KernelDifference {
  /// A test of the simulated kernel, to paste and to name.
  package func regressionTest(seed: UInt64) -> String {
    var lines = [
      "  @Test(\"\(signature)\")", "  func seed\(seed)() throws {",
      "    let kernel = SimulatedKernel.withVirtualController()",
    ]
    for (index, call) in calls.enumerated() {
      let source = "kernel.errno { try $0.\(call.source) }"
      let isLast = index == calls.count - 1
      guard isLast, aspect == "outcome", let errno = real.first else {
        lines.append(isLast ? "    #expect(\(source) == nil)" : "    _ = \(source)")
        continue
      }
      lines.append(
        "    #expect(\(source) == \(errno == "ok" ? "nil" : "Errno(name: \"\(errno)\")"))")
    }
    if aspect != "outcome" {
      lines += real.map { "    // real: \($0.debugDescription)" }
      lines += simulated.map { "    // simulated: \($0.debugDescription)" }
    }
    return (lines + ["  }"]).joined(separator: "\n")
  }
}

extension KernelCall {
  /// The call in Swift, as the tests' helpers have it.
  fileprivate var source: String {
    func quoted(_ text: String) -> String { text.debugDescription }
    return switch self {
    case .make(let path): "make(\(quoted(path)))"
    case .remove(let path): "drop(\(quoted(path)))"
    case .link(let path, let target): "link(\(quoted(path)), \(quoted(target)))"
    case .unlink(let path): "unlink(\(quoted(path)))"
    case .write(let text, let path): "put(\(quoted(text)), \(quoted(path)))"
    case .read(let path): "read($0.path(\(quoted(path))))"
    case .list(let path): "names(\(quoted(path)))"
    case .status(let path): "status(of: $0.path(\(quoted(path))))"
    case .linkText(let path): "linkText(of: $0.path(\(quoted(path))))"
    case .open(let path, let mode):
      "openAttribute($0.path(\(quoted(path))), reading: \(mode != .w), writing: \(mode != .r))"
    case .readOpen(let number): "readOpenAttribute(\(number))"
    case .rewind(let number): "rewindOpenAttribute(\(number))"
    case .writeOpen(let text, let number): "writeOpenAttribute(\(quoted(text)), to: \(number))"
    case .close(let number): "closeAttribute(\(number))"
    case .load(let module, let parameters): "load(\(quoted(module)), parameters: \(parameters))"
    case .unload(let module): "unload(\(quoted(module)))"
    case .describe(let path): "describe(\(quoted(path)))"
    }
  }
}
