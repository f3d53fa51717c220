// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BoardTests
internal import LibC
internal import KernelEvents
internal import LinuxFiles
internal import Provisioning

struct MonitorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "monitor",
    abstract: "Show kernel events of the endpoint as they happen.",
    usage: "epfnvme monitor [<options>]",
    discussion: """
      Shows uevents of pci_epc, pci-epf, block, nvme, nvme-subsystem, module and pci, kernel messages about the endpoint, \
      alarms, and each endpoint controller at the start and whenever its state changes: started or stopped, functions, the \
      last state that the function driver reported, I/O queues. On a terminal the last line always shows the controllers. \
      Times are those at which the monitor received the event, on the clock of the kernel log. Nothing is written to the \
      kernel.

      With --json each line is one object: time and event; for "device" action, subsystem, name and path; for "kernel" \
      level, text and state; for "controller" name, started, functions, state and ioQueues.

      A simulated kernel sends no uevents; its log and its controllers are shown as other runs of epfnvme with the same \
      simulated=FILE change them.

      The monitor ends with exit code 0 after SIGINT, SIGTERM or SIGHUP, when its reader closes the pipe, after the time \
      of --timeout, or after the number of events of --count. With both options, it ends with exit code 75 when the time \
      is over first.
      """)

  @OptionGroup var global: GlobalOptions
  @Option(
    help: ArgumentHelp(
      "End after this number of events; the controllers' initial state does not count.",
      valueName: "number"))
  var count: Int?

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count takes 1 or more.") }
  }

  func run() throws {
    try global.run(inLines: true) {
      Signals.remember()
      let provisioner = try global.provisioner()
      let stream =
        global.isSimulated
        ? EventStream(log: provisioner.machine.log, clock: provisioner.machine.clock)
        : EventStream()
      if !stream.hasLog {
        guard stream.hasDeviceEvents else {
          throw ProvisioningError(
            .needsPrivileges, "neither the kernel log nor uevents can be read",
            operation: "monitor", path: "/dev/kmsg", hint: "run as root")
        }
        global.terminal.note(
          "the kernel log cannot be read and is not shown; run as root")
      }
      if !stream.hasDeviceEvents, !global.isSimulated {
        global.terminal.note("uevents are not available here")
      }
      let release = provisioner.machine.facts.release
      if let silence = KernelWatch.silence(of: "nvmet_pci_epf", in: release) {
        global.terminal.note(silence)
      }
      var view = MonitorView(global)
      var watch = EndpointWatch(provisioner)
      for event in watch.changes(at: stream.time) where !view.show(event) { return }
      let end = global.timeout.map { ContinuousClock.now + .seconds($0) }
      var left = count ?? .max
      while Signals.caught == nil, view.isRead {
        view.showStates(watch.controllers)
        let remaining = end.map { $0 - ContinuousClock.now } ?? .seconds(1)
        guard remaining > .zero else {
          guard count != nil else { break }
          view.finish()
          throw ProvisioningError(
            .timedOut, "timed out: \(left) of \(count ?? 0) events did not occur",
            operation: "monitor")
        }
        let news = stream.next(upTo: min(remaining, .seconds(1)))
        let time = stream.time
        for event in watch.events(of: news, at: time) + watch.changes(at: time) {
          guard view.show(event) else { return }
          left -= 1
          if left == 0 { return view.finish() }
        }
      }
      view.finish()
    }
  }
}

/// Events as lines on standard output, the controllers as a live line on a terminal.
private struct MonitorView {
  private let terminal: Terminal
  private let isJSON: Bool
  private let isLive: Bool
  private var line = LiveLine()

  init(_ global: GlobalOptions) {
    terminal = global.terminal
    isJSON = global.json
    isLive = Terminal.isInteractive && !global.quiet && !global.json
  }

  /// - Returns: false when the reader has closed the pipe.
  mutating func show(_ event: MonitorEvent) -> Bool {
    line.clear()
    return Output.emit(isJSON ? event.json.compactText : text(event))
  }

  mutating func showStates(_ controllers: [ControllerState]) {
    guard isLive else { return }
    line.show(
      controllers.isEmpty
        ? "no endpoint controller"
        : controllers.map(\.sentence).joined(separator: Symbols.separator))
  }

  mutating func finish() { line.clear() }

  /// Whether the pipe still has a reader; without one it is in an error state.
  var isRead: Bool { StandardDescriptors.hasReader(STDOUT_FILENO) }

  private func text(_ event: MonitorEvent) -> String {
    let time = terminal.paint("[\(event.timeText)]", .dim)
    switch event.kind {
    case .device(let device):
      let words = "\(device.subsystem) \(device.action) \(device.path)"
      return "\(time) \(terminal.paint("uevent", .cyan)) \(clean(words))"
    case .line(let line, _):
      let words = clean(line.text)
      return "\(time) kernel \(line.level <= 3 ? terminal.paint(words, .red) : words)"
    case .controller(let state):
      return "\(time) \(terminal.paint("now", .green)) \(clean(state.sentence))"
    }
  }

  private func clean(_ text: String) -> String {
    Terminal.printable(String(text.map { $0.isNewline ? " " : $0 }))
  }
}
