// SPDX-License-Identifier: Apache-2.0
internal import PCI

/// Accesses of a processor to memory of another machine: of 1, 2, 4 and 8 bytes as one load or store, others as bytes.
extension HostMemory {
  /// Fills a buffer: with ones, if a byte is not mapped for reading.
  func readAccess(at address: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    do throws(HostMemoryError) {
      switch buffer.count {
      case 2: unsafe buffer.storeBytes(of: try load(at: address, as: UInt16.self), as: UInt16.self)
      case 4: unsafe buffer.storeBytes(of: try load(at: address, as: UInt32.self), as: UInt32.self)
      case 8: unsafe buffer.storeBytes(of: try load(at: address, as: UInt64.self), as: UInt64.self)
      default: try unsafe read(at: address, into: buffer)
      }
    } catch { unsafe buffer.fillWithOnes() }
  }

  /// Writes a buffer: nothing, if a byte is not mapped for writing.
  func writeAccess(at address: UInt64, from buffer: UnsafeRawBufferPointer) {
    do throws(HostMemoryError) {
      switch buffer.count {
      case 2: try unsafe store(buffer.loadUnaligned(as: UInt16.self), at: address)
      case 4: try unsafe store(buffer.loadUnaligned(as: UInt32.self), at: address)
      case 8: try unsafe store(buffer.loadUnaligned(as: UInt64.self), at: address)
      default: try unsafe write(at: address, from: buffer)
      }
    } catch {}
  }
}

extension UnsafeMutableRawBufferPointer {
  func fillWithOnes() {
    for index in indices { unsafe self[index] = 0xFF }
  }
}
