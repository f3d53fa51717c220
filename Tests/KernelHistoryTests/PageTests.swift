// SPDX-License-Identifier: Apache-2.0
import KernelHistory
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

@Suite("The reference page of kernel releases")
struct PageTests {
  private static let page = KernelChange.page(emulated: SimulatedKernel.Release.emulatedChanges)

  @Test("Docs/Reference/Kernel/releases.md is the page of the table; make generate writes it")
  func upToDate() throws {
    let file = ShippedProfile.repository.appending("Docs/Reference/Kernel/releases.md")
    #expect(String(decoding: try readFile(file), as: UTF8.self) == Self.page)
  }

  @Test("it has every row, with its commits and how it shows")
  func complete() {
    for row in KernelChange.all {
      for text in [row.shows, row.endText, "<a id=\"\(row.name)\">", "](#\(row.name))"]
        + row.commits + [row.source ?? ""]
      where row.until != nil || text != row.endText {
        #expect(Self.page.contains(text), "\(row.name): \(text)")
      }
    }
  }
}
