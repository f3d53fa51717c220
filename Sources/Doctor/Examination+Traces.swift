// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import PCIEndpoint
internal import Provisioning
internal import SystemPackage

/// Traces of the past: devices in sysfs, journals of runs that were cut off, the kernel's log. And the machine's DMA and IOMMU.
extension Examination {
  private static let bus: FilePath = "/sys/bus/pci-epf/devices"

  mutating func examineDevices() {
    guard isMounted, !lacksEndpointSupport else { return examineDMA() }
    let devices: [String]
    do { devices = try files.names(in: Self.bus).sorted() } catch {
      if error != .noSuchFileOrDirectory { hide("function devices", Self.bus, error) }
      return examineDMA()
    }
    for driver in FunctionDriver.nvmeDrivers {
      let own = devices.filter { $0.hasPrefix("\(driver.name).") }
      let directory = "pci_ep/functions/\(driver.name)"
      if isHidden(directory) { continue }
      let made = functions.count { $0.driver == driver }
      if own.count > made {
        find(
          .deviceLeaked, driver.name,
          [
            Finding.Evidence(Self.bus.string, own.joined(separator: ", ")),
            Finding.Evidence(full(directory), "\(made) functions"),
          ],
          "there are more devices than functions: the module was unloaded while function directories existed, and their devices leaked",
          remedy: "reboot before the driver is used again; remove functions before rmmod")
        continue
      }
      for device in own {
        let link = Self.bus.appending(device).appending("driver")
        do { _ = try files.linkText(of: link) } catch {
          guard error == .noSuchFileOrDirectory else { continue }
          find(
            .deviceWithoutDriver, device, [Finding.Evidence(link.string, "missing")],
            "the device was unbound through sysfs: the next link of its function finds no driver",
            remedy:
              "echo \(device) > /sys/bus/pci-epf/drivers/\(driver.name)/bind; or remove the function and create it again"
          )
        }
      }
    }
    examineDMA()
  }

  /// DMA engines and IOMMUs, for information.
  private mutating func examineDMA() {
    let engines: FilePath = "/sys/class/dma"
    if let channels = try? files.names(in: engines).sorted(), !channels.isEmpty {
      let count = "\(channels.count) channels (\(channels[0])...)"
      see(
        "DMA",
        count + "; whether they belong to the endpoint controller is known once a function is bound"
      )
    } else {
      see(
        "DMA", "no channels in \(engines): data is copied by the processor through outbound windows"
      )
    }
    if let line = log?.last(where: { line in
      FunctionDriver.nvmeDrivers.contains { line.text.hasPrefix("\($0.name) \($0.name).") }
        && line.text.contains("DMA ")
    }) {
      see("DMA at the last bind", line.text)
    }
    let units = (try? files.names(in: "/sys/class/iommu").sorted()) ?? []
    see("IOMMU", units.isEmpty ? "none" : units.joined(separator: ", "))
    if let words = try? files.text(of: "/proc/cmdline").split(separator: " ") {
      let names = ["iommu", "swiotlb", "arm-smmu", "intel_iommu", "amd_iommu", "pcie_aspm", "cma"]
      let found = words.filter { word in names.contains { word.hasPrefix($0) } }
      if !found.isEmpty { see("kernel command line", found.joined(separator: " ")) }
    }
  }

  // MARK: Journals

  mutating func examineJournals() {
    for journal in journals ?? [] {
      if let problem = journal.problem {
        if problem.kind == .needsPrivileges {
          hide("journal of \(journal.name)", problem.message + "; run as root")
          continue
        }
        find(
          .journalDamaged, journal.name, [Finding.Evidence(journal.path.string, problem.message)],
          "the objects that epfnvme created under this name are unknown, so teardown cannot remove them",
          remedy: problem.hint ?? "remove the remaining objects by hand, then rm \(journal.path)")
      } else if let effect = journal.unfinished {
        var evidence = [Finding.Evidence(journal.path.string, "not finished from: \(effect)")]
        if let step = journal.interruption?.step {
          evidence.append(Finding.Evidence(journal.path.string, "under way: \(step)"))
        }
        let end = journal.interruption?.sentence ?? "was cut off"
        find(
          .journalUnfinished, journal.name, evidence,
          "the last run of epfnvme \(end); its objects are incomplete",
          remedy: "epfnvme teardown \(journal.name)")
      } else {
        see("profile \(journal.name)", "set up by epfnvme")
      }
    }
  }

  // MARK: The kernel's log

