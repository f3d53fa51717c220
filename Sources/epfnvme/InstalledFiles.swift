// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// The files that `make install` puts beside the program: `share/epfnvme`, next to the program's `bin`.
enum InstalledFiles {
  /// The shipped profiles; nil when the program runs from where it was built.
  static let profiles: FilePath? = share.flatMap { share in
    let path = share.appending("profiles")
    return (try? directoryNames(path)) == nil ? nil : path
  }

  /// The location of the shipped profiles for messages.
  static var shippedProfiles: String { profiles?.string ?? "Configs/profiles of the source" }

  private static let share: FilePath? = {
    guard let program = try? linkText("/proc/self/exe") else { return nil }
    return FilePath(program).removingLastComponent().removingLastComponent()
      .appending("share/epfnvme")
  }()
}
