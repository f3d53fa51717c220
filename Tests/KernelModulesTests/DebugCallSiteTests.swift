// SPDX-License-Identifier: Apache-2.0
import KernelModules
import SystemPackage
import Testing

@Suite("Debug call sites")
struct DebugCallSiteTests {
  private static let site = DebugCallSite(
    module: "nvmet_pci_epf", file: "drivers/nvme/target/pci-epf.c", line: 1234,
    function: "nvmet_pci_epf_bind", flags: "_")

  @Test(
    "a line names file, line, module, function and flags, whatever its format holds",
    arguments: [
      "", "text\\012", "a \\042quoted\\042 word", "x \"y\" =p \"z", "[m]f =p", "# no comment",
      ": =",
    ])
  func line(format: String) {
    let text =
      "drivers/nvme/target/pci-epf.c:1234 [nvmet_pci_epf]nvmet_pci_epf_bind =_ \"\(format)\""
    #expect(DebugCallSite(parsing: text) == Self.site)
  }

  @Test(
    "flags are kept unchanged",
    arguments: [("_", false), ("p", true), ("pmfsltd", true), ("mf", false)])
  func flags(flags: String, isOn: Bool) throws {
    let site = try #require(DebugCallSite(parsing: "a.c:1 [m]f =\(flags) \"x\""))
    #expect(site.flags == flags)
    #expect(site.isOn == isOn)
  }

  @Test(
    "a call site of a class is recognised",
    arguments: ["\"x\" class:DRM_UT_CORE", "\"x\" class unknown, _id:5"])
  func ofClass(rest: String) {
    #expect(DebugCallSite(parsing: "a.c:1 [m]f =_ \(rest)")?.hasClass == true)
  }

  @Test("a file's name may have blanks, colons and brackets")
  func oddFile() {
    let site = DebugCallSite(parsing: "/home/x [y]/a:b.c:12 [m]f =_ \"t\"")
    #expect(site?.file == "/home/x [y]/a:b.c")
    #expect(site?.line == 12)
  }

  @Test(
    "other lines are not call sites",
    arguments: [
      "", "# filename:lineno [module]function flags format", "a.c:1 [m]f", "a.c:1 [m]f =",
      "a.c:x [m]f =_ \"t\"",
      "a.c:1 m f =_ \"t\"", "a.c:1 [m] =_ \"t\"", ":1 [m]f =_ \"t\"", "a.c:1 []f =_ \"t\"",
      "a.c:4294967296 [m]f =_ \"t\"", "=_ \"", " =_ \"", "] =_ \"", "[]=_ \"\"", "a.c:1 [m]f =_",
    ])
  func none(text: String) {
    #expect(DebugCallSite(parsing: text) == nil)
  }

  @Test("a control file is parsed to its call sites; other lines are ignored")
  func all() {
    let text =
      "# filename:lineno [module]function flags format\na.c:1 [m]f =_ \"t\"\nnonsense\nb.c:2 [m]g =p \"t\"\n"
    #expect(DebugCallSite.all(in: text).map(\.file) == ["a.c", "b.c"])
  }

  @Test("a machine without the file, in procfs or debugfs, has none")
  func missing() {
    #expect(LiveDynamicDebug.find(procfs: "/nonexistent", debugfs: "/nonexistent") == nil)
  }
}
