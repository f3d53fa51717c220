// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelModules
internal import LinuxFiles
internal import SystemPackage

/// The call sites that were switched, as they were before: the file `call-sites` of the run directory, mode 0600.
struct KeptCallSites {
  struct Entry: Hashable {
    var group: DebugGroup
    var site: DebugCallSite
  }

  private static let version: Int64 = 1
  var entries: [Entry] = []

  init(in run: RunDirectory) throws(ProvisioningError) {
    let path = run.callSitesPath
    let bytes: [UInt8]
    do { bytes = try readFile(path) } catch .noSuchFileOrDirectory { return } catch {
      throw ProvisioningError(
        error == .permissionDenied ? .needsPrivileges : .cannotCreate,
        "cannot read \(path): \(error.nameAndText)", operation: "read", path: path.string,
        errno: error, hint: error == .permissionDenied ? "run as root" : nil)
    }
    guard let json = try? LocatedJSON(parsing: bytes).value,
      json["epfnvme"]?.integerValue == Self.version,
      let sites = json["sites"]?.arrayValue?.map(Self.entry), !sites.contains(nil)
    else {
      throw ProvisioningError(
        .cannotCreate, "\(path) is damaged, or was written by another version of epfnvme",
        operation: "read",
        path: path.string,
        hint:
          "turn the messages off by hand (echo module nvmet =_ > /proc/dynamic_debug/control), then remove the file"
      )
    }
    entries = sites.compactMap(\.self)
  }

  /// Writes the saved state; removes the file if there is none.
  func save(in run: RunDirectory) throws(ProvisioningError) {
    guard !entries.isEmpty else {
      do { try AtomicFile.remove(run.callSitesPath) } catch {
        throw ProvisioningError(
          .cannotCreate, "cannot remove \(run.callSitesPath): \(error.nameAndText)",
          operation: "remove", path: run.callSitesPath.string, errno: error,
          hint: "remove it: the call sites in it are already restored")
      }
      return
    }
    let json: JSONValue = [
      "epfnvme": .integer(Self.version),
      "sites": .array(
        entries.map { entry in
          [
            "group": .string(entry.group.rawValue), "module": .string(entry.site.module),
            "file": .string(entry.site.file), "line": JSONValue(entry.site.line),
            "function": .string(entry.site.function), "flags": .string(entry.site.flags),
          ]
        }),
    ]
    try run.replace(run.callSitesPath, with: json.prettyText + "\n")
  }

  private static func entry(_ json: JSONValue) -> Entry? {
    guard let group = json["group"]?.stringValue.flatMap(DebugGroup.init(rawValue:)),
      let module = json["module"]?.stringValue, let file = json["file"]?.stringValue,
      let line = json["line"]?.integerValue.flatMap({ UInt32(exactly: $0) }),
      let function = json["function"]?.stringValue, let flags = json["flags"]?.stringValue
    else { return nil }
    return Entry(
      group: group,
      site: DebugCallSite(module: module, file: file, line: line, function: function, flags: flags))
  }
}
