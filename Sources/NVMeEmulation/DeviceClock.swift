// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import HostDriver

/// The clock of a host in process: the virtual time of the device, which passes while the host waits.
public final class DeviceClock: HostClock {
  private let function: NVMeFunction
  public init(_ function: NVMeFunction) { self.function = function }
  public func wait(milliseconds: UInt64) {
    function.advance(to: function.now + .init(milliseconds))
  }
}
