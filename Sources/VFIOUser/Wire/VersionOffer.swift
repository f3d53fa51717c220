// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import LibC

/// The version of the protocol (VERSION), the start of the first message and of its reply. A JSON object with a terminating NUL follows.
/// - Source: vfio-user protocol, "VFIO_USER_VERSION" (vfio-user.md, 4.1).
struct ProtocolVersion: WireStructure {
  static let byteCount = 4

  /// The version that both sides of this implementation have.
  static let current = ProtocolVersion(major: 0, minor: 0)

  /// Offset 0.
  var major: UInt16
  /// Offset 2.
  var minor: UInt16

  init(major: UInt16, minor: UInt16) {
    self.major = major
    self.minor = minor
  }

  init(wholeIn body: WireBytes, at start: Int) {
    major = body.integer(at: start)
    minor = body.integer(at: start + 2)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: major)
    bytes.append(littleEndian: minor)
  }
}

/// The contents of a client's first message.
/// - Source: vfio-user.md, 5.
struct VersionOffer {
  /// The most data that one message may carry, bytes.
  var maximumTransfer = TransferLimit.data

  private struct Document: Decodable {
    struct Capabilities: Decodable {
      var maximumTransfer: Int?
      enum CodingKeys: String, CodingKey { case maximumTransfer = "max_data_xfer_size" }
    }
    var capabilities: Capabilities?
  }

  /// - Throws: EINVAL for another major version, or for text that is not a JSON object with a terminating NUL.
  init(_ body: WireBytes) throws(Refusal) {
    let version = try ProtocolVersion(body)
    guard version.major == ProtocolVersion.current.major else { throw Refusal(EINVAL) }
    // There are clients that send the version alone.
    guard body.count > ProtocolVersion.byteCount else { return }
    let text = body.bytes[ProtocolVersion.byteCount..<body.count - 1]
    guard body.bytes.last == 0,
      let document = try? JSONDecoder().decode(Document.self, from: Data(text))
    else { throw Refusal(EINVAL) }
    if let transfer = document.capabilities?.maximumTransfer {
      guard transfer >= TransferLimit.minimum else { throw Refusal(EINVAL) }
      maximumTransfer = transfer
    }
  }

  /// The client's request, with the length of QEMU's: servers reply with at most this length.
  static func request() -> [UInt8] {
    let text =
      #"{"capabilities":{"pgsizes":4096,"max_msg_fds":16,"max_dma_maps":65535,"#
      + #""max_data_xfer_size":\#(TransferLimit.data),"write_multiple":true}}"#
    return ProtocolVersion.current.bytes() + text.utf8 + [0]
  }

  /// The server's reply, limited to the length of the request, since clients do not read more.
  /// - Parameter maps: how many pieces of memory the client can announce.
  static func answer(fitting count: Int, maps: Int) -> [UInt8] {
    let limits =
      #""max_msg_fds":8,"max_data_xfer_size":\#(TransferLimit.data)"#
    let texts = [
      #"{"capabilities":{\#(limits),"pgsizes":4096,"max_dma_maps":\#(maps)}}"#,
      #"{"capabilities":{\#(limits)}}"#, "{}",
    ]
    let version = ProtocolVersion.current.bytes()
    for text in texts where version.count + text.utf8.count + 1 <= count {
      return version + text.utf8 + [0]
    }
    return version
  }
}
