// SPDX-License-Identifier: Apache-2.0
package import KernelHistory
package import Provisioning
internal import SimulatedKernel

extension Emulation {
  /// The bugs of the kernel release that a host of these functions can meet, and that a later release fixes.
  package var kernelBugs: [KernelChange] {
    KernelChange.all.filter { change in
      change.place == .host && change.isFixed && change.effect != .minor
        && change.area != .hostPCI && change.concerns(hardware) && kernelRelease.has(change)
        && (change.area != .nvmetPCIEPF || kernelRelease.functionDriver == change.area.rawValue)
    }
  }

  /// What the kernel's release does not say about one of its bugs; nil if the release has it.
  package func reservation(about bug: KernelChange) -> String? {
    KernelRelease(kernelRelease.uname)?.reservation(about: bug)
  }

  package func json(_ bug: KernelChange) -> JSONValue {
    bug.json(reservation: reservation(about: bug))
  }
}

extension KernelChange {
  fileprivate func json(reservation: String?) -> JSONValue {
    [
      "name": .string(name), "shows": .string(shows), "fixedIn": .string(endText),
      "workaround": JSONValue(workaround), "reservation": JSONValue(reservation),
    ]
  }
}
