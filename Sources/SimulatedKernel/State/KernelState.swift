// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import ControllerEmulation
internal import KernelModules
internal import Numbers
internal import SystemPackage

typealias Release = SimulatedKernel.Release

/// The state of a simulated kernel: a value, which can be saved to a file.
struct KernelState: Codable, Sendable {
  var version = KernelState.currentVersion
  /// Counts the saves of a persistent kernel.
  var generation: UInt64 = 0
  let kernelRelease: Release
  let machine: SimulatedKernel.Machine
  /// Nanoseconds of virtual time.
  var clock: Int64 = 0
  var isMounted: Bool
  var tree = Tree()
  /// Loaded modules and their parameters.
  var modules: [String: [String: String]] = [:]
  var storage: [String: SimulatedKernel.StoredObject]
  var log: [LogRecord] = []
  var nextRecord: UInt64 = 0
  var functions: [Int: EndpointFunctionState] = [:]
  /// The header that all functions of a driver share, as shown text.
  var headers: [String: [String: String]] = [:]
  /// The stores of enabled namespaces, by directory.
  var openNamespaces: [Int: OpenBacking] = [:]
  var targetControllers: [TargetController] = []
  var fabrics: [FabricsController] = []
  /// Host NQNs and the host ids that go with them, as fabrics connections have used them.
  var fabricsHosts: [String: String] = [:]
  /// Subsystems that some host has identified.
  var discoveredSubsystems: Set<Int> = []
  /// Pending events for the running devices; empty between operations.
  var deviceEvents: [FunctionEvent] = []
  /// In the order of their times.
  var linkChanges: [LinkChange] = []
  /// Controllers whose link has been trained.
  var trainedLinks: Set<Int> = []
  var crashes: [String] = []
  var faults: [SimulatedKernel.Fault] = []
  var effects = 0
  /// Places of the kernel that have warned, which they do once; nil is none.
  var warnings: Set<String>?
  /// nil while no attribute is open.
  var openAttributes: OpenAttributes?
  private var randomSeed: UInt64 = 0x9e37_79b9_7f4a_7c15

  static let currentVersion = 4
  /// Records that the log keeps.
  static let logCapacity = 4000

  init(_ kernelRelease: Release, _ machine: SimulatedKernel.Machine) {
    self.kernelRelease = kernelRelease
    self.machine = machine
    isMounted = machine.isConfigFSMounted
    storage = machine.storage
    if machine.hasEndpointSupport { registerEndpointTree() }
    for module in allModules where module.state == .builtIn || module.state == .loaded {
      // The initial modules cannot fail to load: they have no parameters.
      try? bringUp(module.name, parameters: [:])
    }
  }

  var release: String { machine.release ?? kernelRelease.uname }
  /// Whether the NVMe endpoint function driver is `nvmet_pci_epf`, and not `pci_epf_nvme`.
  var hasNVMetPCIEPF: Bool { kernelRelease.generation == .linux7_2 }

  func has(_ option: SimulatedKernel.KernelOption) -> Bool { machine.options.contains(option) }

  /// The next pseudo-random number: the same in every run.
  mutating func random() -> UInt64 {
    var numbers = SplitMix64(seed: randomSeed)
    defer { randomSeed = numbers.state }
    return numbers.next()
  }

  /// A random UUID, version 4.
  mutating func randomUUID() -> String {
    let high = random() & ~0xf000 | 0x4000
    let low = random() & ~(0b11 << 62) | (0b10 << 62)
    let digits = hexadecimalDigits(high, count: 16) + hexadecimalDigits(low, count: 16)
    return Written(digits).guid ?? digits
  }

  // MARK: Log

  mutating func log(_ level: LogLevel, _ text: String) {
    log.append(LogRecord(sequence: nextRecord, level: level.rawValue, text: text))
    nextRecord += 1
    if log.count > Self.logCapacity { log.removeFirst(log.count - Self.logCapacity) }
  }

  /// Records undefined behaviour: a real kernel might do anything from here on.
  mutating func crash(_ cause: String) {
    crashes.append(cause)
    log(.alert, "simulated kernel: undefined behaviour, \(cause)")
  }

  /// `WARN_ON_ONCE`: a back trace in the log, the first time.
  /// - Parameter number: which one of a function.
  mutating func warnOnce(_ file: String, _ function: String, _ number: Int = 1) {
    guard warnings?.contains("\(function) \(number)") != true else { return }
    warnings = (warnings ?? []).union(["\(function) \(number)"])
    log(.warning, "WARNING: \(file) at \(function)")
  }

  // MARK: Attributes of directories

  /// The current text of an attribute, without the line feed.
  func value(_ name: String, of node: Int) -> String {
    if let text = tree[node].values[name] { return text }
    return AttributeTable.of(kernelRelease).rule(name, in: tree[node].kind)?.initial ?? ""
  }

  /// A number that an attribute holds in decimal or as `0x…`.
  func number(_ name: String, of node: Int) -> Int {
    let text = value(name, of: node)
    let number =
      text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) ?? 0 : Int(text) ?? 0
    // The kernel's numbers wrap; computations here must not overflow.
    return min(max(number, -1 << 53), 1 << 53)
  }

  func isSet(_ name: String, of node: Int) -> Bool { value(name, of: node) == "1" }

  mutating func set(_ name: String, _ text: String, of node: Int) {
    tree[node].values[name] = text
  }
}

/// syslog severities.
enum LogLevel: UInt8 {
  case alert = 1
  case error = 3
  case warning = 4
  case info = 6

  init(_ level: LogLine.Level) {
    self =
      switch level {
      case .error: .error
      case .warning: .warning
      case .info: .info
      }
  }
}

/// One record of the kernel's log.
struct LogRecord: Codable, Sendable, Hashable {
  var sequence: UInt64
  var level: UInt8
  var text: String
}
