// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import NVMe
internal import PCI
internal import Synchronization

/// Doorbells as memory that a host can map: a file without a name, with the doorbells where BAR 0 has them.
///
/// Host and controller share this memory: the host stores a value, and the controller finds it when it polls.
@safe final class DoorbellPages {
  /// The doorbells in the order of BAR 0: tail and head of queue 0, of queue 1, …
  let words: UnsafeMutablePointer<Atomic<UInt32>>
  /// Whole pages.
  private let byteCount: Int
  private let descriptor: CInt

  static let pageSize = 4096
  /// Bytes of BAR 0 for the doorbells of a number of queue pairs, in whole pages.
  static func byteCount(pairs: Int) -> Int { (8 * pairs + pageSize - 1) / pageSize * pageSize }

  /// - Returns: nil when the machine has no room for them.
  init?(pairs: Int) {
    let bytes = Self.byteCount(pairs: pairs)
    let number = unsafe epfnvme_fixed_memory_descriptor(
      "doorbells", UInt64(Register.doorbells + bytes))
    guard number >= 0 else { return nil }
    guard
      let start = unsafe mmap(
        nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, number, off_t(Register.doorbells)),
      unsafe start != MAP_FAILED
    else {
      close(number)
      return nil
    }
    descriptor = number
    byteCount = bytes
    // An atomic word has the size of a word, and the file is zeroed.
    unsafe words = start.bindMemory(to: Atomic<UInt32>.self, capacity: bytes / 4)
  }

  deinit {
    _ = unsafe munmap(words, byteCount)
    close(descriptor)
  }

  var areas: MappedAreas {
    MappedAreas(
      areas: [UInt64(Register.doorbells)..<UInt64(Register.doorbells + byteCount)],
      descriptor: descriptor)
  }
}
