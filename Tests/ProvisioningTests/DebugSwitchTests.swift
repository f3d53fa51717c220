// SPDX-License-Identifier: Apache-2.0
import Foundation
import KernelModules
import Provisioning
import SystemPackage
import TestSupport
import Testing

@Suite("Debug messages of the kernel")
struct DebugSwitchTests {
  /// A run directory of one test.
  private final class Place {
    let run: RunDirectory
    init() {
      run = RunDirectory(FilePath("/dev/shm/epfnvme-debug-\(UUID().uuidString)"))
    }
    deinit { try? FileManager.default.removeItem(atPath: run.path.string) }

    var file: String { run.path.appending("call-sites").string }
    var isKept: Bool { FileManager.default.fileExists(atPath: file) }
  }

  private let place = Place()

  private static func site(
    _ module: String, _ line: UInt32, _ flags: String = "_", file: String? = nil,
    hasClass: Bool = false
  ) -> DebugCallSite {
    DebugCallSite(
      module: module, file: file ?? "drivers/\(module).c", line: line, function: "f\(line)",
      flags: flags, hasClass: hasClass)
  }

  private static let sites = [
    site("nvmet_pci_epf", 1), site("nvmet_pci_epf", 2, "pmf"), site("nvmet_pci_epf", 3, "mfl"),
    site("nvmet", 4), site("nvmet", 5, "p"), site("nvme_loop", 6), site("board_ep", 7),
    site("board_ep", 8, "s", file: "/home/x y/a.c"), site("board_ep", 9, "t", file: "/odd:name.c"),
    site("other", 10), site("nvmet", 11, hasClass: true),
  ]

  private func make(_ control: FakeDynamicDebug) -> DebugSwitch {
    DebugSwitch(control, run: place.run, controllerModules: ["board_ep"])
  }

  private func flags(_ control: FakeDynamicDebug) -> [String] { control.sites.map(\.flags) }

