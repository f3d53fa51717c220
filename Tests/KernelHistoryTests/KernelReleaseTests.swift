// SPDX-License-Identifier: Apache-2.0
import KernelHistory
import Testing

@Suite("Kernel releases")
struct KernelReleaseTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var text: String
    var version: String
    var origin: KernelRelease.Origin
    var testDescription: String { text }

    init(_ text: String, _ version: String, _ origin: KernelRelease.Origin) {
      self.text = text
      self.version = version
      self.origin = origin
    }
  }

  static let rows: [Row] = [
    Row("6.14.2", "6.14.2", .upstream),
    Row("6.15.0", "6.15", .upstream),
    Row("7.3.0-rc2", "7.3-rc2", .upstream),
    Row("7.3.0-rc2-00012-g5b7a0c1e33aa", "7.3-rc2", .upstream),
    Row("6.14.0-00012-g5b7a0c1e33aa", "6.14", .upstream),
    // More than 99,999 commits after a tag.
    Row("6.14.0-123456-g5b7a0c1e33aa", "6.14", .upstream),
    Row("6.16.3-dirty", "6.16.3", .upstream),
    Row("6.14.2+", "6.14.2", .upstream),
    Row("6.14.2-g5b7a0c1e33aa-dirty", "6.14.2", .upstream),
    Row("7.3.0-rc2-00012-g5b7a0c1e33aa-dirty+", "7.3-rc2", .upstream),
    // Someone's own kernel.
    Row("6.14.2-rockchip", "6.14.2", .unknown("-rockchip")),
    Row("6.17.7-orangepi", "6.17.7", .unknown("-orangepi")),
    Row("6.14.3-ophub", "6.14.3", .unknown("-ophub")),
    Row("6.12.10-amd64", "6.12.10", .unknown("-amd64")),
    Row("6.14.9-sunxi64", "6.14.9", .unknown("-sunxi64")),
    Row("6.14.4-1-MANJARO-ARM", "6.14.4", .unknown("-1-manjaro-arm")),
    Row("5.10.209-rockchip", "5.10.209", .unknown("-rockchip")),
    Row("6.1.84-10-rk2410", "6.1.84", .unknown("-10-rk2410")),
    Row("6.14.2-rt5", "6.14.2", .unknown("-rt5")),
    Row("6.14.2-gaming", "6.14.2", .unknown("-gaming")),
    Row("6.14.0-7-mine", "6.14", .unknown("-7-mine")),
    Row("6.1.0-1025-rockchip", "6.1", .fixed("Ubuntu")),
    Row("6.14.0-1012-custom", "6.14", .fixed("Ubuntu")),
    Row("6.12.48+deb13-arm64", "6.12.48", .stable("Debian")),
    Row("7.2.13+deb14-amd64", "7.2.13", .stable("Debian")),
    Row("6.12.12+bpo-arm64", "6.12.12", .stable("Debian")),
    Row("6.1.0-18-arm64", "6.1", .fixed("Debian")),
    Row("6.1.0-18-rt-arm64", "6.1", .fixed("Debian")),
    Row("6.1.0-0.deb11.13-arm64", "6.1", .fixed("Debian")),
    Row("6.1.115-vendor-rk35xx", "6.1.115", .vendor("Armbian's vendor tree")),
    Row("5.10.160-legacy-rk35xx", "5.10.160", .vendor("Armbian's legacy tree")),
    Row("6.18.2-current-rockchip64", "6.18.2", .stable("Armbian")),
    Row("7.2.8-edge-rockchip64", "7.2.8", .stable("Armbian")),
    Row("6.1.75-android14-11-g48b921a12345-ab12345678", "6.1.75", .vendor("Android")),
    Row("5.15.148-tegra", "5.15.148", .vendor("NVIDIA")),
    Row("6.6.23-lts-next-g8c4f7a1e6f5c", "6.6.23", .vendor("NXP")),
    Row("5.10.110-rockchip-rk3588", "5.10.110", .vendor("a Rockchip tree")),
    Row("6.14.0-29-generic", "6.14", .fixed("Ubuntu")),
    Row("6.12.34+rpt-rpi-2712", "6.12.34", .stable("Raspberry Pi OS")),
    Row("6.17.4-200.fc42.aarch64", "6.17.4", .stable("Fedora")),
    Row("6.14.2-arch1-1", "6.14.2", .stable("Arch Linux")),
    Row("5.14.0-503.11.1.el9_5.aarch64", "5.14", .fixed("RHEL")),
  ]

  @Test("a release is understood: its version, and who built the kernel", arguments: rows)
  func understood(row: Row) throws {
    let release = try #require(KernelRelease(row.text))
    #expect(release.version.description == row.version)
    #expect(release.origin == row.origin)
    #expect(release.text == row.text)
    #expect((release.reservation == nil) == (row.origin == .upstream))
  }

  @Test(
    "a text that is no release is refused",
    arguments: [
      "", "6", "6.", "linux", "6.x", "6.14 2", "-6.14", "6.14abc", "6.14.2x", "٦.١٤",
      "6.99999999999999999999", "6.14.99999999999999999999",
    ])
  func refused(text: String) { #expect(KernelRelease(text) == nil) }

  @Test("versions are ordered as they were released")
  func order() {
    let texts = [
      "5.15.200", "6.12-rc2", "6.12", "6.12.117", "6.14-rc1", "6.14", "6.14.2", "6.14.10", "6.15",
      "6.19.3", "7.0-rc1", "7.0", "7.2.13", "7.3-rc1", "7.3",
    ]
    let versions = texts.compactMap { KernelVersion($0) }
    #expect(versions.map(\.description) == texts)
    #expect(versions.shuffled().sorted() == versions)
  }
}
