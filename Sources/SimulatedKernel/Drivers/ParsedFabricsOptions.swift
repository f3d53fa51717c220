// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// The options of an NVMe-over-fabrics connection, in the kernel's text format.
/// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_parse_options`, `nvmf_create_ctrl`; `hidden_ns` of the series of `pci_epf_nvme`.
struct ParsedFabricsOptions: Sendable, Hashable {
  enum Form { case string, integer, flag }

  /// The options that the kernel knows.
  static let forms: [String: Form] = [
    "transport": .string, "nqn": .string, "traddr": .string, "trsvcid": .string,
    "host_traddr": .string, "host_iface": .string, "hostnqn": .string, "hostid": .string,
    "queue_size": .integer, "nr_io_queues": .integer, "nr_write_queues": .integer,
    "nr_poll_queues": .integer, "reconnect_delay": .integer, "ctrl_loss_tmo": .integer,
    "fast_io_fail_tmo": .integer, "keep_alive_tmo": .integer, "tos": .integer,
    "duplicate_connect": .flag, "disable_sqflow": .flag, "hdr_digest": .flag,
    "data_digest": .flag, "discovery": .flag, "hidden_ns": .flag,
  ]

  /// Options of every transport.
  static let always: Set<String> = [
    "transport", "nqn", "queue_size", "nr_io_queues", "keep_alive_tmo", "hostnqn", "hostid",
    "duplicate_connect", "disable_sqflow", "discovery", "fast_io_fail_tmo", "dhchap_secret",
    "dhchap_ctrl_secret", "hidden_ns",
  ]

  /// The host drivers: module, required and additional options.
  static let transports: [String: (module: String, needs: [String], takes: Set<String>)] = [
    "loop": ("nvme_loop", [], ["traddr"]),
    "tcp": (
      "nvme_tcp", ["traddr"],
      [
        "traddr", "trsvcid", "host_traddr", "host_iface", "reconnect_delay", "ctrl_loss_tmo",
        "hdr_digest", "data_digest", "nr_write_queues", "nr_poll_queues", "tos", "tls", "keyring",
        "tls_key",
      ]
    ),
    "rdma": (
      "nvme_rdma", ["traddr"],
      [
        "traddr", "trsvcid", "host_traddr", "reconnect_delay", "ctrl_loss_tmo",
        "nr_write_queues", "nr_poll_queues", "tos",
      ]
    ),
    "fc": (
      "nvme_fc", ["traddr", "host_traddr"],
      ["traddr", "host_traddr", "reconnect_delay", "ctrl_loss_tmo"]
    ),
  ]

  var strings: [String: String] = [:]
  var integers: [String: Int] = [:]
  var flags: Set<String> = []
  /// In the order of the text.
  var given: [String] = []

  /// The format of an option in messages: `traddr=%s`.
  static func pattern(_ name: String) -> String {
    switch forms[name] {
    case .string: name + "=%s"
    case .integer: name + "=%d"
    case .flag, nil: name
    }
  }

  /// Reads the options.
  /// - Parameter complain: receives the log messages, without prefix.
  init(
    _ text: String, options: Set<SimulatedKernel.KernelOption>,
    complain: (LogLevel, String) -> Void
  ) throws(Errno) {
    for item in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
      let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      let value = parts.count == 2 ? String(parts[1]) : nil
      var form = Self.forms[name]
      if options.contains(.authentication), name.hasPrefix("dhchap_"), name.hasSuffix("_secret") {
        form = .string
      }
      switch (form, value) {
      case (.string, let value?) where !value.isEmpty:
        try check(name, value, complain)
        strings[name] = value
      case (.integer, let value?) where Self.number(value) != nil:
        try check(name, Self.number(value) ?? 0, complain)
      case (.flag, nil): flags.insert(name)
      default:
        complain(
          .warning,
          "unknown parameter or missing value '\(item)' in ctrl creation request")
        throw .invalidArgument
      }
      given.append(name)
    }
  }

  /// `%d` of the option matcher: base 0 with a sign, to the end of the item.
  private static func number(_ text: String) -> Int? {
    guard text.utf8.last != newline else { return nil }
    return try? Written(text).signed()
  }

  private func check(
    _ name: String, _ value: String, _ complain: (LogLevel, String) -> Void
  ) throws(Errno) {
    switch name {
    case "nqn", "hostnqn":
      guard value.utf8.count >= 223 else { return }
      complain(.error, "\(value) needs to be < 223 bytes")
    case "hostid":
      guard value.utf8.count != 36 || Written(value).uuid == nil else { return }
      complain(.error, "Invalid hostid \(value)")
    case "dhchap_secret", "dhchap_ctrl_secret":
      guard value.utf8.count < 11 || !value.hasPrefix("DHHC-1:") else { return }
      complain(.error, "Invalid DH-CHAP secret \(value)")
    default: return
    }
    throw .invalidArgument
  }

  private mutating func check(
    _ name: String, _ value: Int, _ complain: (LogLevel, String) -> Void
  ) throws(Errno) {
    var value = value
    switch name {
    case "queue_size":
      if !(16...1024).contains(value) {
        complain(.error, "Invalid queue_size \(value)")
        throw .invalidArgument
      }
    case "nr_io_queues":
      if value <= 0 {
        complain(.error, "Invalid number of IOQs \(value)")
        throw .invalidArgument
      }
    case "nr_write_queues", "nr_poll_queues", "reconnect_delay":
      if value <= 0 {
        complain(.error, "Invalid \(name) \(value)")
        throw .invalidArgument
      }
    case "keep_alive_tmo":
      if value < 0 {
        complain(.error, "Invalid keep_alive_tmo \(value)")
        throw .invalidArgument
      }
      if value == 0 {
        complain(.warning, "keep_alive_tmo 0 won't execute keep alives!!!")
        value = 5
      }
    case "tos":
      if value < 0 {
        complain(.error, "Invalid type of service \(value)")
        throw .invalidArgument
      }
      if value > 255 {
        complain(.warning, "Clamping type of service to 255")
        value = 255
      }
    case "ctrl_loss_tmo":
      if value < 0 { complain(.warning, "ctrl_loss_tmo < 0 will reconnect forever") }
    case "fast_io_fail_tmo": value = max(value, -1)
    default: break
    }
    integers[name] = value
  }
}
