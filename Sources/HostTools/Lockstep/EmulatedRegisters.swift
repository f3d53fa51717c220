// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
package import NVMe

/// The registers of an emulated controller, in its virtual time.
package final class EmulatedRegisters: RegisterDrive {
  private let function: NVMeFunction

  package init(_ function: NVMeFunction) { self.function = function }

  package func read(_ register: Register) -> UInt32 {
    var value: UInt32 = 0
    unsafe withUnsafeMutableBytes(of: &value) {
      unsafe function.readBAR(0, offset: UInt64(register.offset), into: $0)
    }
    return UInt32(littleEndian: value)
  }

  package func write(_ register: Register, _ value: UInt32) {
    unsafe withUnsafeBytes(of: value.littleEndian) {
      unsafe function.writeBAR(0, offset: UInt64(register.offset), from: $0)
    }
  }

  package func pause() { function.advance(to: function.now + .init(1)) }

  package var milliseconds: UInt64 { function.now.nanoseconds / 1_000_000 }
}
