// SPDX-License-Identifier: Apache-2.0

// The C library, of whichever kind the platform has. No other target imports one.
#if canImport(Musl)
  @_exported public import Musl
#else
  @_exported public import Glibc
#endif
