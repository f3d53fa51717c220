// SPDX-License-Identifier: Apache-2.0
public import Provisioning

/// The board's half of a two-sided run: asks the host for its part in each run, and tells it the whole result.
///
/// The host says hello with an id of its own, so that nothing of an earlier or another run is taken for an answer:
/// `hello {id}` from the host; `up-N {id, ready}` from the board; `result-N {id, results}`; `report {id, report}`.
public final class BoardSide {
  private let exchange: any Exchange
  private let limit: Duration
  private let runs: Int
  private let name: String
  private var id: String?
  private var lastRun = 0

  /// - Parameters:
  ///   - name: the profile's.
  ///   - limit: how long the host may take, for each of its steps.
  public init(_ exchange: any Exchange, _ name: String, runs: Int, limit: Duration) {
    self.name = name
    self.exchange = exchange
    self.runs = runs
    self.limit = limit
  }

  /// The host's results for a run.
  /// - Throws: ``ProvisioningError`` of kind `timedOut` when it does not come or does not answer.
  public func hostPart(_ run: Int) throws(ProvisioningError) -> [TestReport.Result] {
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
      "\(name).up-\(run)", ["id": .string(id), "ready": true, "runs": JSONValue(runs)])
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
      // A host that was started anew has another id.
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

  /// Tells the host what all came to, also when its part was not asked for.
  public func finish(_ report: TestReport) throws(ProvisioningError) {
    if id == nil, !exchange.blocks {
      // One that cannot be read has been complained about where it mattered.
      id = (try? exchange.message("\(name).hello", upTo: .zero))?["id"]?.stringValue
    }
    let id = JSONValue(id)
    for run in (lastRun + 1)..<(max(lastRun, runs) + 1) {
      try exchange.post("\(name).up-\(run)", ["id": id, "ready": false, "runs": JSONValue(runs)])
    }
    try exchange.post("\(name).report", ["id": id, "report": report.json])
  }
}
