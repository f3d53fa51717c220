// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import LibC

/// The contents of a client's first message.
struct VersionOffer {
  /// The most data that one message may carry, bytes.
  var maximumTransfer = 1 << 20

  private struct Document: Decodable {
    struct Capabilities: Decodable {
      var maximumTransfer: Int?
      enum CodingKeys: String, CodingKey { case maximumTransfer = "max_data_xfer_size" }
    }
    var capabilities: Capabilities?
  }

  /// - Throws: EINVAL for another major version, or for text that is not a JSON object with a terminating NUL.
  init(_ body: WireBytes) throws(Refusal) {
    try body.require(4)
    guard body.integer(at: 0) as UInt16 == 0 else { throw Refusal(EINVAL) }
    // There are clients that send the version alone.
    guard body.count > 4 else { return }
    guard body.bytes.last == 0,
      let document = try? JSONDecoder().decode(
        Document.self, from: Data(body.bytes[4..<body.count - 1]))
    else { throw Refusal(EINVAL) }
    if let transfer = document.capabilities?.maximumTransfer {
      guard transfer >= 4096 else { throw Refusal(EINVAL) }
      maximumTransfer = transfer
    }
  }

  /// The server's reply, limited to the length of the request, since clients do not read more.
  static func answer(fitting count: Int) -> [UInt8] {
    let limits =
      #""max_msg_fds":8,"max_data_xfer_size":\#(Session.ownTransferLimit)"#
    let texts = [
      #"{"capabilities":{\#(limits),"pgsizes":4096,"max_dma_maps":\#(GuestMaps.limit)}}"#,
      #"{"capabilities":{\#(limits)}}"#, "{}",
    ]
    let version: [UInt8] = [0, 0, 0, 0]
    for text in texts where 4 + text.utf8.count + 1 <= count { return version + text.utf8 + [0] }
    return version
  }
}
