// SPDX-License-Identifier: Apache-2.0
import AllocationCount
import EndpointLink
import LibC
import PCI
import ServedHost

/// Measures what a link does for a board and its host: `make bench-link`. Fails if it allocates.
///
/// First the link alone, called by board and host in process; then the link at its sockets, with the server's thread alone counted.
@main struct LinkOperations {
  static func main() {
    do { try measure(Options(CommandLine.arguments.dropFirst())) } catch {
      print("LinkOperations: \(error)")
      exit(1)
    }
  }

  struct Options {
    /// Of each operation.
    var count = 20_000
    /// The name of the only operation.
    var only: String?

    init(_ arguments: some Sequence<String>) {
      var arguments = arguments.makeIterator()
      while let name = arguments.next() {
        switch (name, arguments.next()) {
        case ("--count", let value?): count = max(1, Int(value) ?? count)
        case ("--only", let value?): only = value
        default:
          print("LinkOperations [--count N] [--only OPERATION]")
          exit(64)
        }
      }
    }
  }

  struct Failure: Error, CustomStringConvertible { var description: String }

  /// A thing that a link does; it throws if the link does not.
  struct Operation {
    var name: String
    var run: () throws -> Void
  }

  private static func measure(_ options: Options) throws {
    var allocations: UInt64 = 0
    var operationCount = 0
    print("| operation | ns each | allocations of \(options.count) |")
    print("|---|---|---|")
    func report(_ operations: [Operation], settle: () throws -> Void) throws {
      for operation in operations where options.only == nil || options.only == operation.name {
        for _ in 0..<100 { try operation.run() }
        try settle()
        let before = counted_allocations()
        let begin = monotonic()
        for _ in 0..<options.count { try operation.run() }
        try settle()
        let nanoseconds = monotonic() - begin
        let allocated = counted_allocations() - before
        print("| \(operation.name) | \(nanoseconds / UInt64(options.count)) | \(allocated) |")
        allocations += allocated
        operationCount += 1
      }
    }

    // Only this thread, and only while the pair in process is measured.
    count_allocations_of_this_thread()
    let direct = try DirectPair()
    try requireCount(above: 0)
    try report(direct.operations) {}
    ignore_allocations_of_this_thread()
    let before = counted_allocations()
    let served = try ServedPair()
    try requireCount(above: before)
    try report(served.operations) { try served.settle() }
    guard allocations == 0 else {
      throw Failure(description: "the link allocates: \(allocations) times")
    }
    print("\n\(operationCount) operations without an allocation")
  }

  /// Setting up a pair allocates: the counter works.
  private static func requireCount(above before: UInt64) throws {
    guard counted_allocations() > before else {
      throw Failure(description: "allocations are not counted")
    }
  }
}

/// Nanoseconds of a clock that never goes back.
func monotonic() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
