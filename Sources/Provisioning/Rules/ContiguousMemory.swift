// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// The area of contiguous memory (CMA), from which a resizable BAR 0 is taken when a function is bound.
/// - Source: `drivers/pci/endpoint/pci-epf-core.c`, `pci_epf_alloc_space`; `fs/proc/meminfo.c`.
public struct ContiguousMemory: Sendable, Hashable {
  /// KiB.
  public var total: UInt64
  /// KiB.
  public var free: UInt64

  /// The least size of a resizable BAR 0, KiB.
  package static let barKiB: UInt64 = 1024

  public init(total: UInt64, free: UInt64) {
    self.total = total
    self.free = free
  }

  /// - Parameter meminfo: the text of `/proc/meminfo`.
  /// - Returns: nil when the kernel has no such area.
  package init?(meminfo: String) {
    guard let total = Self.number("CmaTotal", in: meminfo), total > 0,
      let free = Self.number("CmaFree", in: meminfo)
    else { return nil }
    self.init(total: total, free: free)
  }

  /// The area of the running kernel; nil without one, as the memory then comes from the page allocator.
  public static func live() -> ContiguousMemory? {
    (try? LiveSystemFiles().text(of: "/proc/meminfo")).flatMap { ContiguousMemory(meminfo: $0) }
  }

  private static func number(_ name: String, in text: String) -> UInt64? {
    for line in text.split(separator: "\n") where line.hasPrefix("\(name):") {
      return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
    }
    return nil
  }

  /// Whether the BARs of that many functions fit, as far as the sum tells: fragments may be too small.
  package func fits(functions count: Int) -> Bool { free >= UInt64(count) * Self.barKiB }

  /// What is wrong when they do not.
  package func problem(functions count: Int, on controllers: [String]) -> String {
    let what = count > 1 ? "functions are" : "a function is"
    return
      "BAR 0 needs \(count > 1 ? "\(count) times " : "")1 MiB of contiguous memory when \(what) bound to \(controllers.joined(separator: " and ")), and less is free: the link will fail with ENOMEM (CmaFree is \(free) kB of \(total) kB)"
  }

  package static let remedy =
    "boot with a larger area (cma=128M on the kernel's command line), or free it: end what uses the GPU, VPU or camera (CmaFree in /proc/meminfo)"

  /// A warning if a plan binds functions that do not fit. The controllers share one area, and a function that is unbound before another
  /// is bound leaves its memory to it.
  static func warnings(_ resolution: Resolution, _ steps: [Step], _ machine: Machine)
    -> [ProfileIssue]
  {
    func isResizable(_ controller: String) -> Bool {
      KnownController.of(machine.compatible(controller))?.bar0 == .resizable
    }
    var (taken, most) = (0, 0)
    var controllers: [String] = []
    for step in steps {
      guard
        case .binding(let controller, _)? = ConfigAddress(
          step.operation.path, below: machine.configFS.mountPoint), isResizable(controller)
      else { continue }
      switch step.operation {
      case .link:
        taken += 1
        // What an unbound function left needs no new memory.
        if taken > 0, !controllers.contains(controller) { controllers.append(controller) }
      case .unlink: taken -= 1
      default: break
      }
      most = max(most, taken)
    }
    guard most > 0, let area = machine.contiguousMemory(), !area.fits(functions: most) else {
      return []
    }
    let index = resolution.controllers.firstIndex { controllers.contains($0) } ?? 0
    var issue = ProfileIssue(
      .warning, path: "functions[\(index)]",
      message: area.problem(functions: most, on: controllers), hint: remedy)
    issue.topic = .contiguousMemory(controllers)
    return [issue]
  }
}
