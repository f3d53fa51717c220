// SPDX-License-Identifier: Apache-2.0

/// The time line of a run as a picture: a row for each step and each state of the controller, its name above its bar.
///
/// Positions are percentages, so the picture fits any width and the text keeps its size.
struct Timeline {
  private let spans: [TestReport.Span]
  private let end: Double
  private static let rowHeight = 34
  /// More rows are not a picture any more.
  private static let longest = 120

  init(_ report: TestReport) {
    let end = max(report.timeline.map(\.end.inMilliseconds).max() ?? 0, 0.001)
    self.end = end
    // Steps that are too short are omitted, unless they failed; all states are shown.
    let visible = report.timeline.filter {
      $0.kind == .state || $0.hasFailed || ($0.end - $0.start).inMilliseconds >= end / 100
    }
    spans = Array(visible.sorted { $0.start < $1.start }.prefix(Self.longest))
  }

  var section: String {
    guard !spans.isEmpty else { return "" }
    let height = spans.count * Self.rowHeight + 24
    return """
      <section><h2>Time line</h2>
      <p class="key"><span><i style="background:var(--step)"></i>step</span><span><i style="background:var(--state)"></i>controller state</span><span><i style="background:var(--fail)"></i>failed step</span></p>
      <svg role="img" aria-label="Steps and controller states over \(end.shortText) milliseconds" height="\(height)">
      \(axis(height))
      \(spans.enumerated().map { row($0.offset, $0.element) }.joined(separator: "\n"))
      </svg></section>
      """
  }

  private func axis(_ height: Int) -> String {
    (0...4).map { quarter in
      let place = quarter * 25
      let anchor = quarter == 0 ? "start" : quarter == 4 ? "end" : "middle"
      let label = (end * Double(quarter) / 4).rounded(toPlaces: end < 10 ? 3 : 0).shortText
      return """
        <line x1="\(place)%" x2="\(place)%" y1="0" y2="\(height - 18)"/>
        <text class="time" x="\(place)%" y="\(height - 4)" text-anchor="\(anchor)">\(label)\(quarter == 4 ? " ms" : "")</text>
        """
    }.joined(separator: "\n")
  }

  private func row(_ index: Int, _ span: TestReport.Span) -> String {
    let top = index * Self.rowHeight
    let start = 100 * span.start.inMilliseconds / end
    let width = max(0.4, 100 * (span.end - span.start).inMilliseconds / end)
    let kind = span.hasFailed ? "bad" : span.kind.rawValue
    let time = (span.end - span.start).inMilliseconds.shortText
    // The name begins where the bar does, but for late ones: those end there.
    let isLate = start > 50
    let place = isLate ? min(100, start + width) : start
    return """
      <g><title>\(HTMLReport.escaped(span.label)): \(time) ms</title>
      <text x="\(place.shortText)%" y="\(top + 14)" text-anchor="\(isLate ? "end" : "start")">\(HTMLReport.escaped(Self.short(span.label))) <tspan class="time">\(time) ms</tspan></text>
      <rect class="\(kind)" x="\(min(start, 99.6).shortText)%" y="\(top + 19)" width="\(min(width, 100 - min(start, 99.6)).shortText)%" height="9" rx="2"/></g>
      """
  }

  /// Long paths lose their middle.
  private static func short(_ label: String) -> String {
    guard label.count > 28 else { return label }
    return String(label.prefix(12)) + "..." + String(label.suffix(13))
  }
}

extension Double {
  fileprivate func rounded(toPlaces places: Int) -> Double {
    let factor = places == 0 ? 1.0 : 1000.0
    return (self * factor).rounded() / factor
  }
}
