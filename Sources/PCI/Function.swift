// SPDX-License-Identifier: Apache-2.0

/// A PCI function as a host reaches it: configuration space, BARs, resets.
///
/// Every call comes from the one thread that owns the function. An access that the function cannot serve reads as zeroes
/// or is dropped; none of them traps, whatever the host sends.
public protocol Function: AnyObject {
  /// The host that the function is plugged into. It is set before the first access and cleared after the last one;
  /// whoever sets it keeps the host alive meanwhile.
  var host: (any HostInterface)? { get set }

  /// The configuration space as the host sees it now. Its `bars` are the BARs to map, with their sizes.
  var configuration: ConfigurationSpace { get }

  /// Writes a register of the configuration space, little-endian, and does what follows from the change.
  func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32)

  /// Reads from a BAR.
  ///
  /// A buffer of 4 or 8 bytes at a multiple of its size is one access; the function decides about others.
  /// - Parameter offset: where to start, in bytes from the BAR's start.
  func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer)

  /// Writes to a BAR.
  ///
  /// A buffer of 4 or 8 bytes at a multiple of its size is one access; the function decides about others.
  /// - Parameter offset: where to start, in bytes from the BAR's start.
  func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer)

  /// Resets the function, its configuration space included. No interrupt and no access to host memory follows
  /// from what was asked of it before.
  func reset(_ kind: ResetKind)
}
