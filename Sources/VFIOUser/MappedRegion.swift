// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import Synchronization

/// The mapping in this process of the parts of a BAR that clients can map.
@safe public final class MappedRegion {
  @safe private struct Piece {
    var offsets: Range<UInt64>
    var start: UnsafeMutableRawPointer
  }

  private var pieces: [Piece] = []

  /// - Returns: nil when the file is not as long as that.
  init?(_ areas: [Range<UInt64>], of file: OpenDescriptor) {
    for area in areas {
      guard
        let start = unsafe mmap(
          nil, area.count, PROT_READ | PROT_WRITE, MAP_SHARED, file.number,
          off_t(clamping: area.lowerBound)),
        unsafe start != MAP_FAILED
      else { return nil }
      pieces.append(unsafe Piece(offsets: area, start: start))
    }
  }

  deinit {
    for piece in pieces { _ = unsafe munmap(piece.start, piece.offsets.count) }
  }

  /// Stores a word after all earlier writes of this thread.
  /// - Parameter offset: a multiple of 4.
  /// - Returns: false where the BAR is no memory.
  public func store(_ value: UInt32, at offset: UInt64) -> Bool {
    for piece in pieces where piece.offsets.contains(offset) && offset & 3 == 0 {
      unsafe (piece.start + Int(offset - piece.offsets.lowerBound))
        .assumingMemoryBound(to: Atomic<UInt32>.self).pointee.store(value, ordering: .releasing)
      return true
    }
    return false
  }
}
