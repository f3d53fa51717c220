// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import CLinux
internal import ConfigFS
internal import ControllerEmulation
internal import LibC
internal import ProfileEmulation
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage
internal import VFIOUser

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve the emulated controller to QEMU over vfio-user.",
    discussion: """
      Needs neither a board nor root. The profile's emulated controller is served at a Unix socket, and QEMU 10.1 or later \
      plugs it into a virtual machine, whose NVMe driver uses it. Files and devices of the profile are used; a null_blk \
      device is memory, or discards its data when it is not memory-backed. With --kernel and a simulated kernel's file, \
      and no profile, the server serves what was set up there. When a host disconnects, the next one can connect. SIGTERM \
      flushes all data and ends the server.

      Identities that the profile leaves open are derived from the socket's path: they are the same after a restart, and two \
      servers with one profile are two disks of one virtual machine. --machine-id gives them the identity of that board.

        epfnvme serve my.json --socket ~/nvme/sock
        epfnvme serve my.json --print-qemu      print the options for QEMU

      With systemd's socket activation (LISTEN_FDS), --socket is not needed.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Option(
    help: ArgumentHelp(
      "The socket (default: NAME.sock in $XDG_RUNTIME_DIR/epfnvme or /run/epfnvme).",
      valueName: "path"), completion: .file())
  var socket: String?
  @Option(
    help: ArgumentHelp("Permissions of the socket (default: 0600).", valueName: "octal"))
  var socketMode: OctalMode?
  @Option(help: ArgumentHelp("The socket's group, by name or number.", valueName: "group"))
  var socketGroup: String?
  @Option(help: ArgumentHelp("The function to serve, when there are several.", valueName: "name"))
  var function: String?
  @Option(
    help: ArgumentHelp(
      "The /etc/machine-id of the board whose identity the disk has (default: derived from the socket's path).",
      valueName: "id"))
  var machineID: String?
  @OptionGroup var quirks: QuirkOptions
  @Flag(
    help:
      "Serve the reference controller instead of the driver's: same identity and namespaces, behaviour of the specification."
  )
  var reference = false
  @Flag(
    help:
      "Map the reference controller's doorbells into the host. The server then polls for new commands: continuously while the host is busy, every 10 ms while it is idle."
  )
  var mappedDoorbells = false
  @Option(
    help: ArgumentHelp("Print statistics at this interval.", valueName: "seconds"))
  var statsInterval: Double?
  @Flag(
    help: "Print the options with which QEMU uses this server, and exit.")
  var printQemu = false
  @Option(
    help: ArgumentHelp(
      "At the end, write a trace in the Trace Event Format, for Perfetto; - is standard output, without other results.",
      valueName: "file"), completion: .file())
  var trace: String?

  func validate() throws {
    guard !reference || quirks.names == nil else {
      throw ValidationError("The reference controller has no quirks: omit --quirks.")
    }
    guard reference || !mappedDoorbells else {
      throw ValidationError("The drivers' doorbells cannot be mapped: add --reference.")
    }
    try MachineFacts.check(machineID: machineID)
    if global.json, TraceFile.isResult(trace) {
      throw ValidationError("--trace - takes standard output: name a file, or omit --json.")
    }
    if let statsInterval, !(statsInterval >= 0.1 && statsInterval <= 86400) {
      throw ValidationError("--stats-interval takes 0.1 to 86400 seconds.")
    }
  }

  func run() throws {
    try global.run(inLines: !printQemu) {
      if printQemu {
        // The path that a server with the same options would use.
        let arguments = QEMUArguments(
          socket: try socket ?? Self.defaultSocket(name: servedName()))
        if global.json {
          print(JSONValue.array(arguments.all.map { .string($0) }).compactText)
        } else {
          print(arguments.text)
        }
        return
      }
      // From here on signals are read from a descriptor, so that no operation is interrupted.
      let stop = epfnvme_signal_descriptor()
      guard stop >= 0 else {
        throw ProvisioningError(.internal, "cannot receive signals", errno: Errno(rawValue: -stop))
      }
      let inherited = try inheritedListener()
      let path = try inherited?.name ?? socket ?? Self.defaultSocket(name: servedName())
      let served = try servedFunction(at: path)
      let listener = try inherited ?? listen(at: path)
      for issue in served.ignored { global.terminal.complain(issue, in: source.name) }
      for note in served.notes { global.terminal.note("note: " + Terminal.printable(note)) }
      let output = ServingOutput(
        served.name, global.terminal, isJSON: global.json, interval: statsInterval,
        hasResult: !TraceFile.isResult(trace))
      let monitor = ServingMonitor(
        served, interval: output.interval, keepsTrace: trace != nil, view: output)
      sayReady(served, listener)
      // A process that waits for this line would wait forever. Later, serving the host has priority over output.
      if Output.hasFailed { return }
      Server(served.function, memory: served.memory, at: listener).run(
        until: stop, observer: monitor)
      output.closeLine()
      served.function.flushBackings()
      if let trace {
        var file = TraceFile()
        file.add(monitor.trace, function: served.name, number: 0)
        try file.write(to: trace)
      }
      sayEnd(served)
    }
  }

  private var controller: ServedFunction.Controller {
    reference ? .reference(mapsDoorbells: mappedDoorbells) : .driver
  }

  /// The kernel whose function is served when no profile is given; nil without one.
  private func kernelToServe() throws(ProvisioningError) -> SimulatedKernel? {
    let choice = global.kernel ?? KernelChoice.fromEnvironment
    guard !source.isGiven, case .simulated(let file?) = choice else { return nil }
    guard access(file, R_OK) == 0 else {
      let errno = Errno(rawValue: LibC.errno)
      throw ProvisioningError(
        .inputMissing, "cannot read the simulated kernel \(file): \(errno.nameAndText)",
        operation: "serve", path: file, errno: errno,
        hint: "epfnvme setup --kernel simulated=\(file) PROFILE creates it")
    }
    return try GlobalOptions.simulatedKernel(in: file, global.kernelRelease)
  }

  /// The name of the function that would be served; no file or device is touched for it.
  private func servedName() throws -> String {
    if let kernel = try kernelToServe() { return try ServedFunction.name(function, on: kernel) }
    let located = try source.located()
    let emulation = try Emulation(
      located, global.emulatedRelease(for: located.profile), quirks: quirks.names)
    return try ServedFunction.name(function, on: emulation.kernel)
  }

  private func servedFunction(at path: String) throws -> ServedFunction {
    if let kernel = try kernelToServe() {
      guard machineID == nil else {
        throw ValidationError(
          "--machine-id requires a profile: a simulated kernel in a file has its own ID.")
      }
      return try ServedFunction(kernel, named: function, as: controller)
    }
    let located = try source.located()
    return try ServedFunction(
      located, global.emulatedRelease(for: located.profile),
      machineID: machineID?.lowercased()
        ?? ServedFunction.machineID(ofSocket: Self.absolute(path)), quirks: quirks.names,
      named: function, as: controller)
  }

  // MARK: The socket

  /// The socket that systemd passed; nil if there is none, or --socket is given.
  private func inheritedListener() throws(ProvisioningError) -> Listener? {
    guard socket == nil else { return nil }
    do throws(Listener.Failure) { return try Listener.inherited() } catch {
      throw ProvisioningError(error, operation: "serve")
    }
  }

  /// The path without links and relative parts; as it is when its directory does not exist.
  private static func absolute(_ path: String) -> String {
    let directory = FilePath(path).removingLastComponent()
    guard let name = FilePath(path).lastComponent,
      let resolved = unsafe realpath(directory.isEmpty ? "." : directory.string, nil)
    else { return path }
    defer { unsafe free(resolved) }
    return unsafe FilePath(String(cString: resolved)).appending(name).string
  }

  private func listen(at path: String) throws -> Listener {
    let group = try socketGroup.map(Self.group)
    do throws(Listener.Failure) {
      if socket == nil {
        let directory = FilePath(path).removingLastComponent()
        _ = unsafe mkdir(directory.string, 0o700)
      }
      return try Listener(
        path: path, mode: socketMode?.bits ?? 0o600, group: group)
    } catch { throw ProvisioningError(error, operation: "serve") }
  }

  private static func group(_ text: String) throws(ProvisioningError) -> UInt32 {
    if let number = UInt32(text) { return number }
    guard let entry = unsafe getgrnam(text) else {
      throw ProvisioningError(
        .inputMissing, "there is no group \(text)", operation: "serve", value: text,
        hint: "getent group lists them")
    }
    return unsafe UInt32(entry.pointee.gr_gid)
  }

  private static func defaultSocket(name: String) -> String {
    let directory =
      unsafe getenv("XDG_RUNTIME_DIR").map { unsafe String(cString: $0) + "/epfnvme" }
      ?? "/run/epfnvme"
    return "\(directory)/\(name).sock"
  }

  // MARK: What is said

  private func sayReady(_ served: ServedFunction, _ listener: Listener) {
    let path = listener.path ?? "(systemd's)"
    let arguments = QEMUArguments(socket: listener.path ?? "SOCKET")
    let driver = served.function.model.behaviour.rawValue
    if global.json {
      let json: JSONValue = [
        "event": "ready", "function": .string(served.name), "driver": .string(driver),
        "nqn": .string(served.function.model.nqn),
        "socket": JSONValue(listener.path), "qemu": .array(arguments.all.map { .string($0) }),
      ]
      print(json.compactText)
    } else {
      let text = "\(served.name) (\(driver)) listens on \(path); QEMU: \(arguments.text)"
      if TraceFile.isResult(trace) {
        global.terminal.note(text)
      } else if !global.quiet {
        print(text)
      }
    }
    Output.flush()
  }

  private func sayEnd(_ served: ServedFunction) {
    let counters = served.function.counters
    if global.json {
      let json: JSONValue = [
        "event": "end", "commands": .number("\(counters.commands)"),
        "bytesRead": .number("\(counters.bytesRead)"),
        "bytesWritten": .number("\(counters.bytesWritten)"),
      ]
      return print(json.compactText)
    }
    global.terminal.note(
      "\(served.name): \(counters.commands) I/O commands, \(counters.bytesRead) bytes read, "
        + "\(counters.bytesWritten) bytes written")
  }
}

/// Permission bits, in octal.
struct OctalMode: ExpressibleByArgument {
  var bits: UInt32
  init?(argument: String) {
    guard let bits = UInt32(argument, radix: 8), bits <= 0o777 else { return nil }
    self.bits = bits
  }
}
