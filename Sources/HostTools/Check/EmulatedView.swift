// SPDX-License-Identifier: Apache-2.0
package import HostDriver
package import NVMe
package import PCI

/// An emulated controller from the host's side: the prediction for a real one.
package struct EmulatedView: HostView {
  private let function: any Function
  private let host: LinuxHost
  private let found: ProbeResult

  package let name: String
  package var driver: String? { "nvme" }
  package var bar0Size: UInt64? { function.configuration.bars[0]?.size }
  package var ioQueues: Int? { found.ioQueues }

  /// - Parameter host: has probed the function with that result.
  package init(_ name: String, _ function: any Function, _ host: LinuxHost, _ found: ProbeResult) {
    self.name = name
    self.function = function
    self.host = host
    self.found = found
  }

  package func configuration(at offset: Int, count: Int) throws(HostViewError) -> UInt32 {
    let width: ConfigurationSpace.Width = count == 1 ? .byte : count == 2 ? .word : .doubleword
    return function.configuration.read(offset: offset, width: width)
  }

  package func register(_ register: Register) throws(HostViewError) -> UInt64 {
    host.value(of: register)
  }

  package func identify(
    _ structure: IdentifyStructure, _ namespace: UInt32
  ) throws(HostViewError) -> [UInt8] {
    do { return try host.identify(structure, namespace) } catch {
      throw .failed("\(error)")
    }
  }
}
