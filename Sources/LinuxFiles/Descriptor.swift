// SPDX-License-Identifier: Apache-2.0
package import Glibc
package import SystemPackage

/// An open file that is closed when it goes.
package struct Descriptor: ~Copyable {
  package let number: CInt

  package init(opening path: FilePath, _ flags: CInt, mode: mode_t = 0) throws(Errno) {
    while true {
      let number = unsafe open(path.string, flags | O_CLOEXEC, mode)
      if number >= 0 {
        self.number = number
        return
      }
      let error = Errno.current
      if error != .interrupted { throw error }
    }
  }

  /// Takes over what a call has opened; a negative number is that call's error.
  package init(_ opened: CInt) throws(Errno) {
    number = CInt(try Errno.check(Int64(opened)))
  }

  deinit { close(number) }
}
