// SPDX-License-Identifier: Apache-2.0
internal import LibC
package import SystemPackage

extension Errno {
  /// The error of the last system call of this thread.
  package static var current: Errno { Errno(rawValue: LibC.errno) }

  /// A result of `CLinux`, which is -errno for a failure.
  package static func check(_ result: Int64) throws(Errno) -> Int64 {
    guard result >= 0 else { throw Errno(rawValue: CInt(-result)) }
    return result
  }
}
