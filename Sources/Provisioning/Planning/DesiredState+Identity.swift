// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// Identity that a profile does not set: it depends only on names, so that the host's device links do not change after a restart.
extension DesiredState {
  /// 20 hexadecimal digits that depend only on the profile's name and the subsystem.
  func derivedSerial(_ nqn: String) -> String {
    String(digest("serial\n\(nqn)").prefix(20))
  }

  /// A version 8 UUID (RFC 9562) that depends only on the profile's name and a seed.
  func derivedUUID(_ seed: String) -> String {
    var digits = Array(digest("uuid\n\(seed)"))
    digits[12] = "8"
    digits[16] = "a"
    for place in [20, 16, 12, 8] { digits.insert("-", at: place) }
    return String(digits)
  }

  /// 32 hexadecimal digits: two 64-bit FNV-1a sums with different beginnings.
  private func digest(_ text: String) -> String {
    let bytes = Array("\(profile.name)\n\(text)".utf8)
    return [0xcbf2_9ce4_8422_2325, 0x6c62_272e_07bb_0142].map { (start: UInt64) in
      let sum = bytes.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
      // One more round spreads the last bytes over all digits.
      let mixed = (sum ^ (sum >> 29)) &* 0xbf58_476d_1ce4_e5b9
      return hexadecimalDigits(mixed ^ (mixed >> 32), count: 16)
    }.joined()
  }
}
