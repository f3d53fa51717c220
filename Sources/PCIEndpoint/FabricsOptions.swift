// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The option string of the kernel's NVMe fabrics host, with which `pci_epf_nvme` connects (`ctrl_opts`).
///
/// Key names use underscores; they are not the dashed options of the `nvme` command. The driver stores the text as it is
/// written, so it is sent without a line feed, and it appends `,hidden_ns` (the namespaces get no device nodes on the
/// board) unless these letters occur anywhere, be it in a name.
/// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_parse_options`, of Linux 6.12 with the series' `hidden_ns` patch.
public struct FabricsOptions: Hashable, Sendable {
  /// `transport`: `loop`, `tcp`, `rdma` or `fc`. Required.
  public var transport: String?
  /// `nqn`: the subsystem, at most 222 bytes. Required.
  public var nqn: String?
  /// `traddr`: the target's address. Without one, loop uses the first enabled loop port.
  public var address: String?
  /// `trsvcid`: tcp's port number. The kernel's default is 8009, the discovery port, not 4420.
  public var serviceID: String?
  /// `host_traddr`: this side's address.
  public var hostAddress: String?
  /// `host_iface`: the local network interface; ENODEV if it does not exist.
  public var hostInterface: String?
  /// `hostnqn`: this side's name, at most 222 bytes. Random by default.
  public var hostNQN: String?
  /// `hostid`: this side's UUID. Random by default.
  public var hostID: String?
  /// `queue_size`: entries of a queue, 16 to 1024. 128 by default.
  public var queueSize: Int32?
  /// `nr_io_queues`: the number of online CPUs by default and at most.
  public var ioQueues: Int32?
  /// `nr_write_queues`: separate queues for writes.
  public var writeQueues: Int32?
  /// `nr_poll_queues`: queues without interrupts.
  public var pollQueues: Int32?
  /// `reconnect_delay`: seconds, 10 by default.
  public var reconnectDelay: Int32?
  /// `ctrl_loss_tmo`: seconds, 600 by default; negative means forever.
  public var controllerLossTimeout: Int32?
  /// `fast_io_fail_tmo`: seconds, off by default and when negative.
  public var fastIOFailTimeout: Int32?
  /// `keep_alive_tmo`: seconds, 5 by default and for 0.
  public var keepAliveTimeout: Int32?
  /// `tos`: the type of service of packets, 0 to 255.
  public var typeOfService: Int32?
  /// `keyring`: the serial number of the keyring that has TLS keys.
  public var keyring: Int32?
  /// `tls_key`: the serial number of a TLS key.
  public var tlsKey: Int32?
  /// `dhchap_secret`: this side's secret, `DHHC-1:…`.
  public var secret: String?
  /// `dhchap_ctrl_secret`: the secret with which the controller must authenticate.
  public var controllerSecret: String?
  /// `duplicate_connect`: allows a second controller with the same parameters.
  public var allowsDuplicate = false
  /// `disable_sqflow`: no flow control of submission queues.
  public var disablesFlowControl = false
  /// `hdr_digest`.
  public var headerDigest = false
  /// `data_digest`.
  public var dataDigest = false
  /// `discovery`: a discovery controller, which the driver then refuses.
  public var isDiscovery = false
  /// `tls`.
  public var usesTLS = false
  /// Items that were read and are not understood, in their order. The kernel refuses them.
  public var unknownItems: [String] = []

  /// Empty options, the default of a new function.
  public init() {}

  public init(transport: String, nqn: String) {
    self.transport = transport
    self.nqn = nqn
  }

  /// - Throws: ``InvalidValue`` for an item that the kernel does not support, with its text.
  public init(_ text: String) throws(InvalidValue) {
    self.init(lenient: text)
    if let item = unknownItems.first {
      throw InvalidValue(
        reportedText, isNot: "a list of fabrics options",
        because: "has the item \"\(Self.hidingSecret(item))\", which the kernel does not know")
    }
  }

  private init(lenient text: String) {
    for item in Self.items(of: text) { take(item) }
  }

