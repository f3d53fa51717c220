// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Identify.
extension Controller {
  /// Fills the zeroed buffer.
  mutating func identify(_ command: SubmissionEntry) -> Outcome {
    switch command.identifyStructure {
    case .namespace: return identifyNamespace(command.namespaceID)
    case .controller:
      hasBeenIdentified = true
      return answer(controllerData)
    case .activeNamespaces: return namespaceList(after: command.namespaceID)
    case .namespaceDescriptors: return namespaceDescriptors(command.namespaceID)
    case .commandSetController where command.commandSet == .nvm: return .data(count: 4096)
    default: return B.identifyOther(&self, command)
    }
  }

  // MARK: The buffer

  /// Writes a little-endian number.
  func put(_ value: UInt64, width: Int, at offset: Int) {
    for index in 0..<width {
      unsafe transfer[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
    }
  }

  private func put(_ bytes: [UInt8], at offset: Int) {
    for (index, byte) in bytes.enumerated() { unsafe transfer[offset + index] = byte }
  }

  private func answer(_ data: some DataStructure) -> Outcome {
    put(data.bytes, at: 0)
    return .data(count: data.bytes.count)
  }

  // MARK: Controller

  /// log2 of the largest transfer in pages of CAP.MPSMIN.
  private var transferField: UInt8 {
    let exponent = model.maximumTransfer.trailingZeroBitCount - 12
    // Less than a page wraps in both drivers; the reference controller has no such limit.
    return UInt8(truncatingIfNeeded: exponent)
  }

  private var controllerData: IdentifyController {
    var data = IdentifyController()
    data[.vendorID] = model.vendorID
    data[.serial] = model.serial
    data[.modelNumber] = model.modelNumber
    data[.firmware] = model.firmware
    data[.arbitrationBurst] = 6
    data[.organization] = model.organization & 0xff_ffff
    data[.maximumTransfer] = transferField
    data[.controllerID] = model.controllerID
    data[.version] = model.version
    data[.controllerType] = 1
    data[.abortLimit] = 3
    data[.asyncEventLimit] = 3
    data[.firmwareUpdates] = 3
    data[.errorLogEntries] = 127
    data[.submissionEntrySizes] = 0x66
    data[.completionEntrySizes] = 0x44
    data[.namespaces] = 1024
    data[.volatileWriteCache] = 1
    data[.nqn] = model.nqn
    data[.powerState0] = IdentifyController.PowerState(
      maximumPower: 2500, entryLatency: 16, exitLatency: 4)
    B.describe(self, in: &data)
    return data
  }

  /// The fields that the targets of both drivers have.
  func describeTarget(in data: inout IdentifyController) {
    data[.keepAliveGranularity] = 10
    data[.anaTransitionTime] = 10
    data[.anaCapabilities] = 0x1f
    data[.anaGroupMaximum] = 128
    data[.anaGroups] = 128
    data[.maximumCommands] = UInt16(clamping: model.maximumQueueEntries)
    data[.allowedNamespaces] = 1024
    data[.commandCapsule] = 4
    data[.completionCapsule] = 1
  }

  // MARK: Namespaces

  /// - Source: NVM Command Set 1.0, figure 97.
  private func identifyNamespace(_ id: UInt32) -> Outcome {
    guard !B.isInvalidNamespaceID(id) else { return .failure(B.noSuchNamespace) }
    let index = index(of: id)
    // Not there: all zero.
    guard index >= 0, model.namespaces[index].isEnabled else { return .data(count: 4096) }
    let space = model.namespaces[index]
    var data = IdentifyNamespace()
    data[.size] = space.blocks
    data[.capacity] = space.blocks
    data[.utilization] = space.blocks
    data[.anaGroup] = space.anaGroup
    data[.attributes] = usage[index].isWriteProtected ? 1 : 0
    data[.nguid] = space.nguid
    data[format: 0] = .init(blockShift: space.blockShift)
    B.describe(space, in: &data)
    return answer(data)
  }

  /// The IDs of the enabled namespaces, in rising order.
  func activeNamespaces(after id: UInt32) -> [UInt32] {
    model.namespaces.filter { $0.isEnabled && $0.id > id }.map(\.id).sorted()
  }

  func namespaceList(after id: UInt32) -> Outcome {
    guard id < 0xffff_fffe else { return .failure(B.noSuchNamespace) }
    for (index, id) in activeNamespaces(after: id).prefix(1024).enumerated() {
      put(UInt64(id), width: 4, at: 4 * index)
    }
    return .data(count: 4096)
  }

  /// - Source: NVM Express Base 2.1, figure 315.
  private func namespaceDescriptors(_ id: UInt32) -> Outcome {
    let index = index(of: id)
    if let refusal = refuseNamespace(index) { return .failure(refusal) }
    let space = model.namespaces[index]
    var list: [NamespaceDescriptor] = []
    if space.uuid.contains(where: { $0 != 0 }) { list.append(.uuid(space.uuid)) }
    if space.nguid.contains(where: { $0 != 0 }) { list.append(.nguid(space.nguid)) }
    list.append(.commandSet(.nvm))
    put(NamespaceDescriptor.encode(list), at: 0)
    return .data(count: 4096)
  }

  /// The I/O Command Set Independent structure of an enabled namespace.
  /// - Source: NVM Express Base 2.1, figure 320.
  func independentNamespace(_ index: Int, sharing: UInt64) -> Outcome {
    put(sharing, width: 1, at: 1)
    put(UInt64(model.namespaces[index].anaGroup), width: 4, at: 4)
    put(usage[index].isWriteProtected ? 1 : 0, width: 1, at: 8)
    // Ready.
    put(1, width: 1, at: 14)
    return .data(count: 4096)
  }
}
