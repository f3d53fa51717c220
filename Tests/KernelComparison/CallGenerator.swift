// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import Numbers
package import SimulatedKernel

/// The tree that most calls of a sequence are about.
package enum ComparedTree: String, CaseIterable, Sendable {
  case endpoint = "pci_ep"
  case target = "nvmet"
  case nullBlock = "nullb"
}

/// Random calls that follow from a seed, and from the state of the simulated kernel: they aim at what exists, so that deep states are
/// reached.
package struct CallGenerator {
  let tree: ComparedTree
  var random: SplitMix64
  /// The steps of a recipe that are still to come.
  private var queue: [KernelCall] = []
  private var scene: Scene
  private var openAttributes: [Int: KernelCall.OpenMode] = [:]
  private var isFresh = false

  package init(_ tree: ComparedTree, seed: UInt64, on kernel: SimulatedKernel) {
    self.tree = tree
    let number = UInt64(ComparedTree.allCases.firstIndex(of: tree) ?? 0)
    random = SplitMix64(seed: seed &* 8 &+ number)
    scene = Scene(kernel)
    queue = opening()
  }

  /// The next call, for a simulated kernel in the state after the calls before.
  package mutating func next(on kernel: SimulatedKernel) -> KernelCall {
    if !isFresh {
      scene = Scene(kernel)
      isFresh = true
    }
    let call = choose()
    if call.isEffect { isFresh = false }
    return call
  }

  /// Tells whether a call worked, for descriptors.
  package mutating func note(_ call: KernelCall, _ answer: Answer) {
    guard answer.outcome == "ok" else { return }
    switch call {
    case .open(_, let mode):
      let number = (0...).first { openAttributes[$0] == nil } ?? 0
      openAttributes[number] = mode
    case .close(let number): openAttributes[number] = nil
    default: break
    }
  }

  private mutating func choose() -> KernelCall {
    if !queue.isEmpty {
      if random.chance(6) { return single() }
      let step = queue.removeFirst()
      // A recipe with a gap reaches states that no sensible program does.
      return random.chance(6) ? single() : step
    }
    if random.chance(9) {
      queue = recipe()
      if !queue.isEmpty { return queue.removeFirst() }
    }
    return single()
  }

  private mutating func single() -> KernelCall {
    switch random.below(100) {
    case 0..<44: write()
    case 44..<56: make()
    case 56..<63: remove()
    case 63..<71: link()
    case 71..<76: unlink()
    case 76..<81: .read(attribute() ?? "nvmet/x")
    case 81..<85: .list(random.chance(85) ? directory() : anything())
    case 85..<88: .status(anything())
    case 88..<89:
      .linkText(random.chance(80) ? random.one(of: scene.links) ?? anything() : anything())
    case 89..<96: descriptor()
    case 96..<98: module()
    default: .describe("/dev/" + (random.one(of: Grammar.disks) ?? "x"))
    }
  }

  // MARK: What calls are about

  private func isFocus(_ path: String) -> Bool { path.hasPrefix(tree.rawValue) }

  /// A directory that fits, mostly of the tree in question.
  private mutating func directory(where fits: (DirectoryKind) -> Bool = { _ in true }) -> String {
    let fitting = scene.directories.filter { fits($0.kind) }
    let near = fitting.filter { isFocus($0.path) }
    let pool = !near.isEmpty && random.chance(85) ? near : fitting
    return random.one(of: pool)?.path ?? random.one(of: scene.directories)?.path ?? "nvmet"
  }

  private mutating func attribute() -> String? {
    let directory = directory { $0 != .other }
    guard let names = scene.attributes[directory], let name = random.one(of: names) else {
      let with = scene.attributes.filter { !$0.value.isEmpty && isFocus($0.key) }.keys.sorted()
      guard let other = random.one(of: with),
        let name = random.one(of: scene.attributes[other] ?? [])
      else { return nil }
      return "\(other)/\(name)"
    }
    return "\(directory)/\(name)"
  }

  private mutating func anything() -> String {
    switch random.below(6) {
    case 0: return directory()
    case 1: return attribute() ?? directory()
    case 2: return random.one(of: scene.links) ?? directory()
    case 3: return directory() + "/" + (random.one(of: ["missing", "..", ".", "1", "x"]) ?? "x")
    case 4: return (attribute() ?? directory()) + "/x"
    default: return directory() + "/" + Grammar.name(in: .other, &random)
    }
  }

  // MARK: Calls

  private mutating func write() -> KernelCall {
    guard random.chance(97), let path = attribute() else { return .write("1\n", to: anything()) }
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    return .write(Grammar.value(for: name, &random), to: path)
  }

  private mutating func make() -> KernelCall {
    let parent = random.chance(88) ? directory { $0.makes } : directory()
    let path = parent + "/" + Grammar.name(in: DirectoryKind(parent), &random)
    return .make(random.chance(97) ? path : anything())
  }

  private mutating func remove() -> KernelCall {
    .remove(random.chance(85) ? directory { $0.isMade } : anything())
  }

  private mutating func link() -> KernelCall {
    let holder = random.chance(90) ? directory { $0.linked != nil } : directory()
    let kind = DirectoryKind(holder).linked
    let targets = scene.directories.filter { $0.kind == kind }.map(\.path)
    var target = random.one(of: targets) ?? directory()
    if random.chance(12) { target = random.chance(60) ? anything() : directory() }
    let name = random.one(of: ["l", "l", "m", "1", "start", "nq"]) ?? "l"
    return .link(holder + "/" + name, to: target)
  }

  private mutating func unlink() -> KernelCall {
    guard random.chance(85), let link = random.one(of: scene.links) else {
      return .unlink(anything())
    }
    return .unlink(link)
  }

  private mutating func descriptor() -> KernelCall {
    guard openAttributes.count < 4, !openAttributes.isEmpty || random.chance(60) else {
      return useDescriptor()
    }
    guard !openAttributes.isEmpty, random.chance(75) else {
      let mode = random.one(of: KernelCall.OpenMode.allCases) ?? .rw
      return .open(random.chance(92) ? attribute() ?? anything() : anything(), mode)
    }
    return useDescriptor()
  }

  private mutating func useDescriptor() -> KernelCall {
    let number = random.one(of: openAttributes.keys.sorted()) ?? random.below(2)
    switch random.below(8) {
    case 0..<3: return .readOpen(number)
    case 3: return .rewind(number)
    case 4..<7:
      let name = random.one(of: Grammar.forms.keys.sorted()) ?? "enable"
      let text = random.chance(60) ? ["0\n", "1\n", "2\n", ""][random.below(4)] : nil
      return .writeOpen(text ?? Grammar.value(for: name, &random), to: number)
    default: return .close(number)
    }
  }

  private static let moduleNames = [
    "nvmet", "nvmet_pci_epf", "null_blk", "pci_epf_test", "nvme_loop", "nvmet_tcp",
  ]

  private mutating func module() -> KernelCall {
    let name = random.one(of: Self.moduleNames) ?? "nvmet"
    guard random.chance(55) else { return .unload(name) }
    return .load(name, name == "null_blk" ? nullBlockParameters() : [])
  }

  private mutating func nullBlockParameters() -> [String] {
    guard random.chance(30) else { return ["nr_devices=0"] }
    return random.one(of: [
      [], ["nr_devices=2"], ["nr_devices=1", "gb=1", "bs=4096"], ["nr_devices=0", "queue_mode=1"],
      ["nr_devices=0", "memory_backed=1", "size=x"], ["nr_devices=0", "poll_queues=2"],
      ["nr_devices=0", "zoned=1", "zone_size=4"], ["nr_devices=x"], ["nr_devices=0", "bs=8192"],
      ["nr_devices=0", "irqmode=2", "submit_queues=2", "home_node=0", "fua=0"],
    ]) ?? []
  }

  // MARK: Recipes

  private mutating func opening() -> [KernelCall] {
    switch tree {
    case .nullBlock: return [.load("null_blk", nullBlockParameters())]
    case .target:
      var calls: [KernelCall] = [.load("nvmet", [])]
      if random.chance(60) { calls.append(.load("nvmet_pci_epf", [])) }
      if random.chance(40) { calls.append(.load("null_blk", ["nr_devices=0"])) }
      return calls
    case .endpoint:
      var calls: [KernelCall] = []
      if random.chance(50) { calls.append(.load("pci_epf_test", [])) }
      if random.chance(90) { calls.append(.load("nvmet_pci_epf", [])) }
      return calls + (random.chance(50) ? target("pci") : [])
    }
  }

  private mutating func recipe() -> [KernelCall] {
    switch tree {
    case .nullBlock: random.chance(50) ? disk() : zonedDisk()
    case .target:
      switch random.below(5) {
      case 0: target("pci")
      case 1: target("loop")
      case 2: disk() + namespace()
      case 3: hosts()
      default: function()
      }
    case .endpoint: random.chance(40) ? target("pci") : function()
    }
  }

  private mutating func disk() -> [KernelCall] {
    let disk = "nullb/" + (random.one(of: ["disk", "d1", "nullb0"]) ?? "disk")
    return [
      .make(disk), .write("\(random.below(64))\n", to: disk + "/size"),
      .write("\(random.below(2))\n", to: disk + "/memory_backed"),
      .write("1\n", to: disk + "/power"), .describe("/dev/" + disk.dropFirst(6)),
    ]
  }

  private mutating func zonedDisk() -> [KernelCall] {
    let disk = "nullb/" + (random.one(of: ["disk", "d1"]) ?? "disk")
    return [
      .make(disk), .write("\(1 + random.below(64))\n", to: disk + "/size"),
      .write("1\n", to: disk + "/zoned"),
      .write("\(1 << random.below(6))\n", to: disk + "/zone_size"),
      .write("\(random.below(5))\n", to: disk + "/zone_nr_conv"),
      .write("\(random.below(5))\n", to: disk + "/zone_max_open"),
      .write("\(random.below(5))\n", to: disk + "/zone_max_active"),
      .write("1\n", to: disk + "/power"),
    ]
  }

  private mutating func namespace() -> [KernelCall] {
    let space = "nvmet/subsystems/nq/namespaces/1"
    return [
      .make("nvmet/subsystems/nq"), .make(space),
      .write(
        (random.one(of: ["/dev/disk", "/srv/file", "/dev/d1"]) ?? "") + "\n",
        to: space + "/device_path"),
      .write("\(random.below(2))\n", to: space + "/buffered_io"),
      .write("1\n", to: space + "/enable"),
    ]
  }

  private mutating func target(_ transport: String) -> [KernelCall] {
    let port = "nvmet/ports/" + (random.one(of: ["1", "1", "2"]) ?? "1")
    return [.load("nvmet", [])]
      + (transport == "pci" ? [.load("nvmet_pci_epf", [])] : [])
      + namespace() + [
        .write("1\n", to: "nvmet/subsystems/nq/attr_allow_any_host"),
        .write("0x1b96\n", to: "nvmet/subsystems/nq/attr_vendor_id"),
        .make(port), .write(transport + "\n", to: port + "/addr_trtype"),
        .link(port + "/subsystems/l", to: "nvmet/subsystems/nq"),
      ]
  }

  private mutating func hosts() -> [KernelCall] {
    [
      .make("nvmet/hosts/h"), .make("nvmet/subsystems/nq"),
      .write("\(random.below(2))\n", to: "nvmet/subsystems/nq/attr_allow_any_host"),
      .link("nvmet/subsystems/nq/allowed_hosts/h", to: "nvmet/hosts/h"),
      .write("\(random.below(2))\n", to: "nvmet/subsystems/nq/attr_allow_any_host"),
    ]
  }

  private mutating func function() -> [KernelCall] {
    let isTest = random.chance(20)
    let driver = isTest ? "pci_epf_test" : "nvmet_pci_epf"
    let function = "pci_ep/functions/\(driver)/" + (random.one(of: ["f0", "f1"]) ?? "f0")
    let controllers = scene.directories.filter { $0.kind == .controller }.map(\.path)
    let controller = random.one(of: controllers) ?? "pci_ep/controllers/a40000000.pcie-ep"
    var calls: [KernelCall] = [
      .make(function), .write("\(random.below(40))\n", to: function + "/msix_interrupts"),
      .write("\(random.below(40))\n", to: function + "/msi_interrupts"),
    ]
    if !isTest {
      calls += [
        .write((random.one(of: ["1\n", "1\n", "2\n"]) ?? ""), to: function + "/nvme/portid"),
        .write(
          (random.one(of: ["nq\n", "nq\n", "nq2\n"]) ?? ""), to: function + "/nvme/subsysnqn"),
      ]
    }
    calls.append(
      random.chance(70)
        ? .link(controller + "/" + (random.one(of: ["l", "m"]) ?? "l"), to: function)
        : .link(function + "/primary/l", to: controller))
    if random.chance(40) { calls.append(.write("1\n", to: controller + "/start")) }
    return calls
  }
}

/// The objects of the simulated kernel.
private struct Scene {
  var directories: [(path: String, kind: DirectoryKind)] = []
  var links: [String] = []
  /// Attributes by directory.
  var attributes: [String: [String]] = [:]

  init(_ kernel: SimulatedKernel) {
    let top = ComparedKernel(kernel)
    var open = [""]
    while let directory = open.popLast() {
      if !directory.isEmpty { directories.append((directory, DirectoryKind(directory))) }
      for entry in (try? kernel.entries(of: top.path(directory))) ?? [] {
        let path = directory.isEmpty ? entry.name : "\(directory)/\(entry.name)"
        switch entry.kind {
        case .directory: open.append(path)
        case .link: links.append(path)
        case .attribute: attributes[directory, default: []].append(entry.name)
        }
      }
    }
  }
}
