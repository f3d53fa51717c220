// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BoardTests
internal import ConfigFS
internal import HostTools
internal import LibC
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// Which side of a two-sided run this is, and how it reaches the other one.
struct SideOptions: ParsableArguments {
  enum Role: String, ExpressibleByArgument, CaseIterable { case board, host }

  @Option(help: ArgumentHelp("board or host: one side of a two-sided run.", valueName: "side"))
  var role: Role?
  @Option(
    help: ArgumentHelp(
      "A directory that both sides can access (default: exchange in this machine's run directory).",
      valueName: "directory"), completion: .directory)
  var exchange: String?
  @Option(
    help: ArgumentHelp(
      "A command that runs epfnvme on the other side; the directory is then on that side.",
      valueName: "command"))
  var peer: String?
  @Option(
    help: ArgumentHelp("The limit for each step of the other side.", valueName: "seconds"))
  var peerTimeout = 120.0
  @Option(
    help: ArgumentHelp(
      "On the host: the disk, a PCI function (0000:01:00.0), /dev/nvmeN, or auto.",
      valueName: "device"), completion: Candidates.hostDevices)
  var host = "auto"
  @Flag(
    help:
      "On the host: write to the disk and overwrite its data. By default only disks in the memory of null_blk are written."
  )
  var destructive = false
  @Option(
    help: ArgumentHelp("On the host: how much to write to each namespace.", valueName: "MiB"))
  var dataMib: UInt64 = 64

  var limit: Duration { .seconds(peerTimeout) }
  var dataTest: HostSide.DataTest { .init(isDestructive: destructive, mebibytes: dataMib) }

  func validate() throws {
    guard peerTimeout > 0, peerTimeout <= 86400 else {
      throw ValidationError("--peer-timeout takes up to 86400 seconds.")
    }
    guard (1...(1 << 20)).contains(dataMib) else {
      throw ValidationError("--data-mib takes 1 to 1048576.")
    }
    if role == nil, exchange != nil || peer != nil || destructive {
      throw ValidationError("--exchange, --peer and --destructive require --role.")
    }
    if exchange != nil, peer != nil {
      throw ValidationError(
        "--exchange and --peer cannot be combined: with --peer the directory is on the other side.")
    }
  }

  /// - Throws: ``ProvisioningError`` when the directory cannot be created.
  func exchange(_ run: RunDirectory) throws(ProvisioningError) -> any Exchange {
    if let peer { return PeerExchange(peer) }
    if exchange == nil, let lava = LAVAExchange(cache: Self.lavaCache) { return lava }
    return try DirectoryExchange(Self.directory(exchange, run))
  }

  /// The file to which lava-wait writes messages; LAVA's default unless the job sets another.
  private static var lavaCache: FilePath {
    FilePath(
      unsafe getenv("EPFNVME_LAVA_CACHE").map { unsafe String(cString: $0) }
        ?? "/tmp/lava_multi_node_cache.txt")
  }

  static func directory(_ given: String?, _ run: RunDirectory) -> FilePath {
    given.map { FilePath($0) } ?? run.path.appending("exchange")
  }

  /// The board's half; nil for a run of the board alone.
  func board(
    _ name: String, runs: Int, keeps: Bool, _ run: RunDirectory
  ) throws(ProvisioningError) -> BoardSide? {
    guard role == .board else { return nil }
    return BoardSide(try exchange(run), name, runs: runs, keeps: keeps, limit: limit)
  }
}

/// The command that `--peer` runs on the other machine.
struct ExchangeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exchange", abstract: "Read or leave a message of a two-sided run.",
    usage: "epfnvme exchange [<options>] <verb> <name>",
    shouldDisplay: false)

  enum Verb: String, ExpressibleByArgument, CaseIterable { case get, put }

  @OptionGroup var global: GlobalOptions
  @Argument var verb: Verb
  @Argument var name: String
  @Option var exchange: String?

  func validate() throws {
    if let problem = Profile.problem(withName: name) { throw ValidationError(problem) }
  }

  func run() throws {
    try global.run {
      let directory = try DirectoryExchange(SideOptions.directory(exchange, RunDirectory()))
      switch verb {
      case .get:
        if let message = try directory.message(name, upTo: .zero) { print(message.compactText) }
      case .put:
        let bytes: [UInt8]
        do throws(Errno) { bytes = try StandardDescriptors.readInput() } catch {
          throw ProvisioningError(
            .inputMissing, "cannot read the message from standard input: \(error.nameAndText)",
            operation: "read", errno: error)
        }
        guard let json = try? LocatedJSON(parsing: bytes) else {
          throw ProvisioningError(
            .inputMissing, "standard input does not contain JSON", operation: "read")
        }
        try directory.post(name, json.value)
      }
    }
  }
}
