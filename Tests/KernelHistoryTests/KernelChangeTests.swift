// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import KernelHistory
import Testing

@Suite("The table of kernel changes")
struct KernelChangeTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var release: String
    var presence: KernelChange.Presence
    var testDescription: String { "\(name) in \(release)" }

    init(_ name: String, _ release: String, _ presence: KernelChange.Presence) {
      self.name = name
      self.release = release
      self.presence = presence
    }
  }

  static let rows: [Row] = [
    // A fix in a known stable release.
    Row("enable-survives-shutdown", "6.14.0", .present),
    Row("enable-survives-shutdown", "6.14.3", .present),
    Row("enable-survives-shutdown", "6.14.4", .absent),
    Row("enable-survives-shutdown", "6.15.0", .absent),
    // One whose stable release is estimated, and one whose stable release is not known.
    Row("link-changes-not-logged", "6.14.5", .present),
    Row("link-changes-not-logged", "6.14.6", .absent),
    Row("bar0-32-bit", "6.14.11", .unknown),
    Row("refused-command-completes-twice", "6.15.9", .unknown),
    Row("refused-command-completes-twice", "6.16.0", .present),
    Row("refused-command-completes-twice", "6.16.1", .absent),
    // One that another fix introduced, with the same stable releases.
    Row("failed-read-hangs", "6.14.2", .absent),
    Row("failed-read-hangs", "6.16.1", .present),
    Row("failed-read-hangs", "7.3.0", .present),
    // A stable release that has the fix, though not as the first.
    Row("driver-unload-use-after-free", "6.12.50", .unknown),
    Row("driver-unload-use-after-free", "6.12.117", .absent),
    Row("driver-unload-use-after-free", "6.6.50", .unknown),
    Row("driver-unload-use-after-free", "6.16.3", .present),
    Row("driver-unload-use-after-free", "6.17.0", .absent),
    // A longterm series beside the newest ones.
    Row("exec-iod-work-use-after-free", "6.18.46", .present),
    Row("exec-iod-work-use-after-free", "6.18.47", .absent),
    Row("exec-iod-work-use-after-free", "6.19.5", .present),
    Row("exec-iod-work-use-after-free", "7.1.2", .unknown),
    Row("exec-iod-work-use-after-free", "7.2.13", .absent),
    // Candidates.
    Row("rcu-stall-under-load", "6.14.0-rc1", .unknown),
    Row("rcu-stall-under-load", "6.14.0", .absent),
    Row("msi-address-cached", "7.0.0-rc1", .present),
    Row("msi-address-cached", "7.0.0-rc2", .absent),
    Row("msi-address-cached", "6.19.0", .absent),
    Row("msi-address-cached", "7.0.0", .absent),
    // Posted, and pending.
    Row("large-entry-sizes-enabled", "7.2.13", .present),
    Row("large-entry-sizes-enabled", "7.3.0", .absent),
    Row("configuration-lost-at-link-down", "7.3.0", .present),
    // Distributions and vendors.
    Row("enable-survives-shutdown", "6.14.0-29-generic", .unknown),
    Row("enable-survives-shutdown", "6.15.0-4-generic", .absent),
    Row("enable-survives-shutdown", "6.14.2-rockchip", .unknown),
    Row("enable-survives-shutdown", "6.17.7-orangepi", .absent),
    Row("msix-write-after-unmap", "6.18.2-current-rockchip64", .unknown),
    Row("ats-capability-broken", "6.1.115-vendor-rk35xx", .unknown),
    Row("ats-capability-broken", "6.12.48+deb13-arm64", .present),
    Row("ats-capability-broken", "6.18.2-current-rockchip64", .absent),
    Row("transfer-failure-succeeds", "6.14.0-29-generic", .present),
  ]

  @Test("a release has a behaviour, does not have it, or does not tell", arguments: rows)
  func presence(row: Row) throws {
    let change = try #require(KernelChange.named(row.name))
    let release = try #require(KernelRelease(row.release))
    #expect(change.presence(in: release) == row.presence)
  }

  @Test(
    "a release is emulated with a commit or without it: the fix of one behaviour began another",
    arguments: [
      KernelVersion(6, 14, 2), KernelVersion(6, 15), KernelVersion(6, 15, 11), KernelVersion(6, 16),
      KernelVersion(6, 16, 1), KernelVersion(6, 17), KernelVersion(7, 3),
    ])
  func oneCommit(version: KernelVersion) throws {
    let twice = try #require(KernelChange.named("refused-command-completes-twice"))
    let hangs = try #require(KernelChange.named("failed-read-hangs"))
    #expect(twice.isEmulated(in: version) != hangs.isEmulated(in: version))
  }

  @Test("names are unique, and every row says how it shows and what it changes")
  func complete() {
    #expect(Set(KernelChange.all.map(\.name)).count == KernelChange.all.count)
    for row in KernelChange.all {
      #expect(!row.title.isEmpty && !row.shows.isEmpty, "\(row.name)")
      #expect(row.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" }, "\(row.name)")
      #expect(!row.commits.isEmpty || row.source?.contains(".c, ") == true, "\(row.name)")
      #expect(row.commits.allSatisfy { $0.count == 12 && $0.allSatisfy(\.isHexDigit) })
    }
  }

  @Test("a quirk that is a row is a quirk of nvmet_pci_epf, present in the releases of the row")
  func quirks() {
    for quirk in Quirk.allCases {
      guard let change = quirk.change else { continue }
      #expect(quirk.behaviour == .nvmetPCIEPF)
      for version in [KernelVersion(6, 14, 2), KernelVersion(6, 17), KernelVersion(7, 3)] {
        #expect(
          Behaviour.nvmetPCIEPF.quirks(in: version).contains(quirk)
            == change.isEmulated(in: version), "\(quirk) in \(version)")
      }
    }
  }

  @Test("each quirk has its own bit, in the order of declaration")
  func bits() {
    let all = QuirkSet(Quirk.allCases)
    #expect(all.quirks == Quirk.allCases)
    #expect(Quirk.allCases.count <= 64)
    for quirk in Quirk.allCases {
      #expect(QuirkSet([quirk]).quirks == [quirk])
      #expect(all.subtracting([quirk]).quirks == Quirk.allCases.filter { $0 != quirk })
    }
  }
}
