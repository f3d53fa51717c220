// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import Numbers

/// The host's kernel log since its last boot, each line with its place and the device that it is about.
struct HostLog {
  struct Line: LoggedLine {
    /// `/dev/kmsg`, or the file's name and the line's number.
    var place: String
    var text: String
    var bytes: [UInt8]
    var device: Device
  }

  /// The device of a message.
  enum Device: Hashable {
    /// An NVMe function, or one that nothing identifies: `0000:01:00.0`, or `nvme0` if its function is not known.
    case function(String)
    case port(String)
    /// A function of another class, or of another driver.
    case other(String)
    /// No device; the IOMMU for example.
    case none
  }

  private(set) var lines: [Line] = []
  /// `uname -r`, from the first message of a boot.
  private(set) var release: String?
  /// The function of each name of the NVMe driver, as of the last line.
  private(set) var functions: [String: String] = [:]
  private var classes: [String: Device] = [:]
  /// The names of controllers behind a network, as of the last line.
  private var fabrics: Set<String> = []
  /// The buses behind a port, as of the last line.
  private var buses: [String: ClosedRange<UInt8>] = [:]

  init(_ log: [KernelLogLine]) {
    for line in log { append(line.text, at: "/dev/kmsg") }
    classify()
  }

  /// A saved log: the output of `dmesg` or `journalctl -k` with any options, a file of syslog, or a capture of a serial console.
  init(saved bytes: [UInt8], as name: String) {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let text = SavedLogLine.message(of: line)
      if !text.isEmpty { append(text, at: "\(name):\(index + 1)") }
    }
    classify()
  }

  /// Whether the log names an NVMe function.
  var hasFunction: Bool {
    !functions.isEmpty
      || classes.values.contains { if case .function = $0 { true } else { false } }
  }

  /// `Translated` or `Passthrough`; nil if the log does not have it.
  /// - Source: `drivers/iommu/iommu.c`, `iommu_subsys_init`.
  var defaultDomainType: String? {
    for line in lines {
      guard let range = line.text.firstRange(of: "iommu: Default domain type: ") else { continue }
      return String(line.text[range.upperBound...].prefix { !$0.isWhitespace })
    }
    return nil
  }

  private mutating func append(_ text: String, at place: String) {
    if text.hasPrefix("Linux version "), let word = text.split(separator: " ").dropFirst(2).first {
      // Another boot: its devices have new names and new states.
      lines = []
      functions = [:]
      classes = [:]
      fabrics = []
      buses = [:]
      release = String(word)
    }
    let bytes = Array(text.utf8)
    // Most lines of a log are about other things.
    let namesNVMe = Self.nvme.matches(bytes)
    let hasAddress = Self.hasAddress(bytes)
    if namesNVMe, let range = text.firstRange(of: ": pci function "),
      let name = Self.controller(in: text)
    {
      functions[name] = String(text[range.upperBound...].prefix { !$0.isWhitespace })
      fabrics.remove(name)
    }
    if namesNVMe, Self.fabricsMessages.contains(where: { $0.matches(bytes) }),
      let name = Self.controller(in: text)
    {
      learn(fabrics: name)
    }
    if hasAddress { learn(text) }
    lines.append(
      Line(
        place: place, text: text, bytes: bytes,
        device: namesNVMe || hasAddress || Self.source.matches(bytes) ? device(of: text) : .none))
  }

  private static let nvme: LinePattern = "nvme"
  private static let source: LinePattern = ": SID "
  /// Messages of the transports behind a network only; a truncated log may lack the first one.
  /// - Source: `drivers/nvme/host/{tcp,rdma,fc,fabrics}.c`, `drivers/nvme/target/loop.c`.
  private static let fabricsMessages: [LinePattern] = [
    ": new ctrl: ", ": mapped *default/read/poll queues", ": creating * I/O queues",
    ": Reconnecting in *", ": Successfully reconnected", ": starting error recovery",
    ": Removing ctrl: NQN", ": Connect command failed", ": Connect Invalid", "NVME-FC{",
    ": failed to connect socket", ": failed nvme_keep_alive_end_io",
  ]

  /// Whether the log tells what a device is, other than that something happened to it. A controller of which the log has only the name can
  /// be one behind a network.
  func isIdentified(_ device: Device) -> Bool {
    switch device {
    case .function(let name):
      classes[name] != nil || functions[name] != nil || functions.values.contains(name)
    case .port, .other, .none: true
    }
  }

  /// Whether a function can be behind a port: in its domain and, if the log has the port's buses, on one of them.
  func isBehind(_ port: String, _ address: String) -> Bool {
    let (above, parts) = (port.split(separator: ":"), address.split(separator: ":"))
    guard above.count == 3, parts.count == 3 else { return true }
    guard above[0] == parts[0] else { return false }
    guard let behind = buses[port], let bus = UInt8(parts[1], radix: 16) else { return true }
    return behind.contains(bus)
  }

  /// Whether a line can have the address of a PCI function: `01:00.0`.
  private static func hasAddress(_ line: [UInt8]) -> Bool {
    guard line.count >= 5 else { return false }
    let point = UInt8(ascii: ".")
    return (0..<line.count - 4).contains {
      line[$0] == UInt8(ascii: ":")
        // `0x01:0x00.0` has the point two characters later.
        && (line[$0 + 3] == point || $0 + 5 < line.count && line[$0 + 5] == point)
    }
  }

  // MARK: Devices

  /// The kind of a function, as a message states it.
  private mutating func learn(_ text: String) {
    let words = text.split(separator: " ", maxSplits: 2)
    guard words.count == 3, words[1].hasSuffix(":"), Self.isAddress(words[1].dropLast()) else {
      return
    }
    let address = String(words[1].dropLast())
    if let range = text.firstRange(of: "PCI bridge to [bus ") {
      let numbers = text[range.upperBound...].prefix { $0 != "]" }.split(separator: "-")
        .compactMap { UInt8($0, radix: 16) }
      if let first = numbers.first, let last = numbers.last, first <= last {
        buses[address] = first...last
      }
    }
    switch words[0] {
    case "pci":
      guard let range = text.firstRange(of: " class 0x") else { return }
      let code = text[range.upperBound...].prefix(6)
      // An endpoint that does not answer has no class.
      if code == "010802" || code == "ffffff" {
        classes[address] = .function(address)
      } else if code.hasPrefix("06") {
        // A request without a bus number is that of the host bridge.
        classes[address] = .port(address)
      } else {
        classes[address] = .other(address)
      }
    case "pcieport": classes[address] = .port(address)
    case "nvme": classes[address] = .function(address)
    case "vfio-pci", "iommu", "dmar": break
    default: if classes[address] == nil { classes[address] = .other(address) }
    }
  }

  /// A controller of NVMe over TCP, RDMA, FC or loop. The target may have told its ANA states before the message with its NQN.
  private mutating func learn(fabrics name: String) {
    functions[name] = nil
    fabrics.insert(name)
    for index in lines.indices where lines[index].device == .function(name) {
      lines[index].device = .other(name)
    }
  }

  /// Names become functions, and functions get their kinds, which a later line may have told.
  private mutating func classify() {
    for index in lines.indices {
      if case .function(let name) = lines[index].device, let kind = classes[name] {
        lines[index].device = kind
      }
    }
  }

  private func device(of text: String) -> Device {
    if let address = Self.lastAddress(in: text) ?? Self.sourceID(in: text) {
      return .function(address)
    }
    guard let name = Self.controller(in: text) else { return .none }
    if fabrics.contains(name) { return .other(name) }
    return .function(functions[name] ?? name)
  }

  /// `nvme1` of `nvme nvme1: …`, `block nvme1n1: …`, `dev nvme1n1`.
  private static func controller(in text: String) -> String? {
    for word in text.split(whereSeparator: { " ():,".contains($0) })
    where word.hasPrefix("nvme") && word.dropFirst(4).first?.isNumber == true {
      return "nvme" + word.dropFirst(4).prefix { $0.isNumber }
    }
    return nil
  }

  private static func isAddress(_ word: Substring) -> Bool {
    let parts = word.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, (4...8).contains(parts[0].count) else { return false }
    return parts[0].allSatisfy(\.isHexDigit) && isShortAddress(word.dropFirst(parts[0].count + 1))
  }

  /// `01:00.0`
  private static func isShortAddress(_ word: Substring) -> Bool {
    let digits = word.filter(\.isHexDigit)
    return word.count == 7 && digits.count == 5
      && Array(word)[2] == ":" && Array(word)[5] == "."
  }

  /// The requester of an invalidation that timed out: `SID 500`, in hexadecimal, is 05:00.0; 0 is none.
  /// - Source: `drivers/iommu/intel/dmar.c`, `qi_dump_fault`.
  private static func sourceID(in text: String) -> String? {
    guard let start = text.firstRange(of: " SID ")?.upperBound,
      let number = UInt16(text[start...].prefix(while: \.isHexDigit), radix: 16), number != 0
    else { return nil }
    let (bus, device) = (hexadecimalDigits(number >> 8, count: 2), number >> 3 & 0x1f)
    return "0000:\(bus):\(hexadecimalDigits(device, count: 2)).\(number & 7)"
  }

  /// The last address, since a port reports errors of the function that it names after itself. The IOMMU omits the domain, and some kernels
  /// print `[0x01:0x00.0]`.
  private static func lastAddress(in text: String) -> String? {
    var found: String?
    for word in text.split(whereSeparator: { " []=,()".contains($0) }) {
      var trimmed = word.last == ":" ? word.dropLast() : word
      if trimmed.hasPrefix("0x") { trimmed = trimmed.replacing("0x", with: "")[...] }
      if isAddress(trimmed) {
        found = String(trimmed)
      } else if isShortAddress(trimmed) {
        found = "0000:" + trimmed
      }
    }
    return found
  }
}

extension HostLog.Line {
  /// The address of a function that the host finds with this message.
  var foundFunction: String? {
    guard text.contains(": pci function ") || text.contains(" type 00 class 0x") else { return nil }
    return switch device {
    case .function(let address), .other(let address): address
    case .port, .none: nil
    }
  }
}
