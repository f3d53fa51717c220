// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelComparison
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A simulated kernel with one bug more, in the place of the real one.
private struct BuggyConfigFS: ConfigFSBackend {
  let kernel: SimulatedKernel
  /// The errno that a call gets instead; nil for one without the bug.
  let bug: @Sendable (KernelCall, SimulatedKernel) -> Errno?

  var mountPoint: FilePath { kernel.mountPoint }

  private func name(_ path: FilePath) -> String {
    String(path.string.dropFirst(mountPoint.string.count + 1))
  }
  private func check(_ call: KernelCall) throws(Errno) {
    if let errno = bug(call, kernel) { throw errno }
  }

  func read(_ path: FilePath) throws(Errno) -> String { try kernel.read(path) }
  func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    try check(.write(text, to: name(path)))
    return try kernel.write(text, to: path)
  }
  func createDirectory(_ path: FilePath) throws(Errno) {
    try check(.make(name(path)))
    try kernel.createDirectory(path)
  }
  func removeDirectory(_ path: FilePath) throws(Errno) {
    try check(.remove(name(path)))
    try kernel.removeDirectory(path)
  }
  func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    try check(.link(name(path), to: name(target)))
    try kernel.createLink(at: path, to: target)
  }
  func removeLink(_ path: FilePath) throws(Errno) {
    try check(.unlink(name(path)))
    try kernel.removeLink(path)
  }
  func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] { try kernel.entries(of: path) }
  func linkTarget(of path: FilePath) throws(Errno) -> FilePath { try kernel.linkTarget(of: path) }
  func kind(of path: FilePath) throws(Errno) -> EntryKind { try kernel.kind(of: path) }
  func isWritable(_ path: FilePath) throws(Errno) -> Bool { try kernel.isWritable(path) }
}

@Suite("The comparison of a kernel with its simulation")
struct ComparisonTests {
  private static let machine: SimulatedKernel.Machine = {
    var machine = SimulatedKernel.Machine()
    machine.controllers = [.virtual("a40000000.pcie-ep")]
    return machine
  }()

  private static func comparison(
    explanations: Explanations = Explanations(),
    _ bug: @escaping @Sendable (KernelCall, SimulatedKernel) -> Errno? = { _, _ in nil }
  ) -> Comparison {
    Comparison(explanations: explanations) {
      let real = SimulatedKernel(.linux7_2, machine: machine)
      let compared = ComparedKernel(
        configFS: BuggyConfigFS(kernel: real, bug: bug), descriptors: real, modules: real,
        backings: real, log: real)
      return (compared, SimulatedKernel(.linux7_2, machine: machine), [])
    }
  }

  @Test("a simulation does not differ from itself", arguments: ComparedTree.allCases)
  func equal(_ tree: ComparedTree) {
    for seed in UInt64(1)...(TestScale.isFull ? 100 : 2) {
      let ending = Self.comparison().run(tree, seed: seed, calls: 60)
      #expect(ending.difference == nil, "seed \(seed)")
      #expect(ending.performed == 60, "seed \(seed)")
    }
  }

  @Test("the same seed gives the same calls")
  func deterministic() {
    func calls() -> [String] {
      var lines: [String] = []
      var comparison = Self.comparison()
      comparison.announce = { lines.append($0.line) }
      _ = comparison.run(.target, seed: 7, calls: 60)
      return lines
    }
    #expect(calls() == calls())
  }

