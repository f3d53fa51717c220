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
}

extension KernelChange {
  package var json: JSONValue {
    [
      "name": .string(name), "shows": .string(shows), "fixedIn": .string(endText),
      "workaround": JSONValue(workaround),
    ]
  }
}
