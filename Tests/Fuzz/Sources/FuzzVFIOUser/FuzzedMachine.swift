// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import LibC
import ServedHost
import Synchronization
import VFIOUser

/// A controller behind a socket; it counts what happens and keeps nothing.
final class FuzzedMachine: FuzzTarget {
  private let figures = Figures()
  private let behaviour: Behaviour
  private let machine: ServedMachine
  /// For a recorder.
  var socket: String { machine.socket }

  private final class Figures: Sendable {
    let gone = Atomic<Int>(0)
    /// Clients that could not be followed.
    let left = Atomic<Int>(0)
    /// I/O commands that the controller has done.
    let commands = Atomic<UInt64>(0)
  }

  private final class Observer: ServerObserver {
    let function: NVMeFunction
    let figures: Figures
    init(_ function: NVMeFunction, _ figures: Figures) {
      (self.function, self.figures) = (function, figures)
    }

    func clientConnected() { function.linkUp() }

    func clientLeft(_ reason: String?) {
      function.linkDown()
      worked()
      if reason != nil { figures.left.add(1, ordering: .sequentiallyConsistent) }
      figures.commands.store(function.counters.commands, ordering: .sequentiallyConsistent)
      // Last: who waits for it finds all that is above.
      figures.gone.add(1, ordering: .sequentiallyConsistent)
    }

    func worked() {
      _ = function.takeEvents()
      _ = function.takeKernelLog()
    }

    var nanosecondsToReport: UInt64? { nil }
  }

  init(_ behaviour: Behaviour) throws {
    self.behaviour = behaviour
    machine = try ServedMachine(
      behaviour, { $0.offersDoorbellBuffers = behaviour == .reference },
      observer: { [figures] in Observer($0, figures) })
  }

  // MARK: The target

  func socket(for client: Int) -> String { machine.socket }

  var goneClients: Int { figures.gone.load(ordering: .sequentiallyConsistent) }

  /// A host probes the controller and verifies data.
  func checkHonest() throws -> Int {
    let guest = try ServedGuest(machine.socket, ServedMachine.model(behaviour))
    let found = try guest.host.probe()
    for namespace in found.namespaces {
      guard try guest.host.verify(namespace, transfers: 4) == 4 * 4096 else {
        throw Finding(description: "less was verified than was written")
      }
    }
    try guest.host.shutDown()
    return 1
  }

  func resume() {}

  var summary: String {
    """
    \(figures.left.load(ordering: .sequentiallyConsistent)) clients left, \
    \(figures.commands.load(ordering: .sequentiallyConsistent)) I/O commands
    """
  }
}
