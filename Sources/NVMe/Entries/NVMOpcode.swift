// SPDX-License-Identifier: Apache-2.0

/// An opcode of the NVM command set, on an I/O queue.
/// - Source: NVM Command Set 1.1, 3; NVM Express Base 2.1, 7.
public struct NVMOpcode: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var flush: Self { Self(rawValue: 0x00) }
  @inlinable public static var write: Self { Self(rawValue: 0x01) }
  @inlinable public static var read: Self { Self(rawValue: 0x02) }
  @inlinable public static var writeUncorrectable: Self { Self(rawValue: 0x04) }
  @inlinable public static var compare: Self { Self(rawValue: 0x05) }
  @inlinable public static var writeZeroes: Self { Self(rawValue: 0x08) }
  @inlinable public static var datasetManagement: Self { Self(rawValue: 0x09) }
  @inlinable public static var verify: Self { Self(rawValue: 0x0c) }
  @inlinable public static var reservationRegister: Self { Self(rawValue: 0x0d) }
  @inlinable public static var reservationReport: Self { Self(rawValue: 0x0e) }
  @inlinable public static var reservationAcquire: Self { Self(rawValue: 0x11) }
  @inlinable public static var ioManagementReceive: Self { Self(rawValue: 0x12) }
  @inlinable public static var reservationRelease: Self { Self(rawValue: 0x15) }
  @inlinable public static var cancel: Self { Self(rawValue: 0x18) }
  @inlinable public static var copy: Self { Self(rawValue: 0x19) }
  @inlinable public static var ioManagementSend: Self { Self(rawValue: 0x1d) }
  @inlinable public static var fabrics: Self { Self(rawValue: 0x7f) }

  public var name: String? {
    switch self {
    case .flush: "Flush"
    case .write: "Write"
    case .read: "Read"
    case .writeUncorrectable: "Write Uncorrectable"
    case .compare: "Compare"
    case .writeZeroes: "Write Zeroes"
    case .datasetManagement: "Dataset Management"
    case .verify: "Verify"
    case .reservationRegister: "Reservation Register"
    case .reservationReport: "Reservation Report"
    case .reservationAcquire: "Reservation Acquire"
    case .ioManagementReceive: "I/O Management Receive"
    case .reservationRelease: "Reservation Release"
    case .cancel: "Cancel"
    case .copy: "Copy"
    case .ioManagementSend: "I/O Management Send"
    case .fabrics: "Fabrics Commands"
    default: nil
    }
  }
}