  @Test(
    "on enables every call site of the modules and keeps its other flags; other call sites are not changed"
  )
  func on() throws {
    let control = FakeDynamicDebug(Self.sites)
    let status = try make(control).switchOn(DebugGroup.allCases)
    #expect(flags(control) == ["p", "pmf", "pmfl", "p", "p", "p", "p", "ps", "pt", "_", "_"])
    #expect(status.changed == 7)
    #expect(
      status.modules == [
        .init(group: .driver, name: "nvmet_pci_epf", sites: 3, on: 3, kept: 3),
        .init(group: .target, name: "nvmet", sites: 2, on: 2, kept: 2),
        .init(group: .target, name: "nvme_loop", sites: 1, on: 1, kept: 1),
        .init(group: .controller, name: "board_ep", sites: 3, on: 3, kept: 3),
      ])
  }

  @Test("the status as JSON matches the schema")
  func json() throws {
    let control = FakeDynamicDebug(Self.sites)
    let schema = try PublishedSchema.output()
    let status = try make(control).switchOn(DebugGroup.allCases)
    #expect(schema.violations(status.json, as: "debug") == [])
    #expect(schema.properties(of: "debug").subtracting(schema.seen) == [])
  }

  @Test("off restores the exact state of every call site, and removes the saved state")
  func off() throws {
    let control = FakeDynamicDebug(Self.sites)
    let debugging = make(control)
    _ = try debugging.switchOn(DebugGroup.allCases)
    let status = try debugging.switchOff(DebugGroup.allCases)
    #expect(control.sites == Self.sites)
    #expect(status.changed == 7)
    #expect(!place.isKept)
    #expect(status.modules.allSatisfy { $0.kept == 0 })
  }

  @Test("a second on keeps the state that the first one saved")
  func twice() throws {
    let control = FakeDynamicDebug(Self.sites)
    let debugging = make(control)
    _ = try debugging.switchOn([.driver])
    #expect(try debugging.switchOn([.driver]).changed == 0)
    _ = try debugging.switchOn(DebugGroup.allCases)
    _ = try debugging.switchOff(DebugGroup.allCases)
    #expect(control.sites == Self.sites)
  }

  @Test("a module that was loaded after the first on is enabled by the second, and also restored")
  func later() throws {
    let control = FakeDynamicDebug(Self.sites.filter { $0.module != "nvme_loop" })
    let debugging = make(control)
    _ = try debugging.switchOn([.target])
    control.sites.append(Self.site("nvme_loop", 6, "m"))
    _ = try debugging.switchOn([.target])
    #expect(control.sites.last?.flags == "pm")
    _ = try debugging.switchOff([.target])
    #expect(control.sites.last?.flags == "m")
  }

  @Test("one group is restored without the others")
  func groups() throws {
    let control = FakeDynamicDebug(Self.sites)
    let debugging = make(control)
    _ = try debugging.switchOn(DebugGroup.allCases)
    _ = try debugging.switchOff([.driver])
    #expect(flags(control) == ["_", "pmf", "mfl", "p", "p", "p", "p", "ps", "pt", "_", "_"])
    #expect(place.isKept)
    _ = try debugging.switchOff([.target, .controller])
    #expect(control.sites == Self.sites)
    #expect(!place.isKept)
  }

  @Test(
    "call sites of an unloaded module need no restore, even if its controller was removed")
  func unloaded() throws {
    let control = FakeDynamicDebug(Self.sites)
    _ = try make(control).switchOn(DebugGroup.allCases)
    control.sites.removeAll { $0.module == "board_ep" }
    let after = DebugSwitch(control, run: place.run, controllerModules: [])
    _ = try after.switchOff(DebugGroup.allCases)
    #expect(control.sites == Self.sites.filter { $0.module != "board_ep" })
    #expect(!place.isKept)
  }

  @Test("off without on does nothing")
  func nothing() throws {
    let control = FakeDynamicDebug(Self.sites)
    #expect(try make(control).switchOff(DebugGroup.allCases).changed == 0)
    #expect(control.queries.isEmpty)
  }

  @Test("status changes nothing")
  func status() throws {
    let control = FakeDynamicDebug(Self.sites)
    #expect(
      try make(control).status([.driver]).modules
        == [.init(group: .driver, name: "nvmet_pci_epf", sites: 3, on: 1, kept: 0)])
    #expect(control.queries.isEmpty)
    #expect(!place.isKept)
  }

  @Test("only the owner can read the saved state")
  func mode() throws {
    _ = try make(FakeDynamicDebug(Self.sites)).switchOn([.driver])
    var status = stat()
    #expect(stat(place.file, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(place.run.journalNames().isEmpty)
  }

  @Test(
    "a write that the kernel refuses restores everything",
    arguments: [(1, Errno.invalidArgument), (2, .ioError), (4, .noMemory)])
  func refused(number: Int, errno: Errno) throws {
    let control = FakeDynamicDebug(Self.sites)
    control.fail(write: number, with: errno)
    let error = #expect(throws: ProvisioningError.self) {
      try make(control).switchOn(DebugGroup.allCases)
    }
    #expect(error?.kind == .operationFailed)
    #expect(error?.errno == errno)
    #expect(error?.value?.hasPrefix("module ") == true)
    #expect(control.sites == Self.sites)
    #expect(!place.isKept)
  }

  @Test("a kernel without a module of the group is distinguished from one with a disabled module")
  func absent() throws {
    let control = FakeDynamicDebug([Self.site("other", 1)])
    let error = #expect(throws: ProvisioningError.self) { try make(control).switchOn([.driver]) }
    #expect(error?.kind == .unsupported)
    #expect(!place.isKept)
  }

  @Test("missing privileges are reported", arguments: [Errno.permissionDenied, .notPermitted])
  func privileges(errno: Errno) throws {
    let control = FakeDynamicDebug(Self.sites)
    control.failReads(with: errno)
    let error = #expect(throws: ProvisioningError.self) { try make(control).status() }
    #expect(error?.kind == .needsPrivileges)
    #expect(error?.hint == "run as root")
  }

  @Test(
    "a damaged file of saved states is an error, and nothing is changed",
    arguments: [
      "", "{", "[]", #"{"epfnvme":2,"sites":[]}"#, #"{"epfnvme":1}"#,
      #"{"epfnvme":1,"sites":[{"group":"driver"}]}"#,
      #"{"epfnvme":1,"sites":[{"group":"driver","module":"m","file":"f","line":-1,"function":"x","flags":"_"}]}"#,
    ])
  func damaged(text: String) throws {
    #expect(mkdir(place.run.path.string, 0o700) == 0)
    try Data(text.utf8).write(to: URL(fileURLWithPath: place.file))
    let control = FakeDynamicDebug(Self.sites)
    for verb in [make(control).switchOn, make(control).switchOff] {
      let error = #expect(throws: ProvisioningError.self) { try verb(DebugGroup.allCases) }
      #expect(error?.kind == .cannotCreate)
    }
    #expect(control.queries.isEmpty)
  }
}
