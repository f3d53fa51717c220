// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import LinuxFiles
internal import SystemPackage

/// The program that the kernel itself calls for modules, for builds without libkmod.
/// - Source: `Documentation/admin-guide/sysctl/kernel.rst`, `modprobe`.
struct LoaderProgram {
  var path: String

  static var ofRunningKernel: LoaderProgram {
    let named = (try? readFile("/proc/sys/kernel/modprobe"))?.trimmed ?? ""
    return LoaderProgram(path: named.isEmpty ? "/sbin/modprobe" : named)
  }

  func load(_ name: String, parameters: [String]) throws(ModuleError) {
    let status: CInt
    let said: String
    do { (status, said) = try run([path, name] + parameters) } catch {
      throw ModuleError(.load, name, error, reason: "\(path) cannot be started")
    }
    guard status != 0 else { return }
    let errno = Self.errno(namedIn: said)
    throw ModuleError(
      .load, name, errno, reason: said.isEmpty ? FailureReason.loading(errno) : said)
  }

  /// The errno that a program's last words name; `modprobe` ends a line with `strerror`'s text.
  static func errno(namedIn text: String) -> Errno {
    let lines = text.split(separator: "\n")
    for number in CInt(1)...133 {
      let errno = Errno(rawValue: number)
      if lines.contains(where: { $0.hasSuffix(": \(errno.description)") }) { return errno }
    }
    return text.contains("not found") ? .noSuchFileOrDirectory : .ioError
  }

  /// Runs a program to its end.
  /// - Returns: its exit status, or 128 and the signal, and all that it wrote.
  func run(_ arguments: [String]) throws(Errno) -> (status: CInt, output: String) {
    var ends: [CInt] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw .current }
    defer { close(ends[0]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var vector: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    // `errno(namedIn:)` knows the texts of the C locale.
    var environment: [UnsafeMutablePointer<CChar>?] = unsafe [
      strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil,
    ]
    defer {
      for index in unsafe vector.indices { unsafe free(vector[index]) }
      for index in unsafe environment.indices { unsafe free(environment[index]) }
    }
    var process = pid_t()
    let status = unsafe posix_spawn(&process, arguments[0], &actions, nil, &vector, &environment)
    close(ends[1])
    guard status == 0 else { throw Errno(rawValue: status) }
    let output = drain(ends[0])
    var result: CInt = 0
    while unsafe waitpid(process, &result, 0) < 0 {
      let error = Errno.current
      if error != .interrupted { throw error }
    }
    let signal = result & 0x7f
    return (signal == 0 ? (result >> 8) & 0xff : 128 + signal, output)
  }

  private func drain(_ descriptor: CInt) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0, Errno.current == .interrupted { continue }
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).trimmed
  }
}
