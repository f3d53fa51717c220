// SPDX-License-Identifier: Apache-2.0

/// A function with parts of BARs that a host may access as memory, without telling the function.
public protocol MappedFunction: Function {
  /// The parts of a BAR that are memory; nil if all accesses need a call.
  func mappedAreas(ofBAR bar: Int) -> MappedAreas?
}

/// Parts of a BAR as a file: an offset in the BAR is the same offset in the file.
public struct MappedAreas: Sendable {
  /// Whole pages, in the order of their offsets.
  public var areas: [Range<UInt64>]
  /// Open as long as the function is there.
  public var descriptor: CInt

  public init(areas: [Range<UInt64>], descriptor: CInt) {
    self.areas = areas
    self.descriptor = descriptor
  }
}
