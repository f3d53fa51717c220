// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import CLinux
internal import EndpointLink
internal import ProfileEmulation
internal import Provisioning
internal import SystemPackage
internal import VFIOUser

struct LinkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "link",
    abstract: "Connect a board and a host in QEMU with a PCIe link in software.",
    discussion: """
      Needs neither a board nor root. QEMU 10.1 or later plugs the endpoint controller at the board's socket into the \
      machine that is the board, whose kernel runs the endpoint function driver, and the function at the host's socket into \
      the machine that is the host. Each function of the controller has its own socket, in the order of the options. A host \
      that connects before the board has started the controller waits for that. Both machines need memory that other \
      processes can map (share=on). When a machine disconnects, the link goes down, and the next one can connect. SIGTERM \
      ends the link.

        epfnvme link --board ~/link/board --host ~/link/host
      """)

  @OptionGroup var global: GlobalOptions
  @Option(help: ArgumentHelp("The socket of the board.", valueName: "path"), completion: .file())
  var board: String
  @Option(
    help: ArgumentHelp(
      "The socket of a function for the host; once for each function.", valueName: "path"),
    completion: .file())
  var host: [String]
  @Option(
    help: ArgumentHelp(
      "How the board learns of a reset by the host: hot (the link goes down and up) or perst (PERST# is asserted and deasserted)."
    ))
  var reset: EndpointLink.ResetSignal = .hot
  @Option(
    help: ArgumentHelp(
      "Functions of the endpoint controller, 1 to 64 (default: one for each socket of the host).",
      valueName: "number"))
  var functions: Int?
  @Option(
    help: ArgumentHelp(
      "The board's window into the host's memory: a power of two from 1 to 4096.",
      valueName: "MiB"))
  var windowSize = 16
  @Option(
    help: ArgumentHelp(
      "At the end, write a trace in the Trace Event Format, for Perfetto; - is standard output, without other results.",
      valueName: "file"), completion: .file())
  var trace: String?

  func validate() throws {
    guard !host.isEmpty else { throw ValidationError("Missing expected argument '--host <path>'") }
    guard (max(host.count, 1)...64).contains(functions ?? host.count) else {
      throw ValidationError(
        "--functions takes the number of sockets of the host (\(host.count)) to 64.")
    }
    guard (1...4096).contains(windowSize), windowSize.nonzeroBitCount == 1 else {
      throw ValidationError("--window-size takes a power of two from 1 to 4096.")
    }
    if global.json, TraceFile.isResult(trace) {
      throw ValidationError("--trace - takes standard output: name a file, or omit --json.")
    }
  }

  func run() throws {
    try global.run(inLines: true) {
      // From here on signals are read from a descriptor, so that no operation is interrupted.
      let stop = epfnvme_signal_descriptor()
      guard stop >= 0 else {
        throw ProvisioningError(.internal, "cannot receive signals", errno: Errno(rawValue: -stop))
      }
      var options = EndpointLink.Options()
      options.functions = functions ?? host.count
      options.windowSize = UInt64(windowSize) << 20
      options.resetSignal = reset
      let link = EndpointLink(options)
      let server = LinkServer(link, board: try listen(board), hosts: try host.map(listen))
      let output = LinkOutput(
        global.terminal, isJSON: global.json, hasResult: !TraceFile.isResult(trace),
        keepsTrace: trace != nil)
      output.ready(link, board: board, hosts: host)
      // A process that waits for this line would wait forever.
      if Output.hasFailed { return }
      // The machines poll for what the link does, on the same processors.
      epfnvme_take_short_turns()
      server.run(until: stop) { output.show($0, isUp: link.isUp) }
      if let trace {
        var file = TraceFile()
        file.add(output.instants, process: "link", track: "link")
        try file.write(to: trace)
      }
      output.end(link)
    }
  }

  private func listen(_ path: String) throws(ProvisioningError) -> Listener {
    do throws(Listener.Failure) { return try Listener(path: path) } catch {
      throw ProvisioningError(error, operation: "link")
    }
  }
}
