// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import HostDriver

/// A host's clock that is the device's: it passes only while the host waits.
public final class DeviceClock: HostClock {
  private let function: NVMeFunction
  public init(_ function: NVMeFunction) { self.function = function }
  public func wait(milliseconds: UInt64) {
    function.advance(to: function.now + .init(milliseconds))
  }
}
