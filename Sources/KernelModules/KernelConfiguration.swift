// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

/// What a kernel was built with, where the machine knows it.
public struct KernelConfiguration: Sendable {
  private let enabled: Set<Substring>

  /// - Parameter text: the lines of a `.config`.
  public init(parsing text: String) {
    enabled = Set(
      text.split(separator: "\n").compactMap { line in
        guard line.hasPrefix("CONFIG_"), line.hasSuffix("=y") || line.hasSuffix("=m") else {
          return nil
        }
        return line.dropFirst(7).dropLast(2)
      })
  }

  /// The running kernel's: from the file that a distribution installs, or from the kernel itself.
  /// - Returns: nil when neither is there.
  /// - Source: `kernel/configs.c`, `/proc/config.gz`.
  public static func ofRunningKernel(release: String) -> KernelConfiguration? {
    for path in ["/boot/config-\(release)", "/lib/modules/\(release)/config"] {
      if let text = try? readFile(FilePath(path)) { return KernelConfiguration(parsing: text) }
    }
    let compressed = "/proc/config.gz"
    guard (try? readFile(FilePath(compressed))) != nil else { return nil }
    for gzip in ["/usr/bin/gzip", "/bin/gzip"] {
      if let ending = try? ChildProcess([gzip, "-dc", compressed]).run(), ending.status == 0 {
        return KernelConfiguration(parsing: ending.output)
      }
    }
    return nil
  }

  /// Whether an option, without `CONFIG_`, is `y` or `m`.
  public func has(_ option: String) -> Bool { enabled.contains(Substring(option)) }
}