  mutating func examineLog() {
    examineEarlierLogs()
    guard let log else { return }
    let lines = log.map { BoardLine(place: "/dev/kmsg", text: $0.text) }
    for signature in Signature.board { look(for: signature, in: lines) }
    if let index = log.indices.first(where: { Self.isCrash(log, $0) }) {
      find(
        .kernelCrashed, "kernel", [evidence(log[index])],
        "the kernel has failed in this code since it was booted: nvmet and pci_ep may be stuck or damaged",
        remedy: "save dmesg, then reboot; the guide lists the safe order of each operation")
    }
    if let line = log.last(where: {
      $0.text.contains("WARNING:") && $0.text.contains("pci-ep-cfs.c")
    }) {
      find(
        .unlinkedWhileStarted, "pci-ep-cfs.c", [evidence(line)],
        "a function was unlinked from a controller that was started",
        remedy: "in this order: epfnvme stop, rm the link, rmdir the function (teardown follows it)"
      )
    }
    if let line = log.last(where: { $0.text.contains("(NULL device *): PCI link") }) {
      find(
        .eventOnFailedFunction, "nvmet_pci_epf", [evidence(line)],
        "a link event has reached a function whose NVMe controller was never created; at link down the kernel crashes",
        remedy: "unlink that function at once: rm its link below \(full("pci_ep/controllers"))")
    }
  }

  /// A message of the board's kernel.
  private struct BoardLine: LoggedLine {
    var place: String
    var text: String
    var bytes: [UInt8]

    init(place: String, text: String) {
      self.place = place
      self.text = text
      bytes = Array(text.utf8)
    }
  }

  private mutating func look(for signature: Signature, in lines: [BoardLine]) {
    let found = lines.indices.filter { signature.matches(lines, at: $0) }
    guard let last = found.last, !lines[last...].contains(where: { signature.ends(with: $0) })
    else { return }
    let isConfirmed =
      signature.confirmations.isEmpty
      || functions.contains { $0.isNVMe && $0.controller == nil }
      || lines.contains { line in signature.confirmations.contains { $0.matches(line.bytes) } }
    guard isConfirmed else { return }
    var evidence = [Finding.Evidence(lines[last].place, lines[last].text)]
    if found.count > 1 {
      evidence.append(Finding.Evidence(lines[last].place, "and \(found.count - 1) more"))
    }
    var explanation = signature.meaning
    for journal in journals ?? [] {
      guard signature.id == .systemError, let step = journal.interruption?.step else { continue }
      evidence.append(Finding.Evidence(journal.path.string, "under way: \(step)"))
      explanation += "; the run of \"\(journal.name)\" was at this step: \(step)"
    }
    find(
      signature.id, lines[last].text.split(separator: " ").first.map(String.init) ?? "kernel",
      evidence, explanation, remedy: signature.fix)
  }

  /// The end of the log of an earlier boot, which the kernel saves when it fails.
  /// - Source: `Documentation/admin-guide/ramoops.rst`, `Documentation/ABI/testing/pstore`.
  private mutating func examineEarlierLogs() {
    let directory: FilePath = "/sys/fs/pstore"
    let names: [String]
    do { names = try files.names(in: directory).filter { $0.hasPrefix("dmesg-") } } catch {
      if error != .noSuchFileOrDirectory {
        hide("log of a crash before this boot", directory, error)
      }
      return
    }
    guard let signature = Signature.board.first(where: { $0.id == .systemError }) else { return }
    for name in names.sorted() {
      let path = directory.appending(name)
      guard let bytes = try? files.bytes(of: path) else { continue }
      let lines = bytes.split(separator: UInt8(ascii: "\n")).map {
        BoardLine(place: path.string, text: SavedLogLine.message(of: $0))
      }
      look(for: signature, in: lines)
    }
  }

  private static let crashes = [
    "BUG: ", "Oops", "Kernel panic", "Unable to handle kernel", "general protection fault",
    "KASAN: ", "detected buffer overflow", "blocked for more than",
    "simulated kernel: undefined behaviour",
  ]
  private static let ours = [
    "nvmet", "pci_epf", "pci_ep", "pci-ep", "pci_epc", "null_blk", "configfs",
  ]

  /// Whether a line begins a crash report of the kernel in the code of the endpoint, according to the line or to a function in the trace
  /// that follows.
  private static func isCrash(_ log: [KernelLogLine], _ index: Int) -> Bool {
    guard crashes.contains(where: { log[index].text.contains($0) }) else { return false }
    return log[index...].prefix(40).enumerated().contains { offset, line in
      (offset == 0 || line.text.contains("+0x")) && ours.contains { line.text.contains($0) }
    }
  }
}
