// SPDX-License-Identifier: Apache-2.0
import LibC
import LinuxFiles
import SystemPackage
import Testing

@Suite struct ChildProcessTests {
  @Test(
    "a program runs to its end and its output is kept",
    arguments: [
      (["/bin/sh", "-c", "echo said >&2; exit 3"], 3, "said"),
      (["/bin/sh", "-c", "echo on stdout; exit 0"], 0, "on stdout"),
      (["/bin/sh", "-c", "kill -9 $$"], 137, ""),
    ] as [([String], CInt, String)])
  func run(arguments: [String], status: CInt, said: String) throws {
    let result = try ChildProcess(arguments).run()
    #expect(result.status == status && result.output == said && !result.ranOutOfTime)
  }

  @Test("a program gets its input")
  func input() throws {
    var child = ChildProcess(["/bin/sh", "-c", "cat"])
    child.input = String(repeating: "a line\n", count: 100_000)
    #expect(try child.run().output == child.input.dropLast())
  }

  @Test("a missing program cannot be started")
  func missing() {
    #expect(throws: Errno.noSuchFileOrDirectory) {
      try ChildProcess(["/nonexistent/program"]).run()
    }
  }

  @Test("a program is killed together with the programs that it started", arguments: [true, false])
  func group(isLate: Bool) throws {
    // All of them hold the pipe's end for writing until they are killed.
    var ends: [CInt] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    _ = fcntl(reading, F_SETFD, FD_CLOEXEC)
    defer { close(reading) }
    func isReadable(milliseconds: CInt) -> Bool {
      var polled = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
      return poll(&polled, 1, milliseconds) == 1
    }
    var child = ChildProcess([
      "/bin/sh", "-c", "sleep 600 & echo started >/proc/self/fd/\(writing); wait",
    ])
    if isLate {
      child.limit = .seconds(1)
    } else {
      child.isUnwanted = { isReadable(milliseconds: 0) }
    }
    let result = try child.run()
    #expect(result.status == 128 + SIGKILL && result.ranOutOfTime == isLate)
    close(writing)
    var bytes = [UInt8](repeating: 0, count: 64)
    var count = 1
    while count > 0 {
      try #require(isReadable(milliseconds: 60_000), "a program is still running")
      count = read(reading, &bytes, bytes.count)
    }
    #expect(count == 0)
  }
}
