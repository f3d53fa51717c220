// SPDX-License-Identifier: Apache-2.0

/// The mapped parts of the board's window into host memory.
///
/// - Source: `include/linux/pci-epc.h`, `struct pci_epc_ops`, `map_addr`.
struct LinkWindows {
  struct Window: Equatable {
    /// Bytes of BAR 2, whole pages.
    var offsets: Range<UInt64>
    var function: Int
    /// The host's PCI address of the first byte. All bytes have addresses of 64 bits.
    var address: UInt64
  }

  /// The length of BAR 2, bytes.
  let size: UInt64
  /// In the order of their offsets; no two overlap.
  private(set) var windows: [Window] = []

  init(size: UInt64) { self.size = size }

  /// Adds a window.
  /// - Returns: false, without an effect, if it is not in BAR 2, overlaps another one, ends beyond 64 bits of address, or is one too many.
  mutating func map(firstPage: UInt32, pages: UInt32, function: Int, to address: UInt64) -> Bool {
    let first = UInt64(firstPage) * BoardDevice.pageSize
    let count = UInt64(pages) * BoardDevice.pageSize
    guard count > 0, first < size, count <= size - first, address % BoardDevice.pageSize == 0,
      !address.addingReportingOverflow(count - 1).overflow,
      windows.count < BoardDevice.maximumWindows
    else { return false }
    let index = indexOfWindow(endingAfter: first)
    guard index == windows.count || windows[index].offsets.lowerBound >= first + count else {
      return false
    }
    windows.insert(
      Window(offsets: first..<first + count, function: function, address: address), at: index)
    return true
  }

  /// Removes the window that starts at a page, if there is one.
  mutating func unmap(firstPage: UInt32) {
    let first = UInt64(firstPage) * BoardDevice.pageSize
    let index = indexOfWindow(endingAfter: first)
    guard index < windows.count, windows[index].offsets.lowerBound == first else { return }
    windows.remove(at: index)
  }

  mutating func removeAll() { windows.removeAll() }

  mutating func removeAll(of function: Int) { windows.removeAll { $0.function == function } }

  /// The window of an offset.
  func window(at offset: UInt64) -> Window? {
    let index = indexOfWindow(endingAfter: offset)
    guard index < windows.count, windows[index].offsets.contains(offset) else { return nil }
    return windows[index]
  }

  /// The offset of the first window after an offset that is in none; the end of BAR 2 if there is none.
  func nextWindow(after offset: UInt64) -> UInt64 {
    let index = indexOfWindow(endingAfter: offset)
    return index < windows.count ? windows[index].offsets.lowerBound : size
  }

  private func indexOfWindow(endingAfter offset: UInt64) -> Int {
    var range = 0..<windows.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range =
        windows[middle].offsets.upperBound <= offset
        ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }
}
