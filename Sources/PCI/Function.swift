// SPDX-License-Identifier: Apache-2.0

/// A PCI function as a host reaches it: configuration space, BARs, resets.
///
/// Every call comes from the one thread that owns the function. An invalid access reads zeroes or is dropped; no access of the host traps.
public protocol Function: AnyObject {
  /// The host of the function. It is set before the first access and cleared after the last one; the caller keeps the host alive meanwhile.
  var host: (any HostInterface)? { get set }

  /// The current configuration space. Its `bars` are the BARs to map, with their sizes.
  var configuration: ConfigurationSpace { get }

  /// Writes a register of the configuration space, little-endian, and acts on the change.
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

  /// Resets the function, its configuration space included. Earlier requests cause no interrupt and no access to host memory.
  func reset(_ kind: ResetKind)
}
