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
    case .commandSetNamespace where model.behaviour == .nvmetPCIEPF && command.commandSet == .nvm:
      return commandSetNamespace(command.namespaceID)
    case .commandSetNamespace where model.behaviour == .reference && command.commandSet == .nvm:
      return .data(count: 4096)
    case .commandSetController where command.commandSet == .nvm: return .data(count: 4096)
    case .commandSetActiveNamespaces
    where model.behaviour != .pciEPFNVMe && command.commandSet == .nvm:
      return namespaceList(after: command.namespaceID)
    // nvmet lists the namespaces of any command set: here, none.
    case .commandSetActiveNamespaces where model.behaviour == .nvmetPCIEPF:
      return command.namespaceID < 0xffff_fffe
        ? .data(count: 4096) : .failure(noSuchNamespace)
    case .enduranceGroups where model.behaviour == .nvmetPCIEPF:
      return enduranceGroups(after: command.cdw11 & 0xffff)
    case .independentNamespace where model.behaviour != .pciEPFNVMe:
      return commandSetIndependentNamespace(command.namespaceID)
    case .commandSets where model.behaviour == .reference:
      put(1, width: 8, at: 0)
      return .data(count: 4096)
    default: return .failure(unsupported)
    }
  }

  /// Invalid Field: without MORE for the target of Linux 6.12, with MORE for newer ones.
  private var unsupported: Status {
    model.behaviour == .nvmetPCIEPF ? Status.invalidField.withMore : Status.invalidField
  }

  var noSuchNamespace: Status {
    model.behaviour == .nvmetPCIEPF
      ? Status.invalidNamespace.withMore : Status.invalidNamespace
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

  /// - Source: the values of nvmet: nvmet_pci_epf.md, 15; pci_epf_nvme.md, 11.4; a strict controller's are the least that the specification allows.
  private var controllerData: IdentifyController {
    let isSeed = model.behaviour == .pciEPFNVMe
    let isMainline = model.behaviour == .nvmetPCIEPF
    let isReference = model.behaviour == .reference
    var data = IdentifyController()
    data[.vendorID] = model.vendorID
    // pci_epf_nvme copies the vendor ID.
    data[.subsystemVendorID] = isSeed ? model.vendorID : model.subsystemVendorID
    data[.serial] = model.serial
    data[.modelNumber] = model.modelNumber
    data[.firmware] = model.firmware
    data[.arbitrationBurst] = 6
    data[.organization] = model.organization & 0xff_ffff
    if isReference, model.offersDoorbellBuffers { data[.optionalAdminCommands] = 0x100 }
    data[.multipath] = isMainline ? 0x0b : 0
    data[.maximumTransfer] = transferField
    data[.controllerID] = model.controllerID
    data[.version] = model.version
    data[.asyncEvents] = isReference ? 0x100 : 0x900
    data[.attributes] = isMainline ? 0x40041 : isSeed ? 0x41 : 0x01
    data[.controllerType] = 1
    data[.abortLimit] = 3
    data[.asyncEventLimit] = 3
    data[.firmwareUpdates] = 3
    data[.logPageAttributes] = isReference ? 6 : 7
    data[.errorLogEntries] = 127
    if !isReference {
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
    if isMainline {
      data[.enduranceGroups] = 1024
      data[.writeProtection] = 1
    }
    data[.submissionEntrySizes] = 0x66
    data[.completionEntrySizes] = 0x44
    data[.namespaces] = 1024
    data[.optionalCommands] = isMainline ? 0x2c : 0x0c
    data[.volatileWriteCache] = 1
    if !isSeed { data[.sglSupport] = 1 }
    data[.nqn] = model.nqn
    data[.powerState0] = IdentifyController.PowerState(
      maximumPower: 2500, entryLatency: 16, exitLatency: 4)
    return data
  }

  // MARK: Namespaces

  func namespace(_ id: UInt32) -> Namespace? { model.namespaces.first { $0.id == id } }

  /// - Source: NVM Command Set 1.0, figure 97.
  private mutating func identifyNamespace(_ id: UInt32) -> Outcome {
    guard id != 0xffff_ffff else { return .failure(noSuchNamespace) }
    // NN is 1024: larger values are not namespace IDs. nvmet checks only whether the namespace exists.
    if model.behaviour == .reference, id > 1024 { return .failure(noSuchNamespace) }
    guard let space = namespace(id), space.isEnabled else {
      // Not there: all zero.
      return id == 0 && model.behaviour != .nvmetPCIEPF
        ? .failure(noSuchNamespace) : .data(count: 4096)
    }
    let isBlock = !space.isFile
    let isMainline = model.behaviour == .nvmetPCIEPF
    var data = IdentifyNamespace()
    data[.size] = space.blocks
    data[.capacity] = space.blocks
    let isLost = [.inaccessible, .persistentLoss].contains(space.accessState)
    data[.utilization] = isMainline && isLost ? 0 : space.blocks
    data[.features] =
      isMainline && isBlock ? 0x32 : isBlock && model.behaviour == .pciEPFNVMe ? 2 : 0
    data[.sharing] = model.behaviour == .reference ? 0 : 1
    data[.anaGroup] = space.anaGroup
    data[.attributes] = usage[index(of: id)].isWriteProtected ? 1 : 0
    if isMainline { data[.enduranceGroup] = UInt16(truncatingIfNeeded: id) }
    data[.nguid] = space.nguid
    data[format: 0] = .init(blockShift: space.blockShift)
    return answer(data)
  }

  private func namespaceList(after id: UInt32) -> Outcome {
    guard id < 0xffff_fffe else { return .failure(noSuchNamespace) }
    let ids = model.namespaces.filter { $0.isEnabled && $0.id > id }.map(\.id).sorted()
    for (index, id) in ids.prefix(1024).enumerated() { put(UInt64(id), width: 4, at: 4 * index) }
    return .data(count: 4096)
  }

  /// - Source: NVM Express Base 2.1, figure 315.
  private func namespaceDescriptors(_ id: UInt32) -> Outcome {
    guard let space = namespace(id) else { return .failure(noSuchNamespace) }
    guard space.isEnabled else {
      return .failure(
        model.behaviour == .nvmetPCIEPF
          ? Status.internalPathError.retriable.withMore : noSuchNamespace)
    }
    var list: [NamespaceDescriptor] = []
    if space.uuid.contains(where: { $0 != 0 }) { list.append(.uuid(space.uuid)) }
    if space.nguid.contains(where: { $0 != 0 }) { list.append(.nguid(space.nguid)) }
    list.append(.commandSet(.nvm))
    put(NamespaceDescriptor.encode(list), at: 0)
    return .data(count: 4096)
  }

  /// The structure of the NVM command set: the discard limit of a block device, in blocks.
  private func commandSetNamespace(_ id: UInt32) -> Outcome {
    let index = index(of: id)
    if let refusal = refuseNamespace(index) { return .failure(refusal) }
    if !model.namespaces[index].isFile {
      // NPDGL and NPDAL.
      put(1, width: 4, at: 268)
      put(1, width: 4, at: 284)
    }
    return .data(count: 4096)
  }

  /// Every namespace is a separate endurance group.
  private func enduranceGroups(after id: UInt32) -> Outcome {
    let ids = model.namespaces.filter { $0.isEnabled && $0.id > id }.map(\.id).sorted()
      .prefix(2047)
    put(UInt64(ids.count), width: 2, at: 0)
    for (index, id) in ids.enumerated() { put(UInt64(id), width: 2, at: 2 + 2 * index) }
    return .data(count: 4096)
  }

  /// - Source: NVM Express Base 2.1, figure 320.
  private func commandSetIndependentNamespace(_ id: UInt32) -> Outcome {
    let index = index(of: id)
    if let refusal = refuseNamespace(index) { return .failure(refusal) }
    let space = model.namespaces[index]
    // A block device may report that it has no write cache.
    if model.behaviour == .nvmetPCIEPF, !space.isFile { put(0x20, width: 1, at: 0) }
    put(model.behaviour == .reference ? 0 : 1, width: 1, at: 1)
    put(UInt64(space.anaGroup), width: 4, at: 4)
    put(usage[index].isWriteProtected ? 1 : 0, width: 1, at: 8)
    // Ready.
    put(1, width: 1, at: 14)
    return .data(count: 4096)
  }
}
