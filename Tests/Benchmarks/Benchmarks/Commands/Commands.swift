// SPDX-License-Identifier: Apache-2.0
import Benchmark
import ControllerEmulation
import PCI

/// From doorbell to completion entry, a thousand commands a measurement: nanoseconds shown as microseconds are per command.
let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock], warmupIterations: 20, scalingFactor: .one, maxDuration: .seconds(3),
    maxIterations: 2000)

  /// 1024 commands a measurement.
  func measure(
    _ name: String, _ backend: @escaping @Sendable () -> Backend, _ work: Bench.Work,
    queues: Int = 1, depth: Int = 1024, batch: Int = 32
  ) {
    Benchmark("\(name), 1024 commands") { benchmark in
      let bench = Bench(backend(), queues: queues, depth: depth)
      bench.prepare(work)
      benchmark.startMeasurement()
      var left = 1024
      var queue = 1
      while left > 0 {
        bench.run(queue: queue, batch: min(batch, depth - 1))
        left -= min(batch, depth - 1)
        queue = queue % queues + 1
      }
      benchmark.stopMeasurement()
    }
  }

  let null: @Sendable () -> Backend = { .null(size: 1 << 30) }
  let memory: @Sendable () -> Backend = { .memory(MemoryStore(count: 1 << 20)) }
  measure("Flush, null backend", null, .flush)
  for queues in [4, 15] { measure("Flush, \(queues) queue pairs", null, .flush, queues: queues) }
  for depth in [2, 32] { measure("Flush, depth \(depth)", null, .flush, depth: depth, batch: 32) }
  for batch in [1, 512] { measure("Flush, \(batch) at a time", null, .flush, batch: batch) }
  measure("Read 4 KiB, memory backend", memory, .read(bytes: 4096))
  measure("Write 4 KiB, memory backend", memory, .write(bytes: 4096))
  measure("Read 128 KiB, memory backend", memory, .read(bytes: 128 << 10))
  Benchmark("memcpy 128 KiB, 1024 times") { benchmark in
    let count = 128 << 10
    let source = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
    let target = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
    // Not one value over and over: a copy of such bytes is compiled to a memset.
    for index in 0..<count {
      source.storeBytes(
        of: UInt8(truncatingIfNeeded: index * 7), toByteOffset: index, as: UInt8.self)
    }
    target.initializeMemory(as: UInt8.self, repeating: 2, count: count)
    benchmark.startMeasurement()
    for _ in 0..<1024 {
      target.copyMemory(from: source, byteCount: count)
      blackHole(target)
    }
    benchmark.stopMeasurement()
    source.deallocate()
    target.deallocate()
  }
}
