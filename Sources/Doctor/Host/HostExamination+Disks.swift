// SPDX-License-Identifier: Apache-2.0
internal import HostTools
internal import NVMeTarget
internal import SystemPackage

/// Controllers with the NVMe driver: why one has no disk, and which ones have one identity.
extension HostExamination {
  mutating func examineController(of device: BusDevice, _ machine: HostMachine) {
    guard let name = device.controllerName else { return }
    let function = HostLog.Device.function(device.name)
    func evidence(_ file: String) -> Finding.Evidence {
      let text = device.controllerText(file).map { $0.isEmpty ? "empty" : $0 }
      return Finding.Evidence(device.path("nvme/\(name)/\(file)"), text ?? "missing")
    }
    guard device.controllerState == "live" else {
      return find(.controllerNotLive, function, [evidence("state")])
    }
    lookForInterrupts(of: name, function, machine)
    if device.controllerText("serial") == "", device.controllerText("model") == "" {
      return find(.identifyBlank, function, [evidence("serial"), evidence("model")])
    }
    if let queues = device.ioQueues, queues < 1 {
      return find(.noIOQueues, function, [evidence("queue_count")])
    }
    let entries = device.namespaceEntries
    guard !entries.isEmpty else {
      return find(
        .namespaceMissing, function,
        [evidence("state"), Finding.Evidence(device.path("nvme/\(name)"), "no namespace")])
    }
    let states = entries.compactMap { entry in
      device.controllerText("\(entry)/ana_state").map { (entry, $0) }
    }
    let useless = states.filter { ANAState(rawValue: $0.1)?.isAccessible != true }
    if !useless.isEmpty, useless.count == states.count {
      return find(
        .anaInaccessible, function,
        useless.map { Finding.Evidence(device.path("nvme/\(name)/\($0.0)/ana_state"), $0.1) })
    }
    for disk in device.disks where device.text("size", of: disk) == "0" {
      find(.namespaceFormat, function, [Finding.Evidence(disk.string, "0 sectors")])
    }
  }

  /// The interrupts of the admin queue: the driver has sent commands through it, so that there must be some.
  private mutating func lookForInterrupts(
    of name: String, _ function: HostLog.Device, _ machine: HostMachine
  ) {
    let path = machine.procfs.appending("interrupts")
    for line in (machine.text(path) ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.contains(where: { $0 == "\(name)q0" || $0 == "\(name)q0," }) else { continue }
      // A number for each processor after the interrupt's.
      let counts = words.dropFirst().prefix { $0.allSatisfy(\.isNumber) }
      if !counts.isEmpty, counts.allSatisfy({ $0.allSatisfy { $0 == "0" } }) {
        find(
          .interruptsLost, function,
          [Finding.Evidence(path.string, "no interrupt of \(name)q0 on \(counts.count) processors")]
        )
      }
    }
  }

  // MARK: Twins

  /// Controllers of one subsystem, and disks of different subsystems with one identity.
  mutating func lookForTwins(_ devices: [BusDevice]) {
    var subsystems: [String: [BusDevice]] = [:]
    for device in devices {
      guard let nqn = device.controllerText("subsysnqn"), !nqn.isEmpty else { continue }
      subsystems[nqn, default: []].append(device)
    }
    for (nqn, twins) in subsystems.sorted(by: { $0.key < $1.key }) where twins.count > 1 {
      find(
        .mergedControllers, .function(Self.names(twins)),
        twins.map { device in
          let id = device.controllerText("cntlid").map { ", controller ID \($0)" } ?? ""
          return Finding.Evidence(device.path("nvme/\(device.controllerName ?? "")"), nqn + id)
        })
    }
    // One of each subsystem.
    let singles = subsystems.sorted { $0.key < $1.key }.compactMap(\.value.first)
    lookForEqual(singles) { device in
      guard let serial = device.controllerText("serial"), !serial.isEmpty else { return [] }
      return ["serial number \(serial) of \(device.controllerText("model") ?? "")"]
    }
    lookForEqual(singles) { device in
      device.disks.flatMap { disk in
        ["uuid", "nguid", "eui"].compactMap { name in
          device.text(name, of: disk).map { "\(name) \($0)" }
        }
      }
    }
  }

  private mutating func lookForEqual(
    _ devices: [BusDevice], _ identities: (BusDevice) -> [String]
  ) {
    var owners: [String: [BusDevice]] = [:]
    for device in devices {
      for identity in Set(identities(device)) { owners[identity, default: []].append(device) }
    }
    for (identity, twins) in owners.sorted(by: { $0.key < $1.key }) where twins.count > 1 {
      find(
        .equalIdentities, .function(Self.names(twins)),
        [
          Finding.Evidence(
            twins.map { $0.path("nvme") }.joined(separator: ", "), identity)
        ])
    }
  }

  private static func names(_ devices: [BusDevice]) -> String {
    devices.map { $0.controllerName ?? $0.name }.joined(separator: ", ")
  }
}
