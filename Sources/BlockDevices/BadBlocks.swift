// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// Ranges of bad sectors in the format of `badblocks`: a line `start length` for each, empty text for none.
/// - Source: `block/badblocks.c`, `badblocks_show`.
public struct BadBlocks: AttributeValue {
  /// Sectors of 512 bytes.
  public var ranges: [Range<UInt64>]

  public init(ranges: [Range<UInt64>]) { self.ranges = ranges }

  public init?(attributeText: String) {
    ranges = []
    for line in attributeText.split(separator: "\n") {
      let numbers = line.split(separator: " ")
      guard numbers.count == 2, let start = UInt64(numbers[0]), let length = UInt64(numbers[1])
      else { return nil }
      let (end, overflows) = start.addingReportingOverflow(length)
      if overflows { return nil }
      ranges.append(start..<end)
    }
  }

  public var attributeText: String {
    ranges.map { "\($0.lowerBound) \($0.count)\n" }.joined()
  }

  public static var expectedForm: String { "lines of a start and a length" }
}

/// A change of `badblocks`: `+5-10` or `-5-10`, sectors of 512 bytes, the last one included.
/// - Source: `drivers/block/null_blk/main.c`, `nullb_device_badblocks_store`.
public enum BadBlockChange: AttributeValue {
  case add(ClosedRange<UInt64>)
  case clear(ClosedRange<UInt64>)

  public init?(attributeText: String) {
    let text = attributeText.withoutTrailingNewline
    let numbers = text.dropFirst().split(separator: "-", omittingEmptySubsequences: false)
    guard numbers.count == 2, let first = String(numbers[0]).kernelInteger(UInt64.self),
      let last = String(numbers[1]).kernelInteger(UInt64.self), first <= last
    else { return nil }
    switch text.first {
    case "+": self = .add(first...last)
    case "-": self = .clear(first...last)
    default: return nil
    }
  }

  public var attributeText: String {
    switch self {
    case .add(let range): "+\(range.lowerBound)-\(range.upperBound)\n"
    case .clear(let range): "-\(range.lowerBound)-\(range.upperBound)\n"
    }
  }

  public static var expectedForm: String { "+FIRST-LAST or -FIRST-LAST" }
}
