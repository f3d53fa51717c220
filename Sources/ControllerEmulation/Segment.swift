// SPDX-License-Identifier: Apache-2.0

/// A segment of host memory for a command's data.
struct Segment: Hashable {
  var address: UInt64
  var count: Int
}
