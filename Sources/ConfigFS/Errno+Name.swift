// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

extension Errno {
  /// The symbol, `EBUSY`; numbers without one are shown as `errno 524`.
  public var name: String {
    Self.names[rawValue] ?? "errno \(rawValue)"
  }

  /// `EBUSY (Device or resource busy)`.
  public var nameAndText: String { "\(name) (\(description))" }

  /// The errno of a symbol, `EBUSY`.
  public init?(name: String) {
    guard let match = Self.names.first(where: { $0.value == name }) else { return nil }
    self.init(rawValue: match.key)
  }

  /// Linux's generic numbers, the same on all architectures that have PCI endpoint controllers.
  /// - Source: `include/uapi/asm-generic/errno-base.h`, `errno.h`, `include/linux/errno.h`.
  private static let names: [CInt: String] = [
    1: "EPERM", 2: "ENOENT", 3: "ESRCH", 4: "EINTR", 5: "EIO", 6: "ENXIO", 7: "E2BIG",
    8: "ENOEXEC", 9: "EBADF", 10: "ECHILD", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES",
    14: "EFAULT", 15: "ENOTBLK", 16: "EBUSY", 17: "EEXIST", 18: "EXDEV", 19: "ENODEV",
    20: "ENOTDIR", 21: "EISDIR", 22: "EINVAL", 23: "ENFILE", 24: "EMFILE", 25: "ENOTTY",
    26: "ETXTBSY", 27: "EFBIG", 28: "ENOSPC", 29: "ESPIPE", 30: "EROFS", 31: "EMLINK",
    32: "EPIPE", 33: "EDOM", 34: "ERANGE", 35: "EDEADLK", 36: "ENAMETOOLONG", 37: "ENOLCK",
    38: "ENOSYS", 39: "ENOTEMPTY", 40: "ELOOP", 61: "ENODATA", 62: "ETIME", 71: "EPROTO",
    74: "EBADMSG", 75: "EOVERFLOW", 95: "EOPNOTSUPP", 97: "EAFNOSUPPORT", 98: "EADDRINUSE",
    99: "EADDRNOTAVAIL",
    100: "ENETDOWN", 101: "ENETUNREACH", 103: "ECONNABORTED", 104: "ECONNRESET",
    110: "ETIMEDOUT", 111: "ECONNREFUSED", 113: "EHOSTUNREACH", 114: "EALREADY",
    115: "EINPROGRESS", 121: "EREMOTEIO", 122: "EDQUOT", 125: "ECANCELED", 524: "ENOTSUPP",
  ]
}