  @Test("a wrong errno deep in a tree is found, and shrunk to the calls that lead there")
  func deepBug() throws {
    let comparison = Self.comparison { call, kernel in
      guard case .write("1\n", let path) = call, path.hasSuffix("/namespaces/1/enable"),
        (try? kernel.kind(of: "/sys/kernel/config/nvmet/ports/1")) == .directory
      else { return nil }
      return .ioError
    }
    let found = try #require(
      (UInt64(1)...200).lazy.compactMap {
        comparison.run(.target, seed: $0, calls: 60).difference
      }.first { $0.real.first == "EIO" })
    let small = comparison.shrink(found)
    #expect(small.calls.count <= 6, "\(small.calls)")
    #expect(small.calls.contains(.make("nvmet/ports/1")))
    #expect(
      small.signature.hasPrefix("write nvmet/subsystems/*/namespaces/*/enable: outcome real EIO"))
    #expect(comparison.run(small.calls).difference?.signature == small.signature)
  }

  @Test("a call that has an effect and reports none is found by the tree")
  func silentEffect() throws {
    let comparison = Comparison {
      // A kernel with one processor more shows it only by what it accepts.
      var other = Self.machine
      other.onlineCPUs = 9
      return (
        ComparedKernel(SimulatedKernel(.linux7_2, machine: other)),
        SimulatedKernel(.linux7_2, machine: Self.machine), []
      )
    }
    let calls: [KernelCall] = [
      .load("null_blk", ["nr_devices=0"]), .make("nullb/disk"),
      .write("100\n", to: "nullb/disk/submit_queues"), .write("4\n", to: "nullb/disk/size"),
      .write("1\n", to: "nullb/disk/power"), .read("nullb/disk/size"),
    ]
    let found = try #require(comparison.run(calls).difference)
    #expect(found.aspect == "tree")
    #expect(found.real == ["nullb/disk/submit_queues = 9\n"])
    #expect(found.simulated == ["nullb/disk/submit_queues = 8\n"])
    let small = comparison.shrink(found)
    #expect(small.calls.count == 4, "\(small.calls)")
    #expect(!small.calls.contains(.write("4\n", to: "nullb/disk/size")))
  }

  @Test(
    "a difference is explained by a pattern of its signature and one of what only one kernel has",
    arguments: [
      ("mkdir nullb/*: outcome real EACCES*", "EACCES", 1), ("mkdir nullb/*: outcome*", "*", 1),
      ("mkdir nullb/*: outcome*", "EPERM", 0), ("mkdir nvmet/*", "*", 0), ("*", "E*S", 1),
    ])
  func explained(signature: String, text: String, count: Int) {
    let comparison = Self.comparison(
      explanations: Explanations(parsing: "# reasons\n\(signature)\t\(text)\tbecause\n")
    ) { call, _ in
      call == .make("nullb/x") ? .permissionDenied : nil
    }
    let ending = comparison.run([
      .load("null_blk", ["nr_devices=0"]), .make("nullb/x"), .read("nullb/features"),
    ])
    #expect(ending.explained == [String](repeating: "because", count: count))
    #expect((ending.difference == nil) == (count == 1))
  }

  @Test("calls that crash the real kernel are not made")
  func refused() {
    let calls: [KernelCall] = [
      .load("nvmet_pci_epf", []), .make("pci_ep/functions/nvmet_pci_epf/f"),
      .link("pci_ep/functions/nvmet_pci_epf/f/l", to: "pci_ep/functions/nvmet_pci_epf/f"),
      .list("pci_ep/functions/nvmet_pci_epf/f"),
    ]
    let ending = Self.comparison().run(calls)
    #expect(ending.refused == 1)
    #expect(ending.performed == 3)
  }

  @Test("every call can be written to a file and read again")
  func lines() {
    let calls: [KernelCall] = [
      .make("a\tb\n"), .remove("x"), .link("l", to: "t"), .unlink("l"),
      .write("a\\n\n\0\t", to: "nvmet/x"), .read("r"), .list(""), .status("s"), .linkText("l"),
      .open("o", .rw), .readOpen(1), .rewind(2), .writeOpen("", to: 3), .close(4),
      .load("m", ["a=1", "b"]), .load("m", []), .unload("m"), .describe("/dev/x"),
    ]
    for call in calls { #expect(KernelCall(line: call.line) == call) }
  }

  @Test("cleaning leaves nothing of a random sequence", arguments: ComparedTree.allCases)
  func cleaning(_ tree: ComparedTree) {
    for seed in UInt64(1)...(TestScale.isFull ? 50 : 2) {
      let kernel = SimulatedKernel(.linux7_2, machine: Self.machine)
      let empty = kernel.snapshot()
      let comparison = Comparison { (ComparedKernel(kernel), kernel.copy(), []) }
      #expect(comparison.run(tree, seed: seed, calls: 60).difference == nil)
      var compared = ComparedKernel(kernel)
      #expect(compared.clean() == [], "seed \(seed)")
      #expect(kernel.snapshot() == empty, "seed \(seed)")
    }
  }
}
