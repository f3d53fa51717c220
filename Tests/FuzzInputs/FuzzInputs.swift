// SPDX-License-Identifier: Apache-2.0
import FuzzTargets
import LibC

// With -D LIBFUZZER and the sanitizer `fuzzer`, libFuzzer has the main function; FUZZ_TARGET names what it fuzzes, and FUZZ_SEEDS a
// directory for the inputs to begin with. Without, this program runs inputs from files: `FuzzInputs TARGET FILE…`. Without a target both
// list the targets with the lengths of their longest inputs.

private func variable(_ name: String) -> String? {
  unsafe getenv(name).map { unsafe String(cString: $0) }
}

private func target(_ name: String) -> FuzzTarget {
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    fatalError("no target \"\(name)\"; targets: \(names)")
  }
  return target
}

private func listTargets() {
  for target in FuzzTarget.allCases { print("\(target.rawValue) \(target.longest)") }
}

#if LIBFUZZER
  private let fuzzed = target(variable("FUZZ_TARGET") ?? "")

  @_cdecl("LLVMFuzzerInitialize") public func initialize(
    _ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?
  ) -> CInt {
    signal(SIGPIPE, SIG_IGN)
    guard variable("FUZZ_TARGET") != nil else {
      listTargets()
      exit(0)
    }
    guard let directory = variable("FUZZ_SEEDS") else { return 0 }
    do {
      for (number, seed) in try fuzzed.seeds().enumerated() {
        let file = open("\(directory)/seed-\(number)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0, write(file, seed, seed.count) == seed.count, close(file) == 0 else {
          fatalError("cannot write to \(directory): errno \(errno)")
        }
      }
    } catch { fatalError("seeds of \(fuzzed.rawValue): \(error)") }
    return 0
  }

  @_cdecl("LLVMFuzzerTestOneInput") public func testOneInput(
    _ start: UnsafePointer<UInt8>?, _ count: Int
  ) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    do { try fuzzed.run(bytes) } catch { fatalError("\(fuzzed.rawValue): \(error)") }
    return 0
  }
#else
  @main struct FuzzInputs {
    static func main() {
      signal(SIGPIPE, SIG_IGN)
      let arguments = CommandLine.arguments.dropFirst()
      guard let name = arguments.first else { return listTargets() }
      let target = target(name)
      for path in arguments.dropFirst() {
        guard let bytes = contents(of: path) else {
          fatalError("cannot read \(path): errno \(errno)")
        }
        do {
          try target.run(bytes)
          print("\(path): no violation")
        } catch {
          print("\(path): \(error)")
          exit(1)
        }
      }
    }

    private static func contents(of path: String) -> [UInt8]? {
      let file = open(path, O_RDONLY)
      guard file >= 0 else { return nil }
      defer { close(file) }
      var bytes: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(file, &chunk, chunk.count)
        guard count > 0 else { return count == 0 ? bytes : nil }
        bytes += chunk[..<count]
      }
    }
  }
#endif
