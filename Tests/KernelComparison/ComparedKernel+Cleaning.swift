// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import SystemPackage

extension ComparedKernel {
  /// The modules of the three trees, users before what they use.
  private static let treeModules = [
    "pci_epf_test", "nvmet_pci_epf", "pci_epf_nvme", "nvme_loop", "nvmet_tcp", "nvmet", "null_blk",
  ]

  /// Empties the three trees in the safe order, and unloads their modules.
  /// - Returns: what could not be removed, and why.
  package mutating func clean() -> [String] {
    var left: [String] = []
    for number in 0..<8 { _ = perform(.close(number)) }
    func attempt(_ path: String, _ body: () throws(Errno) -> Void) {
      do throws(Errno) { try body() } catch { left.append("\(path): \(error.name)") }
    }
    func names(_ directory: String, _ kind: EntryKind) -> [String] {
      ((try? configFS.entries(of: path(directory))) ?? []).filter { $0.kind == kind }
        .map { "\(directory)/\($0.name)" }
    }
    func unlinkAll(in directory: String) {
      for link in names(directory, .link) {
        attempt(link) { () throws(Errno) in try configFS.removeLink(path(link)) }
      }
    }
    func removeAll(in directory: String) {
      for made in names(directory, .directory) {
        attempt(made) { () throws(Errno) in try configFS.removeDirectory(path(made)) }
      }
    }

    for controller in names("pci_ep/controllers", .directory) {
      if (try? configFS.read(path(controller + "/start"))) == "1\n" {
        attempt(controller) { () throws(Errno) in
          _ = try configFS.write("0\n", to: path(controller + "/start"))
        }
      }
      unlinkAll(in: controller)
    }
    for driver in names("pci_ep/functions", .directory) {
      for function in names(driver, .directory) {
        for holder in [function, function + "/primary", function + "/secondary"] {
          unlinkAll(in: holder)
        }
      }
    }
    // A function may be the virtual function of another driver's.
    for driver in names("pci_ep/functions", .directory) { removeAll(in: driver) }
    for port in names("nvmet/ports", .directory) {
      unlinkAll(in: port + "/subsystems")
      removeAll(in: port + "/referrals")
      for group in names(port + "/ana_groups", .directory) where !group.hasSuffix("/1") {
        attempt(group) { () throws(Errno) in try configFS.removeDirectory(path(group)) }
      }
    }
    removeAll(in: "nvmet/ports")
    for subsystem in names("nvmet/subsystems", .directory) {
      unlinkAll(in: subsystem + "/allowed_hosts")
      if (try? configFS.read(path(subsystem + "/passthru/enable"))) == "1\n" {
        _ = try? configFS.write("0\n", to: path(subsystem + "/passthru/enable"))
      }
      removeAll(in: subsystem + "/namespaces")
    }
    for directory in ["nvmet/subsystems", "nvmet/hosts", "nullb"] { removeAll(in: directory) }
    for module in Self.treeModules where (try? modules.state(of: module)) == .loaded {
      do { try modules.unload(module) } catch {
        left.append("module \(module): \(error.errno.name)")
      }
    }
    _ = log.lines(moving: &mark)
    return left
  }
}
