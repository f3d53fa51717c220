// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// An access to host memory, or a change of its regions, that is impossible and has had no effect.
public struct HostMemoryError: Error, Hashable {
  public enum Cause: Hashable, Sendable {
    case notReadable
    case notWritable
    case emptyRegion
    case beyondAddressSpace
    case overlapsRegion
    case noSuchRegion
    /// The owner of the memory refused, or did not reply.
    case unanswered
  }

  /// The first guest physical address of the whole access or region.
  public var address: UInt64

  /// Its length in bytes.
  public var count: Int
  public var cause: Cause

  public init(address: UInt64, count: Int, cause: Cause) {
    self.address = address
    self.count = count
    self.cause = cause
  }
}

extension HostMemoryError: CustomStringConvertible {
  public var description: String {
    let place = "\(count) bytes of host memory at \(hexadecimal(address))"
    return switch cause {
    case .notReadable: "cannot read \(place): not all of it is mapped for reading"
    case .notWritable: "cannot write \(place): not all of it is mapped for writing"
    case .emptyRegion: "cannot map \(place): a region has at least one byte"
    case .beyondAddressSpace: "cannot map \(place): it ends beyond 64 bits of address"
    case .overlapsRegion: "cannot map \(place): it overlaps a region"
    case .noSuchRegion: "cannot unmap \(place): no region matches it exactly"
    case .unanswered: "cannot reach \(place): the host refused, or did not reply"
    }
  }
}
