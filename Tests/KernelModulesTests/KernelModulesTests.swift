// SPDX-License-Identifier: Apache-2.0
import Foundation
import SystemPackage
import Testing

@testable import KernelModules

@Suite struct KernelConfigurationTests {
  @Test("an option is set as y and as m, and not as a comment, a string or a part of a name")
  func options() {
    let configuration = KernelConfiguration(
      parsing: """
        CONFIG_CONFIGFS_FS=y
        CONFIG_NVME_TARGET=m
        # CONFIG_NVME_TARGET_TCP_TLS is not set
        CONFIG_LOCALVERSION="CONFIG_X=y"
        CONFIG_NVME_TARGET_LOOP=n
        """)
    #expect(configuration["CONFIGFS_FS"] == .builtIn && configuration["NVME_TARGET"] == .module)
    #expect(configuration.line(of: "NVME_TARGET") == "CONFIG_NVME_TARGET=m")
    #expect(
      configuration.line(of: "NVME_TARGET_TCP_TLS") == "# CONFIG_NVME_TARGET_TCP_TLS is not set")
    #expect(configuration.line(of: "NVME") == "no line about CONFIG_NVME")
    #expect(configuration.has("CONFIGFS_FS"))
    #expect(configuration.has("NVME_TARGET"))
    for option in ["NVME_TARGET_TCP_TLS", "NVME_TARGET_LOOP", "LOCALVERSION", "X", "NVME"] {
      #expect(!configuration.has(option), "\(option)")
    }
  }
}

@Suite("The live kernel's modules")
struct LiveModulesTests {
  static let absent = "epfnvme_no_such_module"

  @Test("an unknown module is missing, in every spelling")
  func missing() throws {
    #expect(try LiveModules().state(of: Self.absent) == .missing)
    #expect(try LiveModules().state(of: "epfnvme-no-such-module") == .missing)
    #expect(LiveModules().parameters(of: Self.absent).isEmpty)
  }

  @Test("loading an unknown module reports it")
  func loadMissing() {
    let error = #expect(throws: ModuleError.self) {
      try LiveModules().load("epfnvme-no-such-module", parameters: [])
    }
    #expect(error?.operation == .load)
    #expect(error?.module == Self.absent)
    #expect(error?.reason?.isEmpty == false)
  }

  @Test("unloading a module that is not loaded fails with the kernel's errno")
  func unloadMissing() {
    let error = #expect(throws: ModuleError.self) { try LiveModules().unload(Self.absent) }
    #expect(error?.operation == .unload)
    // ENOENT; EPERM without privileges; ENOSYS without loadable modules.
    #expect([1, 2, 38].contains(error?.errno.rawValue))
    #expect(error?.reason?.isEmpty == false)
  }

  @Test("the kernel's own parameters are read")
  func parameters() throws {
    // `kernel` is not a module, but exists in /sys/module on every kernel, with `panic` among its parameters.
    #expect(LiveModules().parameters(of: "kernel")["panic"] != nil)
    #expect(try LiveModules().state(of: "kernel") == .builtIn)
  }
}

/// A directory like `/lib/modules/RELEASE`, which goes with the object.
final class ModuleDirectory {
  let url = FileManager.default.temporaryDirectory.appending(
    path: "epfnvme-modules-\(UUID().uuidString)")
  var path: FilePath { FilePath(url.path()) }

  func write(_ data: Data, to name: String) throws {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(at: url.appending(path: name))
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

#if Libkmod
  @Suite("libkmod's index")
  struct ModuleIndexTests {
    /// The output of depmod for one module, `kernel/nowhere_else.ko`, without dependencies.
    static let index = """
      sAf0VwACAAEgAAA4b3doZXJlX2Vsc2UAAAAAAQAAAABrZXJuZWwvbm93aGVyZV9lbHNlLmtvOgBubsAAAAw=
      """

    @Test("a module whose file was removed after depmod is missing, and cannot be loaded")
    func fileGone() throws {
      let directory = ModuleDirectory()
      try directory.write(
        #require(Data(base64Encoded: Self.index)), to: "modules.dep.bin")
      try directory.write(Data(), to: "kernel/nowhere_else.ko")
      #expect(try state(in: directory) == .loadable)
      try directory.remove("kernel/nowhere_else.ko")
      #expect(try state(in: directory) == .missing)
      let error = #expect(throws: ModuleError.self) {
        try ModuleIndex(in: directory.path.string).load("nowhere_else", parameters: [])
      }
      #expect(
        error
          == ModuleError(
            .load, "nowhere_else", .noSuchFileOrDirectory,
            reason: "there is no such module for this kernel"))
    }

    private func state(in directory: ModuleDirectory) throws -> ModuleState {
      try ModuleIndex(in: directory.path.string).state(of: "nowhere_else")
    }
  }
#endif

@Suite("Without libkmod")
struct ModuleFilesTests {
  @Test(
    "a module's file shows its state",
    arguments: [
      ("configfs", .builtIn), ("nvmet_pci_epf", .loadable), ("null_blk", .loadable),
      ("nvmet", .missing), ("null_gone", .missing),
    ] as [(String, ModuleState)])
  func state(name: String, state: ModuleState) throws {
    let directory = ModuleDirectory()
    for file in ["nvme/target/nvmet-pci-epf.ko.zst", "block/null_blk/null_blk.ko.xz"] {
      try directory.write(Data(), to: "kernel/drivers/" + file)
    }
    let files = ModuleFiles(
      builtInList: "kernel/fs/configfs/configfs.ko\nkernel/drivers/block/loop.ko\n",
      dependencyList: """
        kernel/drivers/nvme/target/nvmet-pci-epf.ko.zst: kernel/drivers/nvme/target/nvmet.ko.zst
        kernel/drivers/block/null_blk/null_blk.ko.xz:
        kernel/drivers/block/null_blk/null_gone.ko.xz:
        """, in: directory.path)
    #expect(files.state(of: name) == state)
  }

  @Test(
    "the program's output names the errno",
    arguments: [
      ("modprobe: ERROR: could not insert 'x': Operation not permitted", 1),
      ("modprobe: FATAL: Module x not found in directory /lib/modules/7.2", 2),
      ("modprobe: ERROR: could not insert 'x': Invalid argument\nmore", 22),
      ("modprobe: ERROR: could not insert 'x': Key was rejected by service", 129),
      ("", 5),
    ] as [(String, CInt)])
  func errno(text: String, number: CInt) {
    #expect(LoaderProgram.errno(namedIn: text) == Errno(rawValue: number))
  }

  @Test("a missing program cannot be started")
  func noProgram() {
    let error = #expect(throws: ModuleError.self) {
      try LoaderProgram(path: "/nonexistent/modprobe").load("x", parameters: [])
    }
    #expect(
      error
        == ModuleError(
          .load, "x", .noSuchFileOrDirectory, reason: "/nonexistent/modprobe cannot be started"))
  }

  @Test("an errno has a text", arguments: [2, 8, 126, 129] as [CInt])
  func words(number: CInt) {
    #expect(FailureReason.loading(Errno(rawValue: number)) != nil)
    #expect(FailureReason.loading(Errno(rawValue: 7)) == nil)
  }
}
