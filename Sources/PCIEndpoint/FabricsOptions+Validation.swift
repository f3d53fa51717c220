// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

extension FabricsOptions {
  /// Everything for which the kernel would refuse the options when the function is bound, each a sentence about one
  /// option.
  /// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_parse_options`, `nvmf_create_ctrl`.
  public var problems: [String] {
    textProblems + numberProblems + transportProblems
      + unknownItems.map { "\"\(Self.hidingSecret($0))\" is not a fabrics option of the kernel" }
  }

  /// - Throws: ``InvalidValue`` with the first of ``problems``.
  public func validate() throws(InvalidValue) {
    guard let problem = problems.first else { return }
    throw InvalidValue(
      description, isNot: "usable as fabrics options", because: "breaks a rule: \(problem)")
  }

  private var textProblems: [String] {
    var found: [String] = []
    for option in Self.options {
      guard case .text(let path) = option.field, let value = self[keyPath: path] else { continue }
      if value.isEmpty { found.append("\(option.token) is empty") }
      // The kernel separates bytes; in Swift a comma with an accent is another character.
      if value.unicodeScalars.contains(where: { $0 == "," || $0 == "\0" })
        || value.contains(where: \.isNewline)
      {
        found.append("\(option.token) contains a comma, a line feed or a NUL, which would end it")
      }
    }
    for (token, name) in [("nqn", nqn), ("hostnqn", hostNQN)] {
      if let name, name.utf8.count > 222 {
        found.append("\(token) has \(name.utf8.count) bytes, more than 222")
      }
    }
    if let hostID, !Self.isUUID(hostID) { found.append("hostid \"\(hostID)\" is not a UUID") }
    for (token, value) in [("dhchap_secret", secret), ("dhchap_ctrl_secret", controllerSecret)] {
      if let value, !value.hasPrefix("DHHC-1:") || value.utf8.count < 11 {
        found.append("\(token) does not begin with DHHC-1: or is shorter than 11 bytes")
      }
    }
    return found
  }

  private var numberProblems: [String] {
    let rules: [(token: String, value: Int32?, range: ClosedRange<Int32>)] = [
      ("queue_size", queueSize, 16...1024),
      ("nr_io_queues", ioQueues, 1...Int32.max),
      ("nr_write_queues", writeQueues, 1...Int32.max),
      ("nr_poll_queues", pollQueues, 1...Int32.max),
      ("reconnect_delay", reconnectDelay, 1...Int32.max),
      ("keep_alive_tmo", keepAliveTimeout, 0...Int32.max),
      ("tos", typeOfService, 0...255),
    ]
    return rules.compactMap { token, value, range in
      guard let value, !range.contains(value) else { return nil }
      let bounds =
        range.upperBound == .max
        ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
      return "\(token) is \(value), but has to be \(bounds)"
    }
  }

  private var transportProblems: [String] {
    var found: [String] = []
    if nqn == nil { found.append("nqn is missing") }
    guard let transport else { return found + ["transport is missing"] }
    guard ["loop", "tcp", "rdma", "fc"].contains(transport) else {
      return found + ["transport \"\(transport)\" is not loop, tcp, rdma or fc"]
    }
    if transport != "loop", address == nil {
      found.append("traddr is missing, \(transport) needs it")
    }
    if transport == "fc", hostAddress == nil {
      found.append("host_traddr is missing, fc needs it")
    }
    for option in Self.options where isGiven(option) {
      if let transports = option.transports, !transports.contains(transport) {
        found.append("\(option.token) is not allowed with \(transport)")
      }
    }
    return found
  }

  private static func isUUID(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    return parts.map(\.utf8.count) == [8, 4, 4, 4, 12]
      && parts.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isHexDigit } }
  }
}
