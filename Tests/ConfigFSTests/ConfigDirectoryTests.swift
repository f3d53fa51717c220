// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import RecordedConfigFS
import SystemPackage
import Testing

private struct Shelf: ConfigItem {
  let directory: ConfigDirectory
  var weight: Attribute<UInt8> { directory["weight"] }
}

@Suite("Directories, groups and links")
struct ConfigDirectoryTests {
  let backend = RecordedConfigFS(
    directories: ["t/shelves/a", "t/shelves/b", "t/links"],
    attributes: ["t/shelves/a/weight": "7\n"])
  var tree: ConfigDirectory { ConfigDirectory("/config/t", on: backend) }
  private var shelves: ConfigGroup<Shelf> { ConfigGroup(tree.child("shelves")) }
  private var links: ConfigLinks<Shelf> { ConfigLinks(tree.child("links")) }

  @Test("an attribute writes its value with one call and reads it back")
  func attribute() throws {
    #expect(try shelves["a"].weight.read() == 7)
    try shelves["a"].weight.write(9)
    #expect(backend.calls == [.write("/config/t/shelves/a/weight", "9\n")])
    #expect(try shelves["a"].weight.read() == 9)
    #expect(shelves["a"].weight.exists)
    #expect(!shelves["b"].weight.exists)
  }

  @Test("text that is not a value is an error that shows it")
  func malformed() throws {
    let backend = RecordedConfigFS(attributes: ["t/weight": "heavy\n"])
    let weight: Attribute<UInt8> = ConfigDirectory("/config/t", on: backend)["weight"]
    let error = #expect(throws: ConfigFSError.self) { try weight.read() }
    #expect(
      error
        == ConfigFSError(
          .read, "/config/t/weight",
          .malformed(text: "heavy\n", expected: "an integer from 0 to 255")))
    #expect(
      error?.description
        == "cannot read /config/t/weight: the kernel shows \"heavy\" where an integer from 0 to 255 was expected"
    )
  }

  @Test("a refused write names value, path and errno")
  func refused() throws {
    backend.failAll(with: .resourceBusy)
    let error = #expect(throws: ConfigFSError.self) { try shelves["a"].weight.write(3) }
    #expect(error?.errno == .resourceBusy)
    #expect(
      error?.description
        == "cannot write \"3\" to /config/t/shelves/a/weight: EBUSY (Device or resource busy)")
  }

  @Test("a short write is an error, not a second write")
  func shortWrite() throws {
    backend.takeOnly(1)
    let error = #expect(throws: ConfigFSError.self) { try shelves["a"].weight.write(30) }
    #expect(error?.cause == .shortWrite(taken: 1, of: 3))
    #expect(backend.calls.count == 1)
  }

  @Test("a group creates, lists and removes items")
  func group() throws {
    let made = try shelves.create("c")
    #expect(made.exists)
    #expect(made.name == "c")
    #expect(try shelves.all().map(\.name) == ["a", "b", "c"])
    try made.remove()
    #expect(!made.exists)
    #expect(
      backend.calls
        == [.createDirectory("/config/t/shelves/c"), .removeDirectory("/config/t/shelves/c")])
  }

  @Test("a link is created with an absolute target and found under any name")
  func linking() throws {
    try links.link(shelves["a"])
    try links.link(shelves["b"], as: "other")
    #expect(
      backend.calls
        == [
          .createLink("/config/t/links/a", to: "/config/t/shelves/a"),
          .createLink("/config/t/links/other", to: "/config/t/shelves/b"),
        ])
    let found = try links.all()
    #expect(found.map(\.name) == ["a", "other"])
    #expect(found.map(\.item.name) == ["a", "b"])
    #expect(try links.contains(shelves["b"]))
    #expect(try links.unlink(shelves["b"]))
    #expect(try !links.contains(shelves["b"]))
    #expect(try !links.unlink(shelves["b"]))
    #expect(backend.calls.last == .removeLink("/config/t/links/other"))
  }

  @Test("errors of groups and links name the operation")
  func groupErrors() throws {
    backend.failAll(with: .permissionDenied)
    #expect(throws: ConfigFSError(.list, "/config/t/shelves", .system(.permissionDenied))) {
      try shelves.all()
    }
    #expect(throws: ConfigFSError(.create, "/config/t/shelves/c", .system(.permissionDenied))) {
      _ = try shelves.create("c")
    }
    #expect(
      throws: ConfigFSError(
        .link, "/config/t/links/a", value: "/config/t/shelves/a", .system(.permissionDenied))
    ) { try links.link(shelves["a"]) }
  }
}
