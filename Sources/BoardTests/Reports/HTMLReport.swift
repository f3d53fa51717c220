// SPDX-License-Identifier: Apache-2.0

/// A self-contained HTML page.
enum HTMLReport {
  /// Lines of the kernel's log that a page holds.
  private static let longestLog = 4000

  static func text(_ report: TestReport) -> String {
    let title = "\(report.suite) \(report.subject): \(report.verdict)"
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(escaped(title))</title>
      <style>\(style)</style>
      </head>
      <body>
      \(header(report))
      \(results(report))
      \(measurements(report))
      \(Timeline(report).section)
      \(kernelLog(report))
      \(disclosure("Tree", report.tree))
      \(disclosure("Profile", report.profile))
      \(machine(report))
      </body>
      </html>

      """
  }

  static func escaped(_ text: String) -> String { Markup.escaped(text) }

  // MARK: Sections

  private static func header(_ report: TestReport) -> String {
    let runs = report.runs > 1 ? " &middot; \(report.runs) runs" : ""
    let signal = report.signal.map { " &middot; ended by signal \($0)" } ?? ""
    return """
      <header class="\(report.verdict)">
      <p class="verdict">\(report.verdict)</p>
      <h1>\(escaped(report.suite)) <span>\(escaped(report.subject))</span></h1>
      <p>\(report.summary)\(runs)\(signal) &middot; \((report.elapsed.inMilliseconds / 1000).shortText) s &middot; <time>\(escaped(report.started))</time></p>
      </header>
      """
  }

  private static func results(_ report: TestReport) -> String {
    let rows = report.results.map { result in
      let word = result.outcome.word
      var more = ""
      if let reason = result.outcome.reason {
        more += "<p class=\"reason\">\(escaped(reason))</p>"
      }
      if !result.details.isEmpty {
        more += "<ul>" + result.details.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
      }
      if !result.kernelLog.isEmpty {
        more += "<pre>" + result.kernelLog.map(escaped).joined(separator: "\n") + "</pre>"
      }
      return """
        <tr class="\(word)"><td><b class="mark">\(word)</b></td>
        <td><code>\(escaped(result.id))</code><p>\(escaped(result.meaning))</p>\(more)</td>
        <td class="number">\(result.duration.inMilliseconds.shortText)&nbsp;ms</td></tr>
        """
    }
    return """
      <section><h2>Results</h2>
      <table class="results"><thead><tr><th>Outcome</th><th>Case</th><th class="number">Time</th></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table></section>
      """
  }

  private static func measurements(_ report: TestReport) -> String {
    guard !report.measurements.isEmpty else { return "" }
    let rows = report.measurements.map { item in
      let least = item.values.min() ?? 0
      let most = item.values.max() ?? 0
      return """
        <tr><td><code>\(escaped(item.id))</code></td><td class="number">\(item.median.shortText)&nbsp;\(escaped(item.unit))</td>
        <td class="number">\(least.shortText)&nbsp;&ndash;&nbsp;\(most.shortText)</td><td class="number">\(item.values.count)</td></tr>
        """
    }
    return """
      <section><h2>Measurements</h2>
      <table><thead><tr><th>Figure</th><th class="number">Median</th><th class="number">Range</th><th class="number">Values</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></section>
      """
  }

  private static func kernelLog(_ report: TestReport) -> String {
    guard !report.kernelLog.isEmpty else { return "" }
    let shown = report.kernelLog.suffix(longestLog)
    let omitted = report.kernelLog.count - shown.count
    let note = omitted > 0 ? "<p>\(omitted) earlier lines are left out.</p>" : ""
    let lines = shown.map { line in
      let kind = line.level <= 3 ? "bad" : line.isRelevant ? "ours" : "other"
      return "<span class=\"\(kind)\">\(escaped(line.text.singleLine))</span>"
    }
    return """
      <section><h2>Kernel log</h2>\(note)
      <pre class="log">\(lines.joined(separator: "\n"))</pre></section>
      """
  }

  private static func disclosure(_ title: String, _ text: String) -> String {
    guard !text.isEmpty else { return "" }
    return """
      <section><details><summary><h2>\(title)</h2></summary>
      <pre>\(escaped(text))</pre></details></section>
      """
  }

  private static func machine(_ report: TestReport) -> String {
    guard !report.machine.isEmpty else { return "" }
    let rows = report.machine.map {
      "<tr><td>\(escaped($0.name))</td><td>\(escaped($0.value))</td></tr>"
    }
    return """
      <section><h2>Machine</h2><table><tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table></section>
      """
  }

  // MARK: Look

  private static let style = """
    :root{--page:#fff;--text:#1a1d21;--soft:#5a6270;--line:#d5d9e0;--panel:#f4f5f7;--pass:#14713d;--fail:#b3201f;--skip:#7a5a00;--step:#4a72b8;--state:#7d55a8;--ours:#dfe9fb}
    @media (prefers-color-scheme:dark){:root{--page:#15181c;--text:#e4e7eb;--soft:#9aa3b0;--line:#363c45;--panel:#1e2329;--pass:#58c28a;--fail:#ff8078;--skip:#e0b64a;--step:#7ea2e0;--state:#b18ddb;--ours:#22324d}}
    *{box-sizing:border-box}
    body{margin:0 auto;padding:1rem;max-width:70rem;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
    h1{margin:.2rem 0;font-size:1.5rem}h1 span{font-weight:normal}h2{display:inline-block;margin:1.2rem 0 .5rem;font-size:1.15rem}
    p{margin:.2rem 0}header{border-left:.5rem solid var(--soft);padding:.5rem 1rem;background:var(--panel)}
    .verdict{font-weight:bold;text-transform:uppercase;letter-spacing:.05em}
    header.passed{border-color:var(--pass)}header.passed .verdict{color:var(--pass)}
    header.failed,header.interrupted{border-color:var(--fail)}header.failed .verdict,header.interrupted .verdict{color:var(--fail)}
    header.skipped{border-color:var(--skip)}header.skipped .verdict{color:var(--skip)}
    table{width:100%;border-collapse:collapse}th{text-align:left;white-space:nowrap;color:var(--soft);font-weight:normal}
    td,th{padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
    td p,td li{color:var(--soft);font-size:.9rem}td ul{margin:.2rem 0;padding-left:1.2rem}td p.reason{color:var(--text)}
    .number{text-align:right;white-space:nowrap;padding-right:0}th.number{padding-left:.6rem}
    .mark{white-space:nowrap;font-weight:normal}.passed .mark{color:var(--pass)}.failed .mark,.timed-out .mark{color:var(--fail);font-weight:bold}.skipped .mark{color:var(--skip)}
    code,pre{font-family:ui-monospace,monospace;font-size:.9rem}
    pre{margin:.3rem 0;padding:.6rem;background:var(--panel);white-space:pre-wrap}
    .log .ours{background:var(--ours)}.log .bad{color:var(--fail);font-weight:bold}.log .other{color:var(--soft)}
    summary{cursor:pointer}svg{display:block;width:100%;overflow:visible}svg text{fill:var(--text);font-size:13px}svg .time{fill:var(--soft)}
    svg .step{fill:var(--step)}svg .state{fill:var(--state)}svg .bad{fill:var(--fail)}svg line{stroke:var(--line)}
    .key span{margin-right:1rem;white-space:nowrap}.key i{display:inline-block;width:.8rem;height:.8rem;margin-right:.3rem}
    @media (max-width:30rem){body{padding:.6rem}td,th{padding-right:.4rem}td p{font-size:.85rem}}
    """
}