  /// The kernel separates bytes; a carriage return before a line feed belongs to its item.
  private static func items(of text: String) -> [String] {
    text.unicodeScalars.split { $0 == "," || $0 == "\n" }.map { String($0) }
  }
}

extension FabricsOptions: AttributeValue {
  /// Items are separated by commas or line feeds, so text that was written with a line feed is accepted, and the `hidden_ns` that the
  /// driver appends is ignored. Unknown items are not refused: see ``unknownItems``.
  public init?(attributeText: String) { self.init(lenient: attributeText) }

  /// Without a line feed, which would be stored. `hidden_ns` is written only if its letters in another item would prevent the driver from
  /// appending it.
  public var attributeText: String {
    let items = render()
    return items.contains(Self.hiddenNamespaces) ? items + "," + Self.hiddenNamespaces : items
  }

  public var shownText: String {
    let items = render()
    return items.isEmpty ? "" : items + "," + Self.hiddenNamespaces + "\n"
  }

  public var reportedText: String {
    hasSecret ? description : attributeText
  }

  public static var expectedForm: String { "fabrics options separated by commas" }
  private static let hiddenNamespaces = "hidden_ns"

  /// Whether two texts describe the same connection for the kernel, independent of the order of their items, line feeds, repetitions and
  /// the base of numbers: a later item replaces an earlier one of the same name.
  public static func meanSame(_ a: String, _ b: String) -> Bool {
    // The driver appends the item unless the letters are there already, be it in a name.
    func hides(_ text: String) -> Bool {
      !text.contains(hiddenNamespaces)
        || items(of: text).contains(hiddenNamespaces)
    }
    var (first, second) = (Self(lenient: a), Self(lenient: b))
    first.unknownItems.sort()
    second.unknownItems.sort()
    return first == second && hides(a) == hides(b)
  }
}

extension FabricsOptions: CustomStringConvertible {
  /// The items in a fixed order, without `hidden_ns` and with secrets hidden.
  public var description: String {
    items.map(Self.hidingSecret).joined(separator: ",")
  }

  private static let hidden = "(hidden)"
  private static let secretOptions: Set<String> = ["dhchap_secret", "dhchap_ctrl_secret"]
  /// What an item of an unknown name, perhaps a misspelled one, has if its value may be a secret.
  private static let secretWords = ["secr", "chap", "dhch", "key", "psk", "pass", "pwd", "token"]
  /// The beginnings of keys for DH-HMAC-CHAP and TLS.
  private static let keyPrefixes = ["dhhc-1", "nvmetlskey-1"]

  private var hasSecret: Bool { items.contains { Self.hidingSecret($0) != $0 } }

  /// The text of an option string with its secrets hidden, otherwise unchanged.
  public static func hidingSecrets(in text: String) -> String {
    var shown = ""
    for (index, line) in text.unicodeScalars.split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" }
    ).enumerated() {
      if index > 0 { shown += "\n" }
      shown += line.split(separator: ",", omittingEmptySubsequences: false).map {
        hidingSecret(String($0))
      }.joined(separator: ",")
    }
    return shown
  }

  /// An item without its value if that is a secret, or may be one by its unknown name.
  public static func hidingSecret(_ item: String) -> String {
    let name = item.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
    let (folded, foldedName) = (item.lowercased(), name.lowercased())
    let isSecret =
      options.contains { $0.token == name }
      ? secretOptions.contains(String(name))
      : secretWords.contains { folded.contains($0) }
    guard name.endIndex != item.endIndex,
      isSecret || keyPrefixes.contains(where: { folded.contains($0) })
    else { return item }
    let isKey = keyPrefixes.contains { foldedName.hasPrefix($0) }
    return isKey ? hidden : "\(name)=\(hidden)"
  }

  private func render() -> String { items.joined(separator: ",") }

  private var items: [String] {
    var items: [String] = []
    for option in Self.options {
      switch option.field {
      case .text(let path):
        if let value = self[keyPath: path] { items.append("\(option.token)=\(value)") }
      case .number(let path):
        if let value = self[keyPath: path] { items.append("\(option.token)=\(value)") }
      case .flag(let path):
        if self[keyPath: path] { items.append(option.token) }
      }
    }
    return items + unknownItems
  }

  private mutating func take(_ item: String) {
    if item == Self.hiddenNamespaces { return }
    let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let value = parts.count == 2 ? String(parts[1]) : nil
    guard let option = Self.options.first(where: { $0.token == parts[0] }) else {
      unknownItems.append(item)
      return
    }
    switch (option.field, value) {
    case (.text(let path), .some(let value)) where !value.isEmpty: self[keyPath: path] = value
    case (.flag(let path), nil): self[keyPath: path] = true
    case (.number(let path), .some(let value)):
      guard let number = value.kernelInteger(Int32.self) else { fallthrough }
      self[keyPath: path] = number
    default: unknownItems.append(item)
    }
  }
}

