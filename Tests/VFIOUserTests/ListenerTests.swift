// SPDX-License-Identifier: Apache-2.0
import CLinux
import Foundation
import LibC
import ServedHost
import Testing

@testable import VFIOUser

/// The socket at which clients arrive, where the command line does not show it.
@Suite struct ListenerTests {
  /// Of the whole process: `Umask:` in `/proc/self/status` (proc_pid_status(5)).
  private static func fileModeMask() throws -> Substring {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    return try #require(status.split(separator: "\n").first { $0.hasPrefix("Umask:") })
  }

  // A mask that is changed temporarily is changed for every thread and every child that starts meanwhile; and two threads that restore each
  // other's mask leave it changed permanently.
  @Test("making sockets on several threads never changes the process's file mode mask")
  func maskStays() throws {
    let directory = try PrivateDirectory()
    let before = try Self.fileModeMask()
    DispatchQueue.concurrentPerform(iterations: 3) { worker in
      do {
        for _ in 0..<500 {
          if worker == 0 {
            try #expect(Self.fileModeMask() == before)
          } else {
            _ = try Listener(path: "\(directory.path)/\(worker)")
          }
        }
      } catch {
        Issue.record("\(error)")
      }
    }
    #expect(try Self.fileModeMask() == before)
  }

  @Test("only the owner can access a socket from the bind on")
  func mode() throws {
    let directory = try PrivateDirectory()
    let path = directory.path + "/socket"
    let number = epfnvme_unix_bind(path)
    try #require(number >= 0)
    defer { close(number) }
    var facts = stat()
    try #require(lstat(path, &facts) == 0)
    #expect(facts.st_mode & 0o777 == 0o600)
  }
}
