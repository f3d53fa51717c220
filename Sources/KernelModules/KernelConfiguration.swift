// SPDX-License-Identifier: Apache-2.0
public import LinuxFiles
public import SystemPackage

/// The configuration of a kernel, if it is available.
public struct KernelConfiguration: Sendable {
  /// The value of an option.
  public enum Value: String, Sendable, Hashable {
    case builtIn = "y"
    case module = "m"
  }

  private let options: [Substring: Value]
  private let unset: Set<Substring>
  /// The file that it was read from; nil for a text.
  public let source: FilePath?

  /// - Parameter text: the lines of a `.config`.
  public init(parsing text: String, source: FilePath? = nil) {
    self.source = source
    var options: [Substring: Value] = [:]
    var unset: Set<Substring> = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# CONFIG_"), line.hasSuffix(" is not set") {
        unset.insert(line.dropFirst(9).dropLast(11))
      }
      guard line.hasPrefix("CONFIG_"), let mark = line.firstIndex(of: "="),
        let value = Value(rawValue: String(line[line.index(after: mark)...]))
      else { continue }
      options[line[..<mark].dropFirst(7)] = value
    }
    self.options = options
    self.unset = unset
  }

  /// Possible locations of the kernel's configuration, the fastest first.
  /// - Source: `kernel/configs.c`, `/proc/config.gz`.
  public static func places(release: String) -> [FilePath] {
    [
      FilePath("/boot/config-\(release)"), FilePath("/lib/modules/\(release)/config"),
      "/proc/config.gz",
    ]
  }

  /// The running kernel's: from the file that a distribution installs, or from the kernel itself.
  /// - Returns: nil when neither can be read.
  public static func ofRunningKernel(
    release: String, files: some SystemFiles = LiveSystemFiles()
  ) -> KernelConfiguration? {
    for path in places(release: release) {
      if let text = try? files.text(of: path) {
        return KernelConfiguration(parsing: text, source: path)
      }
    }
    return nil
  }

  /// The value of an option, without `CONFIG_`; nil if it is not set, or is neither `y` nor `m`.
  public subscript(option: String) -> Value? { options[Substring(option)] }

  /// Whether an option, without `CONFIG_`, is `y` or `m`.
  public func has(_ option: String) -> Bool { self[option] != nil }

  /// The line of an option in the file, or a text that there is none, because its dependencies are not met.
  public func line(of option: String) -> String {
    if let value = self[option] { return "CONFIG_\(option)=\(value.rawValue)" }
    return unset.contains(Substring(option))
      ? "# CONFIG_\(option) is not set" : "no line about CONFIG_\(option)"
  }
}
