// SPDX-License-Identifier: Apache-2.0
import CLinux
import Foundation
import Glibc
import Testing

@testable import VFIOUser

/// The socket at which clients arrive, where the command line does not show it.
@Suite struct ListenerTests {
  /// Of the whole process: `Umask:` in `/proc/self/status` (proc_pid_status(5)).
  private static func fileModeMask() throws -> Substring {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    return try #require(status.split(separator: "\n").first { $0.hasPrefix("Umask:") })
  }

  // A mask that is changed, if only for a moment, is changed for every thread and every child that starts meanwhile; and two threads that put
  // each other's back leave it changed for ever.
  @Test("making sockets on several threads never changes the process's file mode mask")
  func maskStays() throws {
    let directory = "/dev/shm/epfnvme-listeners-\(UInt64.random(in: 0...UInt64.max))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let before = try Self.fileModeMask()
    DispatchQueue.concurrentPerform(iterations: 3) { worker in
      do {
        for _ in 0..<500 {
          if worker == 0 {
            try #expect(Self.fileModeMask() == before)
          } else {
            let path = "\(directory)/\(worker)"
            _ = try Listener(path: path)
          }
        }
      } catch {
        Issue.record("\(error)")
      }
    }
    #expect(try Self.fileModeMask() == before)
  }

  @Test("a socket is its owner's alone from the bind on")
  func mode() throws {
    let path = "/dev/shm/epfnvme-listener-\(UInt64.random(in: 0...UInt64.max))"
    let number = epfnvme_unix_bind(path)
    try #require(number >= 0)
    defer { unlink(path); close(number) }
    var facts = stat()
    try #require(lstat(path, &facts) == 0)
    #expect(facts.st_mode & 0o777 == 0o600)
  }
}
