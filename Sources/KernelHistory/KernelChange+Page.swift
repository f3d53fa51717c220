// SPDX-License-Identifier: Apache-2.0

/// The reference page of the table: Docs/Reference/Kernel/releases.md.
extension KernelChange {
  /// The releases of the page's matrix.
  private static let columns: [KernelVersion] = [
    .init(6, 12), .init(6, 14, 2), .init(6, 15), .init(6, 16), .init(6, 17), .init(6, 18),
    .init(6, 19), .init(7, 0), .init(7, 1), .init(7, 2, 13), .init(7, 3),
  ]

  /// - Parameter emulated: the names of the rows that the emulation of a release imitates.
  public static func page(emulated: Set<String>) -> String {
    """
    # Changes by kernel release

    <!-- make generate writes this file from Sources/KernelHistory. -->

    What changed for NVMe endpoints in the kernel since `nvmet_pci_epf` was merged in 6.14: how a behaviour shows, which releases end it, and
    the workaround until then. [nvmet_pci_epf.md](nvmet_pci_epf.md) and [pci_ep.md](pci_ep.md) describe Linux 7.2.13; a row below is where
    another release differs. `epfnvme doctor` reports the rows that the machine's kernel has, `--kernel-release` makes `predict`, `emulate` and
    `serve` behave as a release does, and `teardown` does not unload a driver where that is a use after free.

    Taken from the upstream commits, or the functions of the kernel, that the rows name, from their stable reviews, and from the changelogs of Debian's kernels 6.12.117 and
    7.2.13, for `drivers/nvme/target`, `drivers/pci/endpoint` and `drivers/pci/controller`. "About" is inferred from the date of a stable
    review; "or earlier" is a release that has the fix, though not necessarily the first.

    ## Contents

    1. [Changes](#1-changes)
    2. [Not fixed](#2-not-fixed)
    3. [Which release has what](#3-which-release-has-what)
    4. [Kernels of distributions and vendors](#4-kernels-of-distributions-and-vendors)

    ## 1. Changes

    ### 1.1 drivers/nvme/target

    \(changes(target.filter { $0.until != nil }))

    ### 1.2 drivers/pci

    \(changes(endpoint))

    ## 2. Not fixed

    No release fixes these; see [nvmet_pci_epf.md, 20](nvmet_pci_epf.md#20-quirks) and
    [pci_ep.md, 21](pci_ep.md#21-undefined-behaviour-that-user-space-must-prevent).

    \(open(target.filter { $0.until == nil } + unfixed))

    ## 3. Which release has what

    ● has the behaviour · ? may have it: the stable release with the commit is not known, and the emulation behaves as without it · empty: does not
    have it, or has no `nvmet_pci_epf`. In the last column, what `--kernel-release` emulates.

    \(matrix(emulated))

    ## 4. Kernels of distributions and vendors

    The release of a kernel (`uname -r`) says more or less about its fixes. The doctor distinguishes:

    | Release | Example | Conclusion |
    |---|---|---|
    | upstream: no suffix, or only `-rcN`, `-gHASH`, `-NNNNN-gHASH`, `-dirty`, `+` | `6.14.2`, `7.3.0-rc2` | the row holds |
    | a distribution that states the stable release: Debian 13, Armbian (current, edge), Fedora, Arch Linux, Raspberry Pi OS | `6.12.48+deb13-arm64`, `6.18.2-current-rockchip64` | the row holds, unless the distribution has added the fix |
    | a distribution that keeps one version: Ubuntu, RHEL, SUSE, Debian 12 | `6.14.0-29-generic`, `6.1.0-18-arm64` | may have the behaviour |
    | an unknown builder: every other suffix | `6.14.2-rockchip`, `6.17.7-orangepi`, `6.1.84-10-rk2410` | may have the behaviour |
    | a vendor's tree: Android, Armbian (vendor, legacy), NVIDIA, NXP, TI | `6.1.115-vendor-rk35xx`, `5.15.148-tegra` | may have the behaviour |

    A row that holds is the finding `known-kernel-bug`, a row that may hold `possible-kernel-bug`; rows without consequences for users are
    not reported. A release that has the fix is never reported.

    """
  }

  private static func changes(_ rows: [KernelChange]) -> String {
    (["| Behaviour | Change | Ended by | Until then | Workaround |", "|---|---|---|---|---|"]
      + rows.map { row in
        "| \(row.anchor) | \(row.change) | \(row.endText) | \(row.shows) | \(row.workaround ?? "–") |"
      }).joined(separator: "\n")
  }

  private static func open(_ rows: [KernelChange]) -> String {
    (["| Behaviour | What | Since | Shows | Workaround |", "|---|---|---|---|---|"]
      + rows.map { row in
        "| \(row.anchor) | \(row.change) | \(row.since?.text ?? "6.14") | \(row.shows) | \(row.workaround ?? "–") |"
      }).joined(separator: "\n")
  }

  private static func matrix(_ emulated: Set<String>) -> String {
    let names = columns.map(\.description).joined(separator: " | ")
    let lines = all.map { row in
      let cells = columns.map { version in
        // The driver is in Linux since 6.14.
        let isTarget = row.area == .nvmetPCIEPF || row.area == .nvmet
        guard !isTarget || version >= KernelVersion(6, 14) else { return "" }
        return switch row.presence(in: version) {
        case .present: "●"
        case .unknown: "?"
        case .absent: ""
        }
      }
      return "| [\(row.name)](#\(row.name)) | \(cells.joined(separator: " | ")) | "
        + (emulated.contains(row.name) ? "yes" : "–") + " |"
    }
    return
      (["| Behaviour | \(names) | Emulated |"]
      + ["|---|" + String(repeating: "---|", count: columns.count + 1)] + lines)
      .joined(separator: "\n")
  }

  private var anchor: String { "<a id=\"\(name)\"></a>`\(name)`" }

  /// The component, the title, and the commits or the place in the sources.
  private var change: String {
    let sources = commits + [source.map { "`\($0)`" }].compactMap(\.self)
    return "\(area.rawValue): \(title) (\(sources.joined(separator: ", ")))"
  }
}
