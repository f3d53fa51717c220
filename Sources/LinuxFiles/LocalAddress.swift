// SPDX-License-Identifier: Apache-2.0
internal import CLinux
public import SystemPackage

/// Why no socket of this machine can be bound to an IP address: EADDRNOTAVAIL if no interface has it; nil if one can.
public func bindProblem(_ address: String) -> Errno? {
  // The text is read only during the call.
  let status = unsafe epfnvme_bind_address(address)
  return status < 0 ? Errno(rawValue: -status) : nil
}
