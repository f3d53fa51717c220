// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import LibC
import PCI
import Testing

/// The backings of namespaces.
@Suite struct BackendTests {
  @Test(
    "after a completed Flush the data is in the file, even if the process is killed",
    arguments: [Behaviour.pciEPFNVMe, .nvmetPCIEPF, .reference])
  func killed(_ behaviour: Behaviour) async throws {
    let file = try TemporaryFile(bytes: 1 << 20)
    let written = [UInt8](repeating: 0x5a, count: 4096)
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [
        path = file.path as String, name = behaviour.rawValue as String,
        written = written as [UInt8]
      ] in
      var model = documentedModel(try #require(Behaviour(rawValue: name)))
      model.namespaces = [Namespace(id: 1, backend: .file(try FileStore(path: path)))]
      let host = Host(model)
      host.enable()
      try #require(host.makeQueues())
      let page = host.page()
      host.fill(page, written)
      let write = Host.Entry(opcode: 1, namespace: 1, prp1: page, words: [8, 0, 7])
      try #require(host.status(of: write, on: 1) == 0)
      try #require(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      kill(getpid(), SIGKILL)
    }
    let descriptor = open(file.path, O_RDONLY)
    defer { close(descriptor) }
    var found = [UInt8](repeating: 0, count: 4096)
    #expect(pread(descriptor, &found, found.count, 4096) == 4096)
    #expect(found == written)
  }

  @Test("a regular file is not a block device")
  func regularFile() throws {
    let file = try TemporaryFile(bytes: 1 << 20)
    let store = try FileStore(path: file.path)
    #expect(!store.isBlockDevice)
    #expect(store.size == 1 << 20)
  }

  @Test("a missing file is refused with its path and errno")
  func missing() {
    let error = #expect(throws: FileStore.OpenError.self) {
      _ = try FileStore(path: "/nonexistent/file")
    }
    #expect(error?.path == "/nonexistent/file")
    #expect(error?.errno == ENOENT)
  }
}
