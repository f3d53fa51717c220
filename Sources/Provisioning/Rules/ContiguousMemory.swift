// SPDX-License-Identifier: Apache-2.0
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
  package func problem(functions count: Int, on controller: String) -> String {
    "BAR 0 needs \(count > 1 ? "\(count) times " : "")1 MiB of contiguous memory when a function is bound to \(controller), and less is free: the link will fail with ENOMEM (CmaFree is \(free) kB of \(total) kB)"
  }

  package static let remedy =
    "boot with a larger area (cma=128M on the kernel's command line), or free it: end what uses the GPU, VPU or camera (CmaFree in /proc/meminfo)"

  /// A warning for each controller on which a plan binds functions that do not fit.
  static func warnings(_ profile: Profile, _ steps: [Step], _ machine: Machine) -> [ProfileIssue] {
    var functions: [String: Int] = [:]
    for step in steps {
      guard case .link(let path, _) = step.operation,
        let cut = path.firstRange(of: "/pci_ep/controllers/")
      else { continue }
      let name = path[cut.upperBound...].prefix { $0 != "/" }
      functions[String(name), default: 0] += 1
    }
    guard let area = functions.isEmpty ? nil : machine.contiguousMemory() else { return [] }
    return functions.sorted { $0.key < $1.key }.compactMap { name, count in
      guard KnownController.of(machine.compatible(name))?.bar0 == .resizable,
        !area.fits(functions: count)
      else { return nil }
      let index = profile.functions.firstIndex { $0.controller == name } ?? 0
      var issue = ProfileIssue(
        .warning, path: "functions[\(index)]", message: area.problem(functions: count, on: name),
        hint: remedy)
      issue.topic = .contiguousMemory
      return issue
    }
  }
}
