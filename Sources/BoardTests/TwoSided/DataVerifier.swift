// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import ConfigFS
internal import LibC
internal import LinuxFiles
internal import Numbers
package import SystemPackage

/// Writes a pattern all over a disk, past the page cache, and reads it back.
///
/// Every 512 bytes contain their position, the seed of the run and a checksum of the rest, so that lost, misplaced, torn and stale blocks
/// can be distinguished.
package struct DataVerifier {
  /// The outcome.
  package struct Outcome: Sendable {
    package var bytes: UInt64 = 0
    package var writing: Duration = .zero
    package var reading: Duration = .zero
    /// The first differences, a sentence each.
    package var differences: [String] = []
    package var differenceCount = 0

    /// Megabytes (10⁶) in a second.
    package static func rate(_ bytes: UInt64, _ time: Duration) -> Double {
      Double(bytes) / 1000 / max(time.inMilliseconds, 0.001)
    }
  }

  package struct Failure: Error, CustomStringConvertible {
    package var attempt: String
    package var path: String
    package var offset: UInt64?
    package var errno: Errno
    package var description: String {
      "cannot \(attempt) \(path)\(offset.map { " at \($0)" } ?? ""): \(errno.nameAndText)"
    }
  }

  private static let sector = 512
  /// Bytes of one request: more than the maximum of most disks, so that it is split.
  private static let chunk = 1 << 20
  private static let shownDifferences = 8

  private let path: FilePath
  private let seed: UInt64
  /// Bytes that are written at most.
  private let budget: UInt64

  package init(_ path: FilePath, seed: UInt64, budget: UInt64) {
    self.path = path
    self.seed = seed
    self.budget = max(budget, UInt64(Self.chunk))
  }

  /// - Throws: ``Failure``: EBUSY for a disk in use, and errors of reads and writes.
  package func run(isInterrupted: () -> Bool) throws(Failure) -> Outcome {
    let file: Descriptor
    // An exclusive open of a block device fails if it is in use, for example mounted.
    do throws(Errno) {
      file = try Descriptor(unsafe epfnvme_open_exclusive(path.string))
    } catch {
      throw Failure(attempt: "open", path: path.string, errno: error)
    }
    let end = lseek(file.number, 0, SEEK_END)
    guard end >= 0 else { throw fail("size", nil) }
    let size = UInt64(end)
    var outcome = Outcome()
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Self.chunk, alignment: 4096)
    defer { unsafe buffer.deallocate() }
    let places = places(of: size)
    let start = ContinuousClock.now
    for place in places where !isInterrupted() {
      let count = Int(min(UInt64(Self.chunk), size - place))
      unsafe fill(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: place)
      let written = unsafe pwrite(file.number, buffer.baseAddress, count, off_t(place))
      guard written == count else { throw fail("write", place) }
      outcome.bytes += UInt64(count)
    }
    guard fsync(file.number) == 0 else { throw fail("flush", nil) }
    outcome.writing = .now - start
    let middle = ContinuousClock.now
    for place in places where !isInterrupted() {
      let count = Int(min(UInt64(Self.chunk), size - place))
      let read = unsafe pread(file.number, buffer.baseAddress, count, off_t(place))
      guard read == count else { throw fail("read", place) }
      unsafe verify(
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), at: place,
        &outcome)
    }
    outcome.reading = .now - middle
    return outcome
  }

  private func fail(_ attempt: String, _ offset: UInt64?) -> Failure {
    let error = Errno.current
    return Failure(
      attempt: attempt, path: path.string, offset: offset,
      errno: error.rawValue == 0 ? .ioError : error)
  }

  /// The positions of the written pieces: everywhere on a small disk; else the beginning, the end and evenly spaced positions in between.
  func places(of size: UInt64) -> [UInt64] {
    let piece = UInt64(Self.chunk)
    let all = (size + piece - 1) / piece
    let wanted = min(all, budget / piece)
    guard wanted > 1 else { return all == 0 ? [] : [0] }
    return (0..<wanted).map { $0 * (all - 1) / (wanted - 1) * piece }
  }

  // MARK: The pattern

  /// Place, seed, checksum, then numbers that follow from place and seed.
  private func fill(_ bytes: UnsafeMutableRawBufferPointer, at place: UInt64) {
    for start in stride(from: 0, to: bytes.count, by: Self.sector) {
      let offset = place + UInt64(start)
      var numbers = XorShift64(seed: offset &* 0x9e37_79b9_7f4a_7c15 ^ seed)
      var sum: UInt64 = 0xcbf2_9ce4_8422_2325
      for word in stride(from: 24, to: Self.sector, by: 8) {
        let number = numbers.next()
        sum = (sum ^ number) &* 0x100_0000_01b3
        unsafe bytes.storeBytes(
          of: number.littleEndian, toByteOffset: start + word, as: UInt64.self)
      }
      unsafe bytes.storeBytes(of: offset.littleEndian, toByteOffset: start, as: UInt64.self)
      unsafe bytes.storeBytes(of: seed.littleEndian, toByteOffset: start + 8, as: UInt64.self)
      unsafe bytes.storeBytes(of: sum.littleEndian, toByteOffset: start + 16, as: UInt64.self)
    }
  }

  private func verify(
    _ bytes: UnsafeRawBufferPointer, at place: UInt64, _ outcome: inout Outcome
  ) {
    for start in stride(from: 0, to: bytes.count, by: Self.sector) {
      let offset = place + UInt64(start)
      func word(_ index: Int) -> UInt64 {
        unsafe UInt64(
          littleEndian: bytes.loadUnaligned(fromByteOffset: start + index, as: UInt64.self))
      }
      var sum: UInt64 = 0xcbf2_9ce4_8422_2325
      for index in stride(from: 24, to: Self.sector, by: 8) {
        sum = (sum ^ word(index)) &* 0x100_0000_01b3
      }
      let problem: String
      if word(8) != seed {
        problem =
          word(0) == 0 && word(8) == 0 ? "holds zeros" : "holds data that this run did not write"
      } else if word(0) != offset {
        problem = "holds the data that was written at \(word(0))"
      } else if word(16) != sum {
        problem = "is damaged: its checksum is wrong"
      } else {
        continue
      }
      outcome.differenceCount += 1
      if outcome.differences.count < Self.shownDifferences {
        outcome.differences.append("the block at \(offset) \(problem)")
      }
    }
  }
}
