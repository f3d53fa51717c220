// SPDX-License-Identifier: Apache-2.0

/// A piece of host memory that a command's data go to or come from.
struct Segment: Hashable {
  var address: UInt64
  var count: Int
}
