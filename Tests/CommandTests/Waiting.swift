// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Waits for what will come, however slow the machine is.
func waitUntil(
  _ condition: Comment, isTrue: () throws -> Bool, location: SourceLocation = #_sourceLocation
) throws {
  let limit = Date().addingTimeInterval(120)
  while try !isTrue() {
    try #require(Date() < limit, condition, sourceLocation: location)
    usleep(10_000)
  }
}
