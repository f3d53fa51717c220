// SPDX-License-Identifier: Apache-2.0

/// JUnit XML: the elements that Jenkins, GitLab and junitparser have in common.
enum JUnit {
  static func text(_ report: TestReport) -> String {
    let name = "\(report.suite).\(report.subject)"
    let timeouts = report.results.filter {
      if case .timedOut = $0.outcome { true } else { false }
    }.count
    let counts =
      "tests=\"\(report.results.count)\" failures=\"\(report.failures.count - timeouts)\" errors=\"\(timeouts)\" "
      + "skipped=\"\(report.skipped.count)\" time=\"\(seconds(report.elapsed))\""
    var xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    xml += "<testsuites name=\(quoted("epfnvme")) \(counts)>\n"
    let host = report.machine.first { $0.name == "host name" }?.value ?? "localhost"
    xml +=
      "  <testsuite name=\(quoted(name)) \(counts) timestamp=\(quoted(String(report.started.prefix(19)))) hostname=\(quoted(host))>\n"
    xml += "    <properties>\n"
    for fact in report.machine {
      xml += "      <property name=\(quoted(fact.name)) value=\(quoted(fact.value))/>\n"
    }
    for measurement in report.measurements {
      xml += "      <property name=\(quoted(measurement.id)) "
      xml += "value=\(quoted("\(measurement.median.shortText) \(measurement.unit)"))/>\n"
    }
    xml += "    </properties>\n"
    for result in report.results { xml += testCase(result, name) }
    if let signal = report.signal {
      xml += "    <system-err>ended by signal \(signal)</system-err>\n"
    }
    return xml + "  </testsuite>\n</testsuites>\n"
  }

  private static func testCase(_ result: TestReport.Result, _ suite: String) -> String {
    var xml =
      "    <testcase classname=\(quoted(suite)) name=\(quoted(result.id)) time=\"\(seconds(result.duration))\""
    let kernel = result.kernelLog.map { "kernel: \($0)\n" }.joined()
    let details = result.details.map { "\($0)\n" }.joined()
    switch result.outcome {
    case .passed where details.isEmpty: return xml + "/>\n"
    case .passed: xml += ">\n"
    case .failed(let reason):
      xml +=
        ">\n      <failure message=\(quoted(reason)) type=\"failure\">\(Markup.escaped(kernel))</failure>\n"
    case .timedOut(let reason):
      xml +=
        ">\n      <error message=\(quoted(reason)) type=\"timeout\">\(Markup.escaped(kernel))</error>\n"
    case .skipped(let reason): xml += ">\n      <skipped message=\(quoted(reason))/>\n"
    }
    if !details.isEmpty { xml += "      <system-out>\(Markup.escaped(details))</system-out>\n" }
    return xml + "    </testcase>\n"
  }

  private static func seconds(_ duration: Duration) -> String {
    (duration.inMilliseconds / 1000).shortText
  }

  private static func quoted(_ text: String) -> String { "\"\(Markup.escaped(text.singleLine))\"" }
}