extension FabricsOptions {
  enum Field: Sendable {
    case text(any WritableKeyPath<FabricsOptions, String?> & Sendable)
    case number(any WritableKeyPath<FabricsOptions, Int32?> & Sendable)
    case flag(any WritableKeyPath<FabricsOptions, Bool> & Sendable)
  }

  struct Option: Sendable {
    var token: String
    var field: Field
    /// The transports that support it; nil for all.
    var transports: Set<String>?

    init(_ token: String, _ field: Field, only transports: Set<String>? = nil) {
      self.token = token
      self.field = field
      self.transports = transports
    }
  }

  /// Every option, in the order in which they are written.
  /// - Source: `drivers/nvme/host/fabrics.c`, `opt_tokens`, `NVMF_ALLOWED_OPTS`; the transports' `allowed_opts`.
  static let options: [Option] = [
    Option("transport", .text(\.transport)),
    Option("nqn", .text(\.nqn)),
    Option("traddr", .text(\.address)),
    Option("trsvcid", .text(\.serviceID), only: ["tcp", "rdma"]),
    Option("host_traddr", .text(\.hostAddress), only: ["tcp", "rdma", "fc"]),
    Option("host_iface", .text(\.hostInterface), only: ["tcp"]),
    Option("hostnqn", .text(\.hostNQN)),
    Option("hostid", .text(\.hostID)),
    Option("queue_size", .number(\.queueSize)),
    Option("nr_io_queues", .number(\.ioQueues)),
    Option("nr_write_queues", .number(\.writeQueues), only: ["tcp", "rdma"]),
    Option("nr_poll_queues", .number(\.pollQueues), only: ["tcp", "rdma"]),
    Option("reconnect_delay", .number(\.reconnectDelay), only: ["tcp", "rdma", "fc"]),
    Option("ctrl_loss_tmo", .number(\.controllerLossTimeout), only: ["tcp", "rdma", "fc"]),
    Option("fast_io_fail_tmo", .number(\.fastIOFailTimeout)),
    Option("keep_alive_tmo", .number(\.keepAliveTimeout)),
    Option("tos", .number(\.typeOfService), only: ["tcp", "rdma"]),
    Option("keyring", .number(\.keyring), only: ["tcp"]),
    Option("tls_key", .number(\.tlsKey), only: ["tcp"]),
    Option("dhchap_secret", .text(\.secret)),
    Option("dhchap_ctrl_secret", .text(\.controllerSecret)),
    Option("duplicate_connect", .flag(\.allowsDuplicate)),
    Option("disable_sqflow", .flag(\.disablesFlowControl)),
    Option("hdr_digest", .flag(\.headerDigest), only: ["tcp"]),
    Option("data_digest", .flag(\.dataDigest), only: ["tcp"]),
    Option("discovery", .flag(\.isDiscovery)),
    Option("tls", .flag(\.usesTLS), only: ["tcp"]),
  ]

  func isGiven(_ option: Option) -> Bool {
    switch option.field {
    case .text(let path): self[keyPath: path] != nil
    case .number(let path): self[keyPath: path] != nil
    case .flag(let path): self[keyPath: path]
    }
  }
}
