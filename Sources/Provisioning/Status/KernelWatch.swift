// SPDX-License-Identifier: Apache-2.0
package import KernelEvents
internal import KernelHistory

/// The kernel log during a run: messages about the endpoint, errors, and link events.
package struct KernelWatch {
  private let log: any KernelLog
  private let driver: String
  /// Why the log does not have the link's changes; nil if it has them.
  package let silence: String?

  /// - Parameters:
  ///   - driver: the function driver; empty when it is not known.
  ///   - release: the release of the kernel that writes the log.
  package init(_ log: any KernelLog, driver: String, release: String) {
    self.log = log
    self.driver = driver
    silence = Self.silence(of: driver, in: release)
  }

  /// Why a driver's messages do not have the link's changes; nil if they have them, or if the release does not tell.
  package static func silence(of driver: String, in release: String) -> String? {
    let change = KernelChange.linkChangesNotLogged
    guard driver == change.area.rawValue, let kernel = KernelRelease(release),
      change.presence(in: kernel) == .present
    else { return nil }
    return "\(driver) of Linux \(kernel.version) does not log link changes"
  }

  /// The link state in a message.
  package enum Link { case up, down }

  package static func link(_ line: String) -> Link? {
    if line.contains("PCI link up") || line.hasSuffix("Link UP") { return .up }
    if line.contains("PCI link down") || line.hasSuffix("Link DOWN") { return .down }
    return nil
  }

  /// The state that the driver enters with a line.
  package static func state(_ line: String) -> String? {
    if let link = link(line) { return link == .up ? "link up" : "link down" }
    let words = [
      ("New PCI ctrl", "created"), ("NVMe PCI controller:", "created"),
      ("Enabling controller", "enabled"), ("Disabling controller", "disabled"),
      ("Shutting down controller", "shut down"), ("Destroying PCI ctrl", "gone"),
    ]
    return words.first { line.contains($0.0) }?.1
  }

  /// Prefixes and parts of messages about provisioned objects.
  private static let subsystems = [
    "nvmet", "pci_epf_nvme", "pci_epc", "pci-epf", "pci_epf", "null_blk", "nullb", "nvme", "loop",
    "configfs", "pcie-ep",
  ]
  /// Reports of the kernel, independent of their cause.
  private static let alarms = [
    "WARNING:", "BUG:", "Oops", "Call Trace:", "Kernel panic", "KASAN", "UBSAN", "refcount_t:",
    "blocked for more than", "possible circular locking", "possible recursive locking",
    "Unable to handle kernel", "general protection fault", "soft lockup", "rcu: INFO",
  ]

  package static func isRelevant(_ line: KernelLogLine) -> Bool {
    isAlarm(line.text) || subsystems.contains { line.text.contains($0) }
  }

  /// Whether a line is a complaint about us, or an alarm.
  package static func isError(_ line: KernelLogLine) -> Bool {
    isAlarm(line.text)
      || line.level <= 3 && isRelevant(line) && !isKeepAliveOfEndedConnection(line.text)
  }

  /// The last keep-alive of a fabrics connection, if the connection ends before its completion. A connection that is lost in operation
  /// reports more: error recovery, reconnection.
  /// - Source: `drivers/nvme/host/core.c`, `nvme_keep_alive_end_io`.
  private static func isKeepAliveOfEndedConnection(_ text: String) -> Bool {
    text.contains("failed nvme_keep_alive_end_io")
  }

  package static func isAlarm(_ text: String) -> Bool { alarms.contains { text.contains($0) } }

  package func mark() -> KernelLogMark? { log.mark() }

  package func lines(since mark: KernelLogMark?) -> [KernelLogLine] {
    mark.map { log.lines(since: $0) } ?? []
  }

  /// The link events that the function driver reported since a mark. Where it does not log them, a host that enables the controller shows
  /// that the link is up.
  package func links(since mark: KernelLogMark?) -> [Link] {
    lines(since: mark).compactMap { line in
      guard line.text.contains(driver) else { return nil }
      if silence != nil, line.text.contains("Enabling controller") { return .up }
      return Self.link(line.text)
    }
  }
}
