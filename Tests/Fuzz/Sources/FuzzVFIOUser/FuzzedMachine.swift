// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import Glibc
import ServedHost
import Synchronization
import VFIOUser

/// A controller behind a socket; it counts what happens and keeps nothing.
final class FuzzedMachine {
  let figures = Figures()
  private let machine: ServedMachine
  var socket: String { machine.socket }

  final class Figures: Sendable {
    let connected = Atomic<Int>(0)
    let gone = Atomic<Int>(0)
    /// Clients that could not be followed.
    let left = Atomic<Int>(0)
    let diagnoses = Atomic<Int>(0)
    /// I/O commands that the controller has done.
    let commands = Atomic<UInt64>(0)
  }

  private final class Observer: ServerObserver {
    let function: NVMeFunction
    let figures: Figures
    init(_ function: NVMeFunction, _ figures: Figures) {
      (self.function, self.figures) = (function, figures)
    }

    func clientConnected() {
      figures.connected.add(1, ordering: .sequentiallyConsistent)
      function.linkUp()
    }

    func clientLeft(_ reason: String?) {
      function.linkDown()
      worked()
      if reason != nil { figures.left.add(1, ordering: .sequentiallyConsistent) }
      figures.commands.store(function.counters.commands, ordering: .sequentiallyConsistent)
      // Last: who waits for it finds all that is above.
      figures.gone.add(1, ordering: .sequentiallyConsistent)
    }

    func worked() {
      figures.diagnoses.add(
        function.takeEvents().diagnoses.count, ordering: .sequentiallyConsistent)
      _ = function.takeKernelLog()
    }

    var nanosecondsToReport: UInt64? { nil }
  }

  init(_ behaviour: Behaviour) throws {
    machine = try ServedMachine(
      behaviour, { $0.offersDoorbellBuffers = behaviour == .reference },
      observer: { [figures] in Observer($0, figures) })
  }

  /// Waits until the server is done with every client of the past.
  /// - Returns: false when it is not after 30 s.
  func isIdle(after clients: Int) -> Bool {
    let limit = Date().addingTimeInterval(30)
    while figures.gone.load(ordering: .sequentiallyConsistent) < clients {
      guard Date() < limit else { return false }
      usleep(100)
    }
    return true
  }
}

/// The resources of the process, compared before and after.
struct Holdings: Equatable, CustomStringConvertible {
  var descriptors: Int
  /// Mappings of memory that clients passed.
  var mappings: Int

  /// Of this process, now.
  init() {
    descriptors =
      (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
    let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
    mappings = maps.split(separator: "\n").count { $0.contains("/memfd:") }
  }

  var description: String { "\(descriptors) descriptors, \(mappings) mappings" }

  /// Bytes of memory in use.
  static var resident: Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let words = text.split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
  }
}
