// SPDX-License-Identifier: Apache-2.0

/// A behaviour of the kernel's endpoint drivers that some releases have and others do not, or that every release has.
///
/// A row of the table ``all``, from which the emulation of a release, the doctor's findings, the limits of teardown and the reference page
/// follow.
public struct KernelChange: Sendable, Hashable {
  /// The name of the older behaviour, in the kernel's words; stable. A quirk of the emulation with this name imitates it.
  public var name: String
  public var area: Area
  /// The titles of the commits that end the behaviour; for a row without an end, what the behaviour is.
  public var title: String
  /// The commits that end it; empty if they have no known hash, or there is none.
  public var commits: [String] = []
  /// The file and the function of the kernel with the behaviour, where no commit says it.
  public var source: String?
  /// The first release with it; nil when it is older than the first release here, 6.12, or than the driver.
  public var since: Point?
  /// The first releases without it; nil when no release has ended it.
  public var until: Point?
  /// The symptom of the behaviour.
  public var shows: String
  /// The workaround without another kernel; nil if there is none.
  public var workaround: String?
  public var effect: Effect
  /// Where it shows: to a host, or on the board only.
  public var place: Place
  /// Device-tree compatibles of the endpoint controllers that have it, or their beginnings; empty for all.
  public var hardware: [String] = []

  /// The component with the behaviour.
  public enum Area: String, Sendable, Hashable, CaseIterable {
    case nvmetPCIEPF = "nvmet_pci_epf"
    case nvmet = "nvmet"
    case endpointCore = "PCI endpoint core"
    case designWare = "DesignWare endpoint controllers"
    case rockchip = "Rockchip endpoint controllers"
    case hostPCI = "PCI of the host"
  }

  /// The consequence of the behaviour for a user.
  public enum Effect: String, Sendable, Hashable, CaseIterable {
    /// The board or the host crashes, data is damaged, or the disk does not work.
    case severe
    /// A case fails, or a diagnosis misleads.
    case limited
    /// Cosmetic, or no bug.
    case minor
  }

  public enum Place: String, Sendable, Hashable, CaseIterable {
    case host, board
  }

  /// The releases from which on something holds.
  public struct Point: Sendable, Hashable {
    public var mainline: Mainline
    public var stable: [Stable]
    /// Whether other stable series may have it as well: the sources do not list them all.
    public var hasOtherSeries: Bool

    init(_ mainline: Mainline, _ stable: Stable..., others: Bool = false) {
      self.mainline = mainline
      self.stable = stable
      hasOtherSeries = others
    }

    init(_ major: Int, _ minor: Int, _ stable: Stable..., others: Bool = false) {
      mainline = .release(KernelVersion(major, minor))
      self.stable = stable
      hasOtherSeries = others
    }
  }

  public enum Mainline: Sendable, Hashable {
    case release(KernelVersion)
    /// Posted for review, and expected in a release.
    case posted(KernelVersion)
    /// Posted for review.
    case pending
  }

  /// A stable series that has a change.
  public struct Stable: Sendable, Hashable {
    public var series: KernelVersion
    public var release: Release

    public enum Release: Sendable, Hashable {
      case known(Int)
      /// Inferred from the date of a stable review.
      case about(Int)
      /// This release has it; an earlier one may have it as well.
      case by(Int)
      case unknown
    }

    static func y(_ major: Int, _ minor: Int, _ release: Release) -> Stable {
      Stable(series: KernelVersion(major, minor), release: release)
    }
  }
}

// MARK: - Releases

extension KernelChange {
  /// Whether a kernel has a behaviour.
  public enum Presence: Sendable, Hashable {
    case absent, present
    /// The sources and the kernel's release do not tell.
    case unknown
  }

  /// Whether an upstream release has the behaviour.
  public func presence(in version: KernelVersion) -> Presence {
    let begun = since.map { $0.isReached(by: version) } ?? .present
    guard begun != .absent else { return .absent }
    switch until.map({ $0.isReached(by: version) }) ?? .absent {
    case .present: return .absent
    case .unknown: return .unknown
    case .absent: return begun
    }
  }

  /// Whether a running kernel has it, which may be a distribution's or a vendor's.
  public func presence(in release: KernelRelease) -> Presence {
    let upstream = presence(in: release.version)
    guard upstream != .absent, !release.statesStableRelease else { return upstream }
    // The maintainers of the tree may have taken the fix, if there is one.
    return until == nil ? upstream : .unknown
  }

  /// Whether the emulation of a release has it. Where the stable release with a commit is not known, it behaves as without the commit.
  public func isEmulated(in version: KernelVersion) -> Bool {
    (since?.isReached(by: version) ?? .present) == .present
      && until?.isReached(by: version) != .present
  }

  public static func named(_ name: String) -> KernelChange? { all.first { $0.name == name } }

  /// Whether a released kernel has ended it.
  public var isFixed: Bool {
    if case .release = until?.mainline { true } else { false }
  }

  /// Whether an endpoint controller has it.
  /// - Parameter compatible: of the controller's node in the device tree.
  public func concerns(_ compatible: [String]) -> Bool {
    hardware.isEmpty || compatible.contains { name in hardware.contains { name.hasPrefix($0) } }
  }

  /// `6.15, 6.14.4, 6.12.y`: the releases that end it.
  public var endText: String { until?.text ?? "not fixed" }
}

extension KernelChange.Point {
  /// Whether a release has what begins here.
  func isReached(by version: KernelVersion) -> KernelChange.Presence {
    switch mainline {
    case .release(let first), .posted(let first):
      if first.candidate != nil { return version >= first ? .present : .absent }
      if version >= KernelVersion(first.major, first.minor, candidate: 1) {
        // A candidate of that release may precede it.
        return version.candidate == nil || !version.isSameSeries(as: first) ? .present : .unknown
      }
    case .pending: return .absent
    }
    guard let stable = stable.first(where: { $0.series.isSameSeries(as: version) }) else {
      return hasOtherSeries ? .unknown : .absent
    }
    switch stable.release {
    case .known(let patch), .about(let patch): return version.patch >= patch ? .present : .absent
    case .by(let patch): return version.patch >= patch ? .present : .unknown
    case .unknown: return .unknown
    }
  }

  /// The mainline release: `6.15`.
  public var mainlineText: String {
    switch mainline {
    case .release(let version): "\(version)"
    case .posted(let version): "\(version) (posted, expected there)"
    case .pending: "posted, in no release"
    }
  }

  /// `6.15, 6.14.4, about 6.13.9, 6.12.y`.
  public var text: String {
    var texts = [mainlineText]
    for item in stable {
      let series = item.series
      func release(_ patch: Int) -> String { "\(series.major).\(series.minor).\(patch)" }
      switch item.release {
      case .known(let patch): texts.append(release(patch))
      case .about(let patch): texts.append("about \(release(patch))")
      case .by(let patch): texts.append("\(release(patch)) or earlier")
      case .unknown: texts.append("a release of \(series.seriesText)")
      }
    }
    if hasOtherSeries { texts.append("perhaps other stable series") }
    return texts.joined(separator: ", ")
  }
}
