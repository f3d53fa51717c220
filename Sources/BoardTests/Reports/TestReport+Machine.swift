// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import LibC
package import Provisioning

extension TestReport {
  /// Adds the machine, the time, and the profile's text.
  /// - Parameter version: of epfnvme.
  package mutating func describe(_ provisioner: Provisioner, text: String, version: String) {
    let machine = provisioner.machine
    let controllers = machine.endpointControllers().sorted().joined(separator: ", ")
    self.machine = [
      ("host name", Self.hostName), ("machine", machine.label),
      ("kernel", machine.facts.release), ("processors", "\(machine.facts.onlineCPUs)"),
      ("page size", "\(machine.facts.pageSize) bytes"),
      ("endpoint controllers", controllers.isEmpty ? "none" : controllers),
      ("epfnvme", version),
    ]
    started = Self.now
    profile = text
  }

  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "unknown" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// UTC, as ISO 8601 has it.
  private static var now: String {
    var seconds = time(nil)
    var parts = unsafe tm()
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ value: CInt) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}
