// SPDX-License-Identifier: Apache-2.0

/// Checks whether a state that was read from a file is valid.
///
/// A file can be edited or damaged: later computations with its numbers must not overflow, and its references must be valid.
extension KernelState {
  /// Numbers that count, or are times in nanoseconds: sums of many of them still fit 64 bits.
  private static let limit = 1 << 60

  /// The problem, as a phrase; nil if there is none.
  func damage() -> String? {
    machineDamage() ?? storageDamage() ?? counterDamage() ?? tree.damage() ?? functionDamage()
      ?? targetDamage()
  }

  private func outside(_ name: String, _ value: Int, _ range: ClosedRange<Int>) -> String? {
    range.contains(value)
      ? nil : "\(name) is \(value), out of range: \(range.lowerBound) to \(range.upperBound)"
  }

  private func outside(_ name: String, _ value: UInt64, _ range: ClosedRange<Int>) -> String? {
    outside(name, Int(clamping: value), range)
  }

  private func machineDamage() -> String? {
    if let found = outside("machine.onlineCPUs", machine.onlineCPUs, 1...4096) { return found }
    guard [4096, 16384, 65536].contains(machine.pageSize) else {
      return "machine.pageSize is \(machine.pageSize), not 4096, 16384 or 65536"
    }
    for (index, controller) in machine.controllers.enumerated() {
      let place = "machine.controllers[\(index)]"
      let found =
        outside("\(place).maximumFunctions", controller.maximumFunctions, 0...256)
        ?? outside(
          "\(place).maximumVirtualFunctions", controller.maximumVirtualFunctions, 0...256)
        ?? outside("\(place).alignment", controller.alignment, 1...(1 << 32))
      if let found { return found }
      guard controller.alignment.nonzeroBitCount == 1 else {
        return "\(place).alignment is not a power of two"
      }
      if case .fixed(let bytes) = controller.bar0 {
        if let found = outside("\(place).bar0", bytes, 1...(1 << 32)) { return found }
        guard bytes.nonzeroBitCount == 1 else { return "\(place).bar0 is not a power of two" }
      }
    }
    for (index, target) in machine.tcpTargets.enumerated() {
      let place = "machine.tcpTargets[\(index)].ioQueues"
      if let found = outside(place, target.ioQueues, 0...65535) { return found }
    }
    return nil
  }

  private func storageDamage() -> String? {
    for (path, object) in storage.merging(machine.storage, uniquingKeysWith: { first, _ in first })
    {
      let found =
        outside("the size of \(path)", object.size, 0...Self.limit)
        ?? outside("the block size of \(path)", object.blockSize, 1...(1 << 20))
        ?? object.nullBlock.flatMap {
          outside("the null_blk directory of \(path)", $0, 0...Self.limit)
        }
      if let found { return found }
    }
    for (node, open) in openNamespaces {
      let found =
        outside("openNamespaces.\(node).size", open.size, 0...Self.limit)
        ?? outside("openNamespaces.\(node).blockShift", open.blockShift, 9...20)
      if let found { return found }
    }
    return nil
  }

  private func counterDamage() -> String? {
    let times = linkChanges.map(\.time) + [clock]
    let found =
      times.lazy.compactMap { outside("a time", Int(clamping: $0), 0...Self.limit) }.first
      ?? outside("generation", generation, 0...Self.limit)
      ?? outside("nextRecord", nextRecord, 0...Self.limit)
      ?? outside("effects", effects, 0...Self.limit)
    if let found { return found }
    for fault in faults {
      let found =
        outside("the occurrence of a fault", fault.occurrence, -Self.limit...Self.limit)
        ?? outside("the count of a fault", fault.count ?? 0, -Self.limit...Self.limit)
        ?? outside("the effect of a fault", fault.effect ?? 0, -Self.limit...Self.limit)
      if let found { return found }
    }
    return nil
  }

  private func functionDamage() -> String? {
    for (node, function) in functions {
      let place = "functions.\(node)"
      let places = [function.primary, function.secondary, function.physical].compactMap(\.self)
      let found =
        places.lazy.compactMap { outside("\(place): a number", $0.number, 0...65535) }.first
        ?? outside("\(place).number", function.number, 0...Self.limit)
        ?? outside("\(place).msixAtBind", function.msixAtBind, 0...65535)
        ?? function.nvme.flatMap { damage(in: $0, "\(place).nvme") }
      if let found { return found }
    }
    for event in deviceEvents {
      if case .removed(let nvme) = event.kind, let found = damage(in: nvme, "deviceEvents") {
        return found
      }
    }
    return nil
  }

  private func damage(in nvme: FunctionController, _ place: String) -> String? {
    let pairs = hasNVMetPCIEPF ? 128 : 16
    let found =
      outside("\(place).ioQueues", nvme.ioQueues, 1...(pairs - 1))
      ?? outside("\(place).vectors", nvme.vectors, 1...65535)
      ?? outside("\(place).maximumTransfer", nvme.maximumTransfer, 512...(1 << 30))
      ?? outside("\(place).controllerID", nvme.controllerID ?? 0, 0...65535)
      ?? nvme.fabrics.flatMap { damage(in: $0, "\(place).fabrics") }
    if let found { return found }
    // Registers and doorbells; with MSI-X the table and a bit for each vector.
    var bytes = 0x1000 + 8 * pairs
    if nvme.interrupts == .msix {
      let vectors = min(nvme.vectors, 2048)
      bytes += 16 * vectors + (vectors + 63) / 64 * 8
    }
    guard nvme.bar0Size.nonzeroBitCount == 1 else {
      return "\(place).bar0Size is \(nvme.bar0Size), not a power of two"
    }
    return outside("\(place).bar0Size", nvme.bar0Size, bytes...(1 << 33))
  }

  private func damage(in fabrics: FabricsController, _ place: String) -> String? {
    outside("\(place).instance", fabrics.instance, 0...Self.limit)
      ?? outside("\(place).ioQueues", fabrics.ioQueues, 0...65535)
      ?? outside("\(place).targetController", fabrics.targetController ?? 0, 0...65535)
  }

  private func targetDamage() -> String? {
    targetControllers.lazy.compactMap { outside("the id of a controller", $0.id, 0...65535) }.first
      ?? fabrics.lazy.compactMap { damage(in: $0, "fabrics") }.first
  }
}

extension Tree {
  /// The problem of the nodes: each has a parent, which lists it as a child, up to the root.
  func damage() -> String? {
    guard numbers.allSatisfy({ (0...(1 << 60)).contains($0) }) else {
      return "a number of a node is out of range"
    }
    guard isNextFree else { return "the next node would have the number of another one" }
    // Down from the root every node is met once, if each is the child of its parent alone.
    var met: Set<Int> = [0]
    var open = [0]
    while let id = open.popLast() {
      for child in self[id].children {
        guard has(child), self[child].parent == id, met.insert(child).inserted else {
          return "node \(child) is not part of the tree"
        }
        open.append(child)
      }
    }
    return met.count == count ? nil : "the tree has unreachable nodes"
  }
}
