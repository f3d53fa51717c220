// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Histogram
import LibC
import ServedHost

/// Measures reads of a host in process from the served reference controller, with mapped doorbells: `make bench-serve`.
///
/// The server is one thread, the host another, and the machine should have a processor for each. Copies of memory are measured in the same run, to compare with.
@main struct ServedDisk {
  static func main() {
    do { try measure(Options(CommandLine.arguments.dropFirst())) } catch {
      print("ServedDisk: \(error)")
      exit(1)
    }
  }

  private static func measure(_ options: Options) throws {
    let disk = try options.socket.map(ServedDisk.attach) ?? ServedDisk.serve()
    try disk.host.start()
    print("| what | reads a second | 50 % | 99 % | 99.9 % | longest |")
    print("|---|---|---|---|---|---|")
    for bytes in [512, 4096] {
      try disk.host.prepare(bytes: bytes)
      for depth in [1, 32, 128] {
        try disk.report("\(bytes) B, \(depth) at a time, polled", options) { host, histogram in
          try host.pollReads(depth: depth, nanoseconds: options.nanoseconds, into: &histogram)
        }
      }
      try disk.report("\(bytes) B, 1 at a time, by interrupt", options) { host, histogram in
        try host.awaitReads(nanoseconds: options.nanoseconds, into: &histogram)
      }
    }
    for bytes in [512, 4096, 128 << 10] {
      let rates = (0..<options.rounds).map { _ in Copy.bytesPerSecond(pieces: bytes) }.sorted()
      print("memcpy in pieces of \(bytes) B: \(rates[rates.count / 2] / 1_000_000) MB/s")
    }
  }

  struct Options {
    var socket: String?
    var rounds = 5
    /// Of a round.
    var nanoseconds: UInt64 = 1_000_000_000

    init(_ arguments: some Sequence<String>) {
      var arguments = arguments.makeIterator()
      while let name = arguments.next() {
        switch (name, arguments.next()) {
        case ("--socket", let path?): socket = path
        case ("--rounds", let count?): rounds = max(1, Int(count) ?? rounds)
        case ("--milliseconds", let count?):
          nanoseconds = 1_000_000 * max(1, UInt64(count) ?? 1000)
        default:
          print("ServedDisk [--socket PATH] [--rounds N] [--milliseconds N]")
          exit(64)
        }
      }
    }
  }

  let host: PollingHost
  /// Nil when another process serves.
  private let server: ServedMachine?

  private static func serve() throws -> ServedDisk {
    let server = try ServedMachine(.reference) {
      $0.mapsDoorbells = true
      $0.namespaces = [
        Namespace(id: 1, backend: .memory(MemoryStore(count: PollingHost.diskBytes)))
      ]
    }
    return ServedDisk(host: try PollingHost(connectingTo: server.socket), server: server)
  }

  private static func attach(to socket: String) throws -> ServedDisk {
    ServedDisk(host: try PollingHost(connectingTo: socket), server: nil)
  }

  /// The median of the rounds, and the latencies of all of them, in nanoseconds.
  private func report(
    _ name: String, _ options: Options,
    _ round: (PollingHost, inout Histogram<UInt64>) throws -> Double
  ) throws {
    var histogram = Histogram<UInt64>(
      highestTrackableValue: 10_000_000_000, numberOfSignificantValueDigits: .three)
    // The first round warms up.
    var warm = histogram
    _ = try round(host, &warm)
    var rates: [Double] = []
    for _ in 0..<options.rounds { rates.append(try round(host, &histogram)) }
    let cells = [
      name, "\(Int(rates.sorted()[rates.count / 2]))", "\(histogram.valueAtPercentile(50)) ns",
      "\(histogram.valueAtPercentile(99)) ns", "\(histogram.valueAtPercentile(99.9)) ns",
      "\(histogram.max) ns",
    ]
    print("| " + cells.joined(separator: " | ") + " |")
  }
}

/// Nanoseconds of a clock that never goes back.
func monotonic() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// The bandwidth of the machine's memory.
enum Copy {
  static func bytesPerSecond(pieces: Int) -> Int {
    let count = 16 << 20
    let source = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
    let target = UnsafeMutableRawPointer.allocate(byteCount: pieces, alignment: 4096)
    defer {
      source.deallocate()
      target.deallocate()
    }
    // Bytes that differ: a copy of equal ones might be made a fill.
    for index in 0..<count {
      source.storeBytes(
        of: UInt8(truncatingIfNeeded: index &* 31), toByteOffset: index, as: UInt8.self)
    }
    let begin = monotonic()
    var copied = 0
    var place = 0
    while monotonic() - begin < 200_000_000 {
      for _ in 0..<64 {
        memcpy(target, source + place, pieces)
        place = (place + pieces * 7) % (count - pieces)
        copied += pieces
      }
    }
    return Int(Double(copied) * 1e9 / Double(monotonic() - begin))
  }
}
