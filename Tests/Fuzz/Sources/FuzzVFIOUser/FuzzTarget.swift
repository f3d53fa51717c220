// SPDX-License-Identifier: Apache-2.0
import Foundation
import LibC

/// The target of hostile clients.
protocol FuzzTarget: AnyObject {
  /// The socket for a client.
  func socket(for client: Int) -> String

  /// Lets honest clients do their work, and takes them away again. What accompanies the hostile clients is away, too, until ``resume()``.
  /// - Returns: how many honest clients there were at the sockets of hostile ones.
  /// - Throws: if they cannot.
  func checkHonest() throws -> Int

  /// Goes on after ``checkHonest()``.
  func resume() throws

  /// The number of clients, hostile ones and honest ones at the same sockets, that the server is done with.
  var goneClients: Int { get }

  /// The events of the target.
  var summary: String { get }
}

extension FuzzTarget {
  /// Waits until the server is done with every client of the past.
  /// - Returns: false when it is not after 30 s.
  func isIdle(after clients: Int) -> Bool { isTrueSoon { goneClients >= clients } }
}

/// Waits for a condition.
/// - Returns: false if it does not come true in 30 s.
func isTrueSoon(_ condition: () -> Bool) -> Bool {
  let limit = Date().addingTimeInterval(30)
  while !condition() {
    guard Date() < limit else { return false }
    usleep(100)
  }
  return true
}

/// A violation of an invariant.
struct Finding: Error, CustomStringConvertible {
  var description: String
}

/// The resources of the process, compared before and after.
struct Holdings: Equatable, CustomStringConvertible {
  var descriptors: Int
  /// Mappings of memory that clients passed.
  var mappings: Int
  var threads: Int

  /// Of this process, now.
  init() {
    func count(_ directory: String) -> Int {
      (try? FileManager.default.contentsOfDirectory(atPath: directory).count) ?? -1
    }
    descriptors = count("/proc/self/fd")
    threads = count("/proc/self/task")
    // The size of the file is 0: String(contentsOfFile:) would read only its first 4 KiB.
    let bytes = try? FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd()
    let maps = String(decoding: bytes ?? Data(), as: UTF8.self)
    mappings = maps.split(separator: "\n").count { $0.contains("/memfd:") }
  }

  var description: String {
    "\(descriptors) descriptors, \(mappings) mappings, \(threads) threads"
  }

  /// Bytes of memory in use.
  static var resident: Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let words = text.split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
  }
}
