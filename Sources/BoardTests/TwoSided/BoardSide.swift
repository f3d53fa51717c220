// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// The board's side of a two-sided run: requests the host's part of each run, and sends it the whole result.
///
/// The host sends hello with a unique id, so that messages of earlier or other runs are not accepted as replies: `hello {id}` from the
/// host; `up-N {id, ready, staysUp}` from the board; `result-N {id, results}`; `report {id, report}`.
package final class BoardSide {
  private let exchange: any Exchange
  private let limit: Duration
  private let runs: Int
  private let keeps: Bool
  private let name: String
  private var id: String?
  private var lastRun = 0

  /// - Parameters:
  ///   - name: the profile's.
  ///   - keeps: whether the last run leaves everything up.
  ///   - limit: the limit for each step of the host.
  package init(
    _ exchange: any Exchange, _ name: String, runs: Int, keeps: Bool = false, limit: Duration
  ) {
    self.name = name
    self.exchange = exchange
    self.runs = runs
    self.keeps = keeps
    self.limit = limit
  }

  /// The host's results for a run.
  /// - Throws: ``ProvisioningError`` of kind `timedOut` when it does not connect or does not reply.
  package func hostPart(_ run: Int) throws(ProvisioningError) -> [TestReport.Result] {
    let hello: JSONValue?
    if id != nil {
      hello = nil
    } else {
      hello = try exchange.wait(for: "\(name).hello", upTo: limit)
    }
    if let hello { id = hello["id"]?.stringValue }
    guard let id else {
      throw late("no host connected within \(limit)")
    }
    try invite(run, id)
    return try answer(run)
  }

  private func invite(_ run: Int, _ id: String) throws(ProvisioningError) {
    lastRun = run
    try exchange.post(
      "\(name).up-\(run)",
      [
        "id": .string(id), "ready": true, "runs": JSONValue(runs),
        "staysUp": .bool(keeps && run == runs),
      ])
  }

  private func answer(_ run: Int) throws(ProvisioningError) -> [TestReport.Result] {
    let end = ContinuousClock.now + limit
    while Signals.caught == nil, ContinuousClock.now < end {
      let slice = exchange.blocks ? limit : .seconds(1)
      let wanted = id
      if let answer = try exchange.wait(
        for: "\(name).result-\(run)", upTo: slice, where: { $0["id"]?.stringValue == wanted })
      {
        return (answer["results"]?.arrayValue ?? []).compactMap(TestReport.Result.init)
      }
      // A host that was restarted has another id.
      if !exchange.blocks, let hello = try exchange.message("\(name).hello", upTo: .zero),
        let other = hello["id"]?.stringValue, other != id
      {
        id = other
        try invite(run, other)
      }
    }
    throw late("the host did not report its part within \(limit)")
  }

  private func late(_ message: String) -> ProvisioningError {
    ProvisioningError(
      .timedOut, message, operation: "exchange",
      hint:
        "start epfnvme smoke --role host on the machine that sees the disk; --peer-timeout SECONDS waits longer"
    )
  }

  /// Sends the host the whole result, even if its part was not requested.
  package func finish(_ report: TestReport) throws(ProvisioningError) {
    if id == nil, !exchange.blocks {
      // A message that cannot be read has been reported already.
      id = (try? exchange.message("\(name).hello", upTo: .zero))?["id"]?.stringValue
    }
    let id = JSONValue(id)
    for run in (lastRun + 1)..<(max(lastRun, runs) + 1) {
      try exchange.post("\(name).up-\(run)", ["id": id, "ready": false, "runs": JSONValue(runs)])
    }
    try exchange.post("\(name).report", ["id": id, "report": report.json])
  }
}
