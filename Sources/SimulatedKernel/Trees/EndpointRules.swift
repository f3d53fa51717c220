// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import ControllerEmulation
internal import KernelHistory
internal import Numbers
internal import SystemPackage

/// `pci_ep`: its attributes, and the directories that users and drivers create.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`.
extension AttributeTable {
  static func endpointRules(_ kernelRelease: Release) -> [Node.Kind: [AttributeRule]] {
    var nvme: [AttributeRule]
    switch kernelRelease.generation {
    case .linux7_2: nvme = nvmetPCIEPFGroupRules
    case .linux6_12: nvme = pciEPFNVMeGroupRules
    }
    return [
      .function: headerRules + [
        .plain("msi_interrupts", "0", Parse.strict(upTo: 0xff)),
        .plain("msix_interrupts", "0", Parse.strict(upTo: 0xffff)),
      ],
      .nvmeGroup: nvme,
      .testGroup: testGroupRules,
      .controller: [startRule],
    ]
  }

  /// Header fields and their widths in bytes, as declared.
  private static let headerFields: [(name: String, limit: UInt64)] = [
    ("vendorid", 0xffff), ("deviceid", 0xffff), ("revid", 0xff), ("progif_code", 0xff),
    ("subclass_code", 0xff), ("baseclass_code", 0xff), ("cache_line_size", 0xff),
    ("subsys_vendor_id", 0xffff), ("subsys_id", 0xffff), ("interrupt_pin", 0xff),
  ]

  private static let headerRules = headerFields.map { field in
    AttributeRule(
      name: field.name,
      show: { state, node in
        (state.header(of: node)[field.name] ?? "0x0000") + "\n"
      },
      store: { (state, node, written) throws(Errno) in
        guard let value = try? written.unsigned(upTo: field.limit) else { throw .invalidArgument }
        var header = state.header(of: node)
        header[field.name] = hexadecimal(value, digits: 4)
        state.headers[state.headerKey(of: node)] = header
      })
  }

  private static let startRule = AttributeRule(
    name: "start", initial: "0",
    show: { state, node in state.value("start", of: node) + "\n" },
    store: { (state, node, written) throws(Errno) in
      let starts = try written.bool(state.kernelRelease)
      guard starts != state.isSet("start", of: node) else { throw .alreadyInProcess }
      let name = state.tree[node].name
      if starts, state.controller(at: node).failingOperations.contains(.start) {
        state.log(.error, "pci_epc \(name): failed to start endpoint controller")
        throw .invalidArgument
      }
      state.set("start", starts ? "1" : "0", of: node)
      state.cableNotices(starts, at: node)
    })

  private static let testGroupRules = (0...5).map { bar in
    AttributeRule.plain(
      "bar\(bar)_size", bar == 5 ? "1048576" : "131072",
      lock: { (state, node) throws(Errno) in
        let function = state.functions[state.tree[node].parent]
        guard function?.isBound != true, function?.hasStaleController != true else {
          throw .notSupportedOnSocket
        }
      },
      { (written, _) throws(Errno) in
        let size = try written.unsigned(upTo: UInt64(UInt32.max))
        guard size.nonzeroBitCount == 1, size < 0x8000_0000 else { throw .invalidArgument }
        return String(size)
      })
  }
}

extension KernelState {
  /// Creates `pci_ep` with the machine's controllers.
  mutating func registerEndpointTree() {
    let root = tree.add("pci_ep", .endpointRoot, in: 0, isDefault: true)
    _ = tree.add("functions", .functions, in: root, isDefault: true)
    let controllers = tree.add("controllers", .controllers, in: root, isDefault: true)
    for controller in machine.controllers {
      let node = tree.add(controller.name, .controller, in: controllers, isDefault: true)
      // Whether the controller has announced that it is initialised.
      if !controller.initializesAtReset { tree[node].number = 1 }
    }
  }

  var endpointRoot: Int? { tree.child(.endpointRoot, of: 0) }

