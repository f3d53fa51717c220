// SPDX-License-Identifier: Apache-2.0
import KernelModules
import Synchronization
import SystemPackage

/// A control file that understands what the kernel's does: module, file, line and func, then + - or = and flags.
/// - Source: `lib/dynamic_debug.c`, `ddebug_tokenize`, `ddebug_parse_query`, `ddebug_parse_flags`, `ddebug_change`.
final class FakeDynamicDebug: DynamicDebugControl {
  private struct State {
    var sites: [DebugCallSite]
    var queries: [String] = []
    /// The write with this number, counted from 1, fails.
    var failing: (number: Int, errno: Errno)?
    var readError: Errno?
  }

  let path: FilePath = "/proc/dynamic_debug/control"
  private let state: Mutex<State>

  init(_ sites: [DebugCallSite]) { state = Mutex(State(sites: sites)) }

  var sites: [DebugCallSite] {
    get { state.withLock { $0.sites } }
    set { state.withLock { $0.sites = newValue } }
  }
  var queries: [String] { state.withLock { $0.queries } }
  func fail(write number: Int, with errno: Errno) {
    state.withLock { $0.failing = (number, errno) }
  }
  func failReads(with errno: Errno) { state.withLock { $0.readError = errno } }

  func read() throws(Errno) -> String {
    if let error = state.withLock({ $0.readError }) { throw error }
    return "# filename:lineno [module]function flags format\n"
      + sites.map {
        "\($0.file):\($0.line) [\($0.module)]\($0.function) =\($0.flags) \"text\\012\""
          + ($0.hasClass ? " class:C" : "") + "\n"
      }.joined()
  }

  func write(_ query: String) throws(Errno) {
    guard query.utf8.count < 4096 else { throw .argListTooLong }
    var words = try Self.words(query)
    let failure = state.withLock { state in
      state.queries.append(query)
      return state.failing.flatMap { $0.number == state.queries.count ? $0.errno : nil }
    }
    if let failure { throw failure }
    guard let flags = words.popLast(), let sign = flags.first, "+-=".contains(sign),
      flags.dropFirst().allSatisfy({ "pmfsltd_".contains($0) }), words.count % 2 == 0
    else { throw .invalidArgument }
    var wanted: [String: String] = [:]
    for index in stride(from: 0, to: words.count, by: 2) {
      guard ["module", "file", "line", "func"].contains(words[index]), wanted[words[index]] == nil
      else { throw .invalidArgument }
      // file NAME:REST is more than a name.
      if words[index] == "file", words[index + 1].contains(":") { throw .invalidArgument }
      wanted[words[index]] = words[index + 1]
    }
    state.withLock { state in
      for index in state.sites.indices {
        let site = state.sites[index]
        // A query without a class leaves call sites of a class alone.
        guard !site.hasClass, wanted["module"].map({ $0 == site.module }) ?? true,
          wanted["file"].map({ site.file == $0 || site.file.hasSuffix("/\($0)") }) ?? true,
          wanted["line"].map({ $0 == "\(site.line)" }) ?? true,
          wanted["func"].map({ $0 == site.function }) ?? true
        else { continue }
        let given = Set(flags.dropFirst()).subtracting("_")
        let old = Set(site.flags).subtracting("_")
        let new = sign == "=" ? given : sign == "+" ? old.union(given) : old.subtracting(given)
        let text = String("pmfsltd".filter(new.contains))
        state.sites[index].flags = text.isEmpty ? "_" : text
      }
    }
  }

  private static func words(_ query: String) throws(Errno) -> [String] {
    var words: [String] = []
    var rest = query[...]
    while true {
      rest = rest.drop(while: \.isWhitespace)
      guard let first = rest.first, first != "#" else { return words }
      if first == "\"" || first == "'" {
        rest = rest.dropFirst()
        guard let end = rest.firstIndex(of: first) else { throw .invalidArgument }
        words.append(String(rest[..<end]))
        rest = rest[rest.index(after: end)...]
      } else {
        let word = rest.prefix { !$0.isWhitespace }
        words.append(String(word))
        rest = rest.dropFirst(word.count)
      }
    }
  }
}
