// SPDX-License-Identifier: Apache-2.0

/// The release of a running kernel (`uname -r`), and how much it tells about the fixes in that kernel.
public struct KernelRelease: Sendable, Hashable {
  /// `uname -r`.
  public let text: String
  /// The upstream version that the kernel is based on.
  public let version: KernelVersion
  public let origin: Origin

  /// The builder of the kernel, as its release shows.
  public enum Origin: Sendable, Hashable {
    /// Unchanged sources, as far as the release shows: `6.14.2`, `6.14.2-dirty`, `7.3.0-rc2-00012-g5b7a0c1`.
    case upstream
    /// A distribution that follows a stable series and states the stable release: `6.12.48+deb13-arm64`, `6.18.2-current-rockchip64`.
    /// It may have more fixes.
    case stable(String)
    /// A distribution that fixes its kernel under one version: `6.14.0-29-generic`. The stable release is not known.
    case fixed(String)
    /// Someone else, who may have added fixes: `6.14.2-rockchip`, with the suffix.
    case unknown(String)
    /// A vendor's tree, with drivers and fixes of other releases: `6.1.115-vendor-rk35xx`, `6.1.75-android14-11-g48b921a`.
    case vendor(String)
  }

  /// - Returns: nil when the text is not a version, with or without a suffix.
  public init?(_ text: String) {
    var rest = Substring(text)
    guard let version = KernelVersion.parse(&rest),
      rest.first.map({ "-+._".contains($0) }) ?? true, !rest.contains(where: \.isWhitespace)
    else { return nil }
    self.text = text
    self.version = version
    origin = Self.origin(String(rest).lowercased(), version)
  }

  /// Parts of the releases of vendors' trees, and the vendors.
  private static let vendors = [
    ("android", "Android"), ("-vendor", "Armbian's vendor tree"),
    ("-legacy", "Armbian's legacy tree"), ("-tegra", "NVIDIA"), ("rockchip-rk", "a Rockchip tree"),
    ("-rk35", "a Rockchip tree"), ("-lts-next", "NXP"), ("-imx", "NXP"), ("-ti-", "TI"),
    ("-qcom", "Qualcomm"), ("-xilinx", "AMD"), ("-bsp", "a vendor's tree"),
    ("-stm32mp", "STMicroelectronics"), ("-yocto-", "Yocto"),
  ]
  /// The same of distributions that keep one version, and of those that state the stable release.
  private static let oneVersion = [
    ("-generic", "Ubuntu"), ("-lowlatency", "Ubuntu"), ("-raspi", "Ubuntu"), (".el", "RHEL"),
    ("-default", "SUSE"), ("-azure", "Ubuntu"), ("-oracle", "Ubuntu"), ("-pve", "Proxmox"),
    (".deb", "Debian"),
  ]
  private static let stableReleases = [
    ("+deb", "Debian"), ("-current-", "Armbian"), ("-edge-", "Armbian"),
    ("+rpt", "Raspberry Pi OS"),
    ("-v8", "Raspberry Pi"), (".fc", "Fedora"), ("-arch", "Arch Linux"), ("-gentoo", "Gentoo"),
    ("-alpine", "Alpine"), ("-lts", "Alpine"), ("+bpo", "Debian"),
  ]

  private static func origin(_ suffix: String, _ version: KernelVersion) -> Origin {
    func name(_ rows: [(String, String)]) -> String? {
      rows.first { suffix.contains($0.0) }?.1
    }
    if let name = name(vendors) { return .vendor(name) }
    if let name = name(oneVersion) { return .fixed(name) }
    if let name = name(stableReleases) { return .stable(name) }
    if isUpstream(suffix) { return .upstream }
    // Ubuntu's releases, and Debian's older ones, have the number of the ABI in place of the stable release: 6.1.0-1025-rockchip,
    // 6.1.0-18-arm64. Only Ubuntu counts from 1000 on for each kind of machine.
    let parts = suffix.split(separator: "-")
    if version.patch == 0, version.candidate == nil, suffix.hasPrefix("-"), parts.count > 1,
      let number = parts.first.flatMap({ Int($0) })
    {
      if number >= 1000 { return .fixed("Ubuntu") }
      let architectures = ["arm64", "amd64", "armmp", "686", "riscv64", "ppc64el", "s390x"]
      if parts.dropFirst().contains(where: { architectures.contains(String($0)) }) {
        return .fixed("Debian")
      }
    }
    return .unknown(suffix)
  }

  /// Whether a suffix is that of unchanged sources, or of a tree under version control: `-00012-g5b7a0c1`, `-dirty`, `+`.
  /// - Source: `scripts/setlocalversion`.
  private static func isUpstream(_ suffix: String) -> Bool {
    var rest = suffix[...]
    while rest.last == "+" { rest.removeLast() }
    if rest.hasSuffix("-dirty") { rest.removeLast("-dirty".count) }
    while rest.last == "+" { rest.removeLast() }
    guard !rest.isEmpty else { return true }
    let parts = rest.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, parts[0].isEmpty, let hash = parts.last,
      hash.hasPrefix("g"), hash.count > 7, hash.dropFirst().allSatisfy(\.isHexDigit)
    else { return false }
    return parts.count == 2 || parts[1].count >= 5 && parts[1].allSatisfy(\.isNumber)
  }

  /// Whether the stable release is known, and a fix that it lacks is missing unless the distributor added it.
  var statesStableRelease: Bool {
    switch origin {
    case .upstream, .stable: true
    case .fixed, .unknown, .vendor: false
    }
  }

  /// What the release does not say about a behaviour that it has, or may have.
  public func reservation(about change: KernelChange) -> String? {
    reservation
      ?? (change.presence(in: self) == .unknown
        ? "whether \(text) has the fix is not known" : nil)
  }

  /// The facts that the release does not show; nil for an upstream kernel.
  public var reservation: String? {
    switch origin {
    case .upstream: nil
    case .stable(let name):
      "judged by the stable release \(version); \(name) may have added the fix: see its changelog"
    case .fixed(let name):
      "\(name) adds fixes to \(version.major).\(version.minor) without changing its version: see its changelog"
    case .unknown(let suffix):
      "the builder of this kernel (\"\(suffix)\") is not known and may have added fixes to \(version): see its sources"
    case .vendor(let name):
      "\(name) is based on \(version) and has drivers and fixes of other releases: see its sources"
    }
  }
}