  func controller(at node: Int) -> SimulatedKernel.EndpointController {
    let name = tree[node].name
    return machine.controllers.first { sameBytes($0.name, name) }
      ?? SimulatedKernel.EndpointController(name: name)
  }

  /// The directory of a controller, by name.
  func controllerNode(_ name: String) -> Int? {
    tree.all(.controller).first { sameBytes(tree[$0].name, name) }
  }

  /// Registers a function driver: its directory, and its header with the driver's defaults.
  mutating func registerDriver(_ name: String) {
    guard let root = endpointRoot, let functions = tree.child(.functions, of: root) else { return }
    _ = tree.add(name, .functionDriver, in: functions, isDefault: true)
    var header = [
      "vendorid": "0xffff", "deviceid": "0xffff", "revid": "0x0000", "progif_code": "0x0000",
      "subclass_code": "0x0000", "baseclass_code": "0x00ff", "cache_line_size": "0x0000",
      "subsys_vendor_id": "0x0000", "subsys_id": "0x0000", "interrupt_pin": "0x0001",
    ]
    if name != "pci_epf_test" {
      header["progif_code"] = "0x0002"
      header["subclass_code"] = "0x0008"
      header["baseclass_code"] = "0x0001"
    }
    headers[name] = header
  }

  /// The owner of a function's header: its driver, which all functions share, unless that quirk of `pci_epf_nvme` is switched off.
  func headerKey(of node: Int) -> String {
    let driver = functions[node]?.driver ?? ""
    return driver == "pci_epf_nvme" && !has(.sharedHeader) ? "\(driver) \(node)" : driver
  }

  func header(of node: Int) -> [String: String] {
    headers[headerKey(of: node)] ?? headers[functions[node]?.driver ?? ""] ?? [:]
  }

  /// Whether a quirk of a driver is imitated.
  func has(_ quirk: Quirk) -> Bool { machine.quirks?.contains(quirk) ?? true }

  mutating func unregisterDriver(_ name: String) {
    guard let root = endpointRoot, let functions = tree.child(.functions, of: root),
      let node = tree.child(name, of: functions)
    else { return }
    if kernelRelease.has(.driverUnload) {
      crash("\(name) unloaded: the group of the driver is used after it is freed")
    }
    if !tree[node].children.isEmpty {
      // pci_ep.md, 21, row 5
      crash("\(name) unloaded with function directories left")
    }
    tree.remove(node)
    headers[name] = nil
  }

  /// `mkdir functions/<driver>/<name>`: the lowest free number of the one counter, and the default groups.
  mutating func makeFunction(_ name: String, in driver: Int) {
    let taken = Set(functions.values.map(\.number))
    let number = (0...).first { !taken.contains($0) } ?? 0
    let driverName = tree[driver].name
    let node = tree.add(name, .function, in: driver)
    functions[node] = EndpointFunctionState(driver: driverName, number: number)
    let isLate = machine.lateGroups ?? kernelRelease.has(.lateGroups)
    let appears = isLate ? clock + 1_000_000 : 0
    _ = tree.add("primary", .primary, in: node, isDefault: true, appears: appears)
    _ = tree.add("secondary", .secondary, in: node, isDefault: true, appears: appears)
    switch driverName {
    case "pci_epf_test":
      _ = tree.add(
        "pci_epf_test.\(number)", .testGroup, in: node, isDefault: true, appears: appears)
    default:
      _ = tree.add("nvme", .nvmeGroup, in: node, isDefault: true, appears: appears)
    }
  }

  mutating func dropFunction(_ node: Int) {
    functions[node] = nil
  }

  /// The driver's group of a function.
  func group(of function: Int) -> Int {
    tree.child(.nvmeGroup, of: function) ?? tree.child(.testGroup, of: function) ?? function
  }

  /// A log line of a function's device.
  mutating func log(_ level: LogLevel, _ function: Int, _ text: String) {
    log(level, (functions[function]?.logPrefix ?? "") + text)
  }
}
