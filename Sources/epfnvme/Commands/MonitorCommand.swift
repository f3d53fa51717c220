// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Checks
internal import Glibc
internal import KernelEvents
internal import LinuxFiles
internal import Provisioning

struct MonitorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "monitor",
    abstract: "Show what the kernel tells about the endpoint, as it happens.",
    discussion: """
      Uevents of pci_epc, pci-epf, block, nvme, nvme-subsystem, module and pci; the kernel's log lines about the endpoint, and its alarms;
      and each endpoint controller, at first and whenever it stands otherwise: started, functions, what the function driver last said of
      link and controller, I/O queues that the target allows. On a terminal the last line is always how the controllers stand.
      The time is when the monitor heard of it, on the clock of the kernel's log: for a line a little later than dmesg has it.
      Nothing is written to the kernel.

      With --json one object a line: time, event, and for "device" action, subsystem, name, path; for "kernel" level, text, state;
      for "controller" name, started, functions, state, ioQueues.

      A simulated kernel sends no uevents: with --kernel simulated=FILE there are its log's lines and its controllers, as other runs of
      epfnvme on the same file change them.

      Ends with exit code 0 at SIGINT, SIGTERM or SIGHUP, when nobody reads any more, after --timeout SECONDS, and after --count events.
      With both, the time being up before the count is exit code 75.
      """)

  @OptionGroup var global: GlobalOptions
  @Option(
    help: ArgumentHelp(
      "End after so many events; how the controllers stand at first does not count.",
      valueName: "number"))
  var count: Int?

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count takes 1 and more.") }
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
            .needsPrivileges, "neither the kernel's log nor its uevents can be read",
            operation: "monitor", path: "/dev/kmsg", hint: "run as root")
        }
        global.terminal.note(
          "the kernel's log cannot be read: there will be no lines of it; run as root")
      }
      if !stream.hasDeviceEvents, !global.isSimulated {
        global.terminal.note("uevents cannot be heard here: there will be none")
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
            .timedOut, "the time is up, and \(left) of \(count ?? 0) events have not come",
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

  /// - Returns: false when nobody reads any more.
  mutating func show(_ event: MonitorEvent) -> Bool {
    line.clear()
    return Output.emit(isJSON ? event.json.compactText : text(event))
  }

  mutating func showStates(_ controllers: [ControllerState]) {
    guard isLive else { return }
    line.show(
      controllers.isEmpty
        ? "no endpoint controller" : controllers.map(\.sentence).joined(separator: " · "))
  }

  mutating func finish() { line.clear() }

  /// Whether somebody still reads: a pipe without a reader is in error.
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
