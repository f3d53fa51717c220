// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// The host's half of a two-sided run: does its part whenever the board is up, and gets the whole result.
package struct HostPeer {
  private let exchange: any Exchange
  private let limit: Duration
  private let id: String
  private let name: String

  package init(_ exchange: any Exchange, _ name: String, limit: Duration) {
    self.name = name
    self.exchange = exchange
    self.limit = limit
    var random = SystemRandomNumberGenerator()
    id = String(random.next(), radix: 16)
  }

  /// - Parameter part: the host's part of one run, and whether the board stays up after it.
  /// - Returns: the result of both sides.
  /// - Throws: ``ProvisioningError`` of kind `timedOut` when the board does not connect, or ends without a result.
  package func run(
    _ part: (_ run: Int, _ staysUp: Bool) -> [TestReport.Result]
  ) throws(ProvisioningError) -> TestReport {
    let mine = id
    try exchange.post("\(name).hello", ["id": .string(id)])
    var run = 1
    var runs = 1
    while run <= runs {
      guard
        let up = try exchange.wait(
          for: "\(name).up-\(run)", upTo: limit, where: { $0["id"]?.stringValue == mine })
      else { throw late("the board was not up within \(limit)") }
      runs = up["runs"]?.integerValue.map { Int(clamping: $0) } ?? 1
      if up["ready"]?.boolValue == true {
        let results = part(run, up["staysUp"]?.boolValue == true)
        try exchange.post(
          "\(name).result-\(run)", ["id": .string(id), "results": .array(results.map(\.json))])
      }
      run += 1
    }
    guard
      let message = try exchange.wait(
        for: "\(name).report", upTo: limit, where: { $0["id"]?.stringValue == mine }),
      let report = message["report"].flatMap(TestReport.init)
    else { throw late("the board did not report its result within \(limit)") }
    return report
  }

  private func late(_ message: String) -> ProvisioningError {
    if let signal = Signals.caught {
      var error = ProvisioningError(
        .interrupted, "interrupted by signal \(signal)", operation: "exchange")
      error.signal = signal
      return error
    }
    return ProvisioningError(
      .timedOut, message, operation: "exchange",
      hint: "start epfnvme smoke --role board on the board; --peer-timeout SECONDS waits longer")
  }
}

extension TestReport.Result {
  /// From the other side's JSON; nil if it is malformed.
  init?(_ json: JSONValue) {
    guard let id = json["id"]?.stringValue, let word = json["outcome"]?.stringValue else {
      return nil
    }
    let reason = json["reason"]?.stringValue ?? ""
    let outcome: TestReport.Outcome
    switch word {
    case "passed": outcome = .passed
    case "failed": outcome = .failed(reason)
    case "timed-out": outcome = .timedOut(reason)
    case "skipped": outcome = .skipped(reason)
    default: return nil
    }
    self.init(id: id, meaning: json["meaning"]?.stringValue ?? "", outcome: outcome)
    details = (json["details"]?.arrayValue ?? []).compactMap(\.stringValue)
    kernelLog = (json["kernelLog"]?.arrayValue ?? []).compactMap(\.stringValue)
    duration = .milliseconds(json["milliseconds"]?.doubleValue ?? 0)
  }
}

extension TestReport {
  /// From the other side's JSON; nil if it is malformed.
  init?(_ json: JSONValue) {
    guard let suite = json["suite"]?.stringValue, let subject = json["subject"]?.stringValue,
      let results = json["results"]?.arrayValue
    else { return nil }
    self.init(suite: suite, subject: subject)
    started = json["started"]?.stringValue ?? ""
    runs = json["runs"]?.integerValue.map { Int(clamping: $0) } ?? 1
    elapsed = .milliseconds(json["elapsed"]?["value"]?.doubleValue ?? 0)
    signal = json["signal"]?.integerValue.map { CInt(clamping: $0) }
    self.results = results.compactMap(Result.init)
    if self.results.first?.id == Self.beginID {
      failureCode = json["exitCode"]?.integerValue.map { CInt(clamping: $0) }
    }
    measurements = (json["measurements"]?.arrayValue ?? []).compactMap { item in
      let values = (item["values"]?.arrayValue ?? []).compactMap(\.doubleValue)
      guard let id = item["id"]?.stringValue, let unit = item["unit"]?.stringValue, !values.isEmpty
      else { return nil }
      return Measurement(id: id, unit: unit, values: values)
    }
    guard case .object(let members)? = json["machine"] else { return }
    machine = members.map { ($0.key, $0.value.stringValue ?? "") }
  }
}

extension JSONValue {
  fileprivate var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let text): Double(text)
    default: nil
    }
  }
}
