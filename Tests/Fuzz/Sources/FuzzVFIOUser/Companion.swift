// SPDX-License-Identifier: Apache-2.0
import LibC
import Synchronization

/// A thread with an honest client, which can be asked to end.
final class Companion: Sendable {
  private let body: @Sendable (Companion) throws -> Void
  private let thread = Atomic<UInt>(0)
  private let asked = Atomic<Bool>(false)
  private let ended = Atomic<Bool>(false)
  private let failure = Mutex<String?>(nil)
  /// The number of connections that it has made.
  let connections = Atomic<Int>(0)

  /// Starts the thread.
  init(_ body: @escaping @Sendable (Companion) throws -> Void) {
    self.body = body
    var number = pthread_t()
    let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
      guard let pointer else { return nil }
      Unmanaged<Companion>.fromOpaque(pointer).takeRetainedValue().run()
      return nil
    }
    pthread_create(&number, nil, start, Unmanaged.passRetained(self).toOpaque())
    thread.store(UInt(number), ordering: .sequentiallyConsistent)
  }

  private func run() {
    do { try body(self) } catch { failure.withLock { $0 = "\(error)" } }
    ended.store(true, ordering: .sequentiallyConsistent)
  }

  /// Whether the thread was asked to end.
  var isAskedToEnd: Bool { asked.load(ordering: .sequentiallyConsistent) }
  func askToEnd() { asked.store(true, ordering: .sequentiallyConsistent) }

  var hasEnded: Bool { ended.load(ordering: .sequentiallyConsistent) }

  /// Waits for the end of the thread, once.
  /// - Throws: if it failed.
  func join() throws {
    pthread_join(pthread_t(thread.load(ordering: .sequentiallyConsistent)), nil)
    if let failure = failure.withLock({ $0 }) { throw Finding(description: failure) }
  }
}
