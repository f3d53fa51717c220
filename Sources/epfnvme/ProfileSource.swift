// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ConfigFS
internal import NVMeTarget
internal import Provisioning
internal import SystemPackage

/// A profile from a file, or from the options that today's scripts have.
struct ProfileSource: ParsableArguments {
  @Argument(help: "The profile; - is standard input.", completion: Candidates.profiles)
  var profile: String?

  @Option(
    help: ArgumentHelp(
      "Without a profile: a block device or a file instead of null_blk.", valueName: "path"),
    completion: .file())
  var device: String?
  @Option(
    help: ArgumentHelp("auto, nvmet_pci_epf or pci_epf_nvme.", valueName: "name"),
    completion: .list(Profile.DriverChoice.allCases.map(\.rawValue)))
  var driver: String?
  @Option(
    help: ArgumentHelp("The endpoint controller.", valueName: "name"),
    completion: Candidates.controllers)
  var controller: String?
  @Option(help: ArgumentHelp("Largest transfer in KiB.", valueName: "KiB"))
  var mdts: Int?
  @Option(help: ArgumentHelp("I/O queues.", valueName: "count"))
  var ioQueues: Int?
  @Option(help: ArgumentHelp("Entries of each queue.", valueName: "count"))
  var queueSize: Int?
  @Option(help: ArgumentHelp("MSI-X vectors.", valueName: "count"))
  var msix: Int?
  @Option(help: ArgumentHelp("MSI vectors.", valueName: "count"))
  var msi: Int?
  @Option(help: ArgumentHelp("Model number.", valueName: "text"))
  var model: String?
  @Flag(help: "Use the page cache for a file.")
  var bufferedIO = false
  @Flag(name: .customLong("no-dma"), help: "Do not use a DMA engine (pci_epf_nvme only).")
  var noDMA = false
  @Option(help: ArgumentHelp("A remote target (pci_epf_nvme only).", valueName: "address:port,nqn"))
  var tcp: String?

  /// The name of the profile in messages.
  var name: String { profile ?? "(options)" }

  /// Whether a profile was named, or described by options.
  var isGiven: Bool { profile != nil || usesOptions }

  private var usesOptions: Bool {
    device != nil || driver != nil || controller != nil || mdts != nil || ioQueues != nil
      || queueSize != nil || msix != nil || msi != nil || model != nil || bufferedIO || noDMA
      || tcp != nil
  }

  func validate() throws {
    if profile != nil, usesOptions {
      throw ValidationError(
        "A profile cannot be combined with the options that describe a setup without one.")
    }
    if tcp != nil, device != nil || model != nil || bufferedIO {
      throw ValidationError(
        "--tcp names a remote disk; --device, --model and --buffered-io are for a local one.")
    }
  }

  /// - Throws: ``LocatedIssues``, ``ProvisioningError``.
  func located() throws -> Profile.Located {
    if let profile { return try ProfileArgument.read(profile) }
    // The options are a profile too, so they pass the same rules.
    do { return try Profile.decode(Array(try document().compactText.utf8)) } catch let issues
      as ProfileIssues
    {
      throw LocatedIssues(file: name, issues: issues)
    }
  }

  /// The profile's text as it was given; nothing when it came from standard input.
  var text: String {
    guard let profile else { return (try? document().prettyText) ?? "" }
    guard profile != "-", let bytes = try? readFile(FilePath(profile)) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func document() throws -> JSONValue {
    let nqn = "nqn.2026-01.io.epfnvme:default"
    var target: JSONValue = ["loop": .string(nqn)]
    if let tcp {
      let parts = tcp.split(separator: ",", maxSplits: 1)
      guard parts.count == 2, let colon = parts[0].lastIndex(of: ":"),
        let port = UInt16(parts[0][parts[0].index(after: colon)...])
      else { throw ValidationError("--tcp takes ADDRESS:PORT,NQN.") }
      let address = parts[0][..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
      target = [
        "tcp": [
          "nqn": .string(String(parts[1])), "address": .string(String(address)),
          "port": JSONValue(port),
        ]
      ]
    }
    let queues = ioQueues ?? 4
    // One vector more than I/O queues; the check of the profile refuses values out of range.
    let vectors = 1 + min(max(queues, 0), 127)
    var function: [JSONValue.Member] = [
      .init("name", "epfnvme.0"), .init("vendorID", "0x15b7"), .init("deviceID", "0x5fff"),
      .init("msixVectors", JSONValue(msix ?? max(32, vectors))),
      .init("msiVectors", JSONValue(msi ?? (vectors <= 32 ? 32 : 0))),
      .init("ioQueues", JSONValue(queues)), .init("target", target),
      .init("controller", .string(controller ?? "auto")),
    ]
    if let mdts { function.append(.init("mdtsKiB", JSONValue(mdts))) }
    if let queueSize { function.append(.init("queueSize", JSONValue(queueSize))) }
    if noDMA { function.append(.init("dma", false)) }
    var members: [JSONValue.Member] = [
      .init("version", 1), .init("name", "default"), .init("driver", .string(driver ?? "auto")),
    ]
    if tcp == nil {
      members.append(.init("backings", ["disk": backing]))
      var namespace: [JSONValue.Member] = [.init("id", 1), .init("backing", "disk")]
      if bufferedIO { namespace.append(.init("bufferedIO", true)) }
      var subsystem: [JSONValue.Member] = [
        .init("nqn", .string(nqn)), .init("namespaces", [.object(namespace)]),
      ]
      if let model { subsystem.append(.init("model", .string(model))) }
      members.append(.init("subsystems", [.object(subsystem)]))
    }
    members.append(.init("functions", [.object(function)]))
    return .object(members)
  }

  private var backing: JSONValue {
    guard let device else { return ["nullBlock": ["memoryBacked": true, "sizeMiB": 1024]] }
    return device.hasPrefix("/dev/")
      ? ["block": ["path": .string(device)]] : ["file": ["path": .string(device)]]
  }
}
