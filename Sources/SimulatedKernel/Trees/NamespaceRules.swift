// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import Numbers
internal import SystemPackage

/// The store of an enabled namespace.
struct OpenBacking: Codable, Sendable, Hashable {
  var path: String
  var isFile: Bool
  /// Bytes.
  var size: UInt64
  /// The block is 2^shift bytes.
  var blockShift: Int
  /// The module that the open device keeps in the kernel, also when the disk is gone; nil is none.
  var module: String?
}

/// `nvmet` namespaces.
/// - Source: `drivers/nvme/target/configfs.c`, `io-cmd-bdev.c`, `io-cmd-file.c`.
extension AttributeTable {
  private static let busyWhenEnabled: AttributeRule.Lock = { (state, node) throws(Errno) in
    guard !state.isSet("enable", of: node) else { throw .resourceBusy }
  }

  static func namespaceRules(_ kernelRelease: Release) -> [AttributeRule] {
    let zeros = "00000000-0000-0000-0000-000000000000"
    var rules: [AttributeRule] = [
      .plain("device_path", "(null)", lock: busyWhenEnabled) { (written, _) throws(Errno) in
        guard !written.firstLine.isEmpty else { throw .invalidArgument }
        return written.firstLine
      },
      .plain("device_nguid", zeros, lock: busyWhenEnabled) { (written, _) throws(Errno) in
        guard let guid = written.guid else { throw .invalidArgument }
        return guid
      },
      .plain("device_uuid", zeros, lock: busyWhenEnabled) { (written, _) throws(Errno) in
        guard let uuid = written.uuid else { throw .invalidArgument }
        return uuid
      },
      AttributeRule(
        name: "ana_grpid", initial: "1",
        show: { state, node in state.value("ana_grpid", of: node) + "\n" },
        store: { (state, node, written) throws(Errno) in
          let group = try written.unsigned(upTo: UInt64(UInt32.max))
          guard (1...128).contains(group) else { throw .invalidArgument }
          guard group < 128 else {
            // nvmet.md, 21, row 2
            return state.crash("ana_grpid 128")
          }
          state.set("ana_grpid", String(group), of: node)
        }),
      AttributeRule(
        name: "enable", initial: "0",
        show: { state, node in state.value("enable", of: node) + "\n" },
        store: { (state, node, written) throws(Errno) in
          let isOn = try written.bool(state.kernelRelease)
          guard isOn != state.isSet("enable", of: node) else { return }
          if isOn { try state.enableNamespace(node) } else { state.disableNamespace(node) }
        }),
      AttributeRule(
        name: "buffered_io", initial: "0",
        show: { state, node in state.value("buffered_io", of: node) + "\n" },
        store: { (state, node, written) throws(Errno) in
          let isOn = try written.bool(state.kernelRelease)
          guard !state.isSet("enable", of: node) else {
            state.log(.error, "nvmet: disable ns before setting buffered_io value.")
            throw .invalidArgument
          }
          state.set("buffered_io", isOn ? "1" : "0", of: node)
        }),
      AttributeRule(
        name: "revalidate_size", mode: .writeOnly, show: { _, _ in "" },
        store: { (state, node, written) throws(Errno) in
          guard try written.bool(state.kernelRelease) else { throw .invalidArgument }
          guard state.isSet("enable", of: node) else {
            state.log(.error, "nvmet: enable ns before revalidate.")
            throw .invalidArgument
          }
          if let open = state.openNamespaces[node], let object = state.storage[open.path] {
            state.openNamespaces[node]?.size = object.size
            state.tellControllers(ofNamespace: node)
          }
        }),
    ]
    if kernelRelease.generation == .linux7_2 {
      rules.append(
        AttributeRule(
          name: "resv_enable", initial: "0",
          show: { state, node in state.value("resv_enable", of: node) + "\n" },
          store: { (state, node, written) throws(Errno) in
            let isOn = try written.bool(state.kernelRelease)
            guard !state.isSet("enable", of: node) else {
              state.log(.error, "nvmet: the ns:\(state.tree[node].number) is already enabled.")
              throw .invalidArgument
            }
            state.set("resv_enable", isOn ? "1" : "0", of: node)
          }))
    }
    rules.append(
      AttributeRule.plain("p2pmem", "0", lock: busyWhenEnabled) {
        (written, kernelRelease) throws(Errno) in
        // `0000:01:00.0` is an address, not a 0.
        let second = written.bytes.dropFirst().first
        let isAddress = [0x30, 0x31].contains(written.bytes.first) && (second ?? 0) >= 0x20
        guard !isAddress, let isOn = try? written.bool(kernelRelease) else {
          throw .operationNotSupportedByDevice
        }
        return isOn ? "1" : "0"
      }.when { $0.has(.peerToPeerMemory) })
    return rules
  }

  static let anaState = AttributeRule.plain("ana_state", "inaccessible") {
    (written, _) throws(Errno) in
    let states = ["optimized", "non-optimized", "inaccessible", "persistent-loss", "change"]
    guard let state = states.first(where: { written.equals($0) }) else { throw .invalidArgument }
    return state
  }.complaining(about: "ana_state").sharedByGroupsOfOneNumber()
}

extension AttributeRule {
  /// The state belongs to the number of a group, which several directories of a port can have in different spellings.
  fileprivate func sharedByGroupsOfOneNumber() -> AttributeRule {
    var rule = self
    let store = store
    rule.store = { (state, node, written) throws(Errno) in
      try store(&state, node, written)
      state.setANAState(state.value("ana_state", of: node), ofGroupsLike: node)
    }
    return rule
  }

  /// The same attribute, with `Invalid value '%s' for <what>` in the log when the value is refused.
  func complaining(about what: String, _ more: String = "") -> AttributeRule {
    var rule = self
    let store = store
    rule.store = { (state, node, written) throws(Errno) in
      do throws(Errno) { try store(&state, node, written) } catch {
        if error == .invalidArgument {
          state.log(.error, "nvmet: Invalid value '\(written.text)' for \(what)\(more)")
        }
        throw error
      }
    }
    return rule
  }
}

extension KernelState {
  mutating func makeNamespace(_ name: String, in parent: Int) throws(Errno) {
    let id = try Written(name).unsigned(upTo: UInt64(UInt32.max))
    guard id != 0, id != 0xffff_ffff else {
      log(.error, "nvmet: invalid nsid \(hexadecimal(id))")
      throw .invalidArgument
    }
    let others = tree[parent].children
    guard others.count < 1024, !others.contains(where: { tree[$0].number == Int(id) }) else {
      throw .noMemory
    }
    let node = tree.add(name, .namespace, in: parent, number: Int(id))
    set("device_uuid", randomUUID(), of: node)
    let shown =
      kernelRelease.generation == .linux7_2 ? String(id) : String(Int32(truncatingIfNeeded: id))
    log(.info, "nvmet: adding nsid \(shown) to subsystem \(subsystemNQN(tree[parent].parent))")
  }

  mutating func enableNamespace(_ node: Int) throws(Errno) {
    guard !isPassthruActive(tree[tree[node].parent].parent) else {
      // The kernel logs it, and reports success.
      return log(
        .info,
        "nvmet: cannot enable both passthru and regular namespaces for a single subsystem")
    }
    guard tree[node].values["device_path"] != nil || !isSet("buffered_io", of: node) else {
      // io-cmd-file.c, nvmet_file_ns_enable: filp_open(NULL); bugs.md, 1, row 4
      return crash("a namespace without device_path enabled with buffered_io")
    }
    let backing = try openBacking(
      value("device_path", of: node), isBuffered: isSet("buffered_io", of: node))
    if !backing.isFile, let zones = try? resolve(backing.path).1.zones {
      try checkZones(zones, of: tree[tree[node].parent].parent)
    }
    openNamespaces[node] = backing
    if let (path, object) = try? resolve(backing.path), object.kind == .blockDevice {
      let isLoop = path.hasPrefix("/dev/loop")
      openNamespaces[node]?.module = object.nullBlock != nil ? "null_blk" : isLoop ? "loop" : nil
    }
    set("enable", "1", of: node)
    tellControllers(ofNamespace: node)
  }

  /// A namespace with zones has only sequential ones of one size, and the subsystem's limit of an append never shrinks.
  /// - Source: `drivers/nvme/target/zns.c`, `nvmet_bdev_zns_enable`.
  private mutating func checkZones(
    _ zones: SimulatedKernel.Zones, of subsystem: Int
  ) throws(Errno) {
    let pages = zones.longestAppend >> 3
    let limit = pages == 0 ? 255 : 63 - pages.leadingZeroBitCount
    let current = number("zasl", of: subsystem)
    guard current == 0 || current <= limit else { throw .invalidArgument }
    set("zasl", String(limit), of: subsystem)
    guard !zones.hasSmallerLast, !zones.hasConventional else { throw .invalidArgument }
  }

  mutating func disableNamespace(_ node: Int) {
    guard isSet("enable", of: node) else { return }
    set("enable", "0", of: node)
    tellControllers(ofNamespace: node)
    guard let open = openNamespaces.removeValue(forKey: node) else { return }
    closeLoop(open.path)
  }

  /// Opens the store of a namespace: as a block device, or else as a file.
  private mutating func openBacking(
    _ path: String, isBuffered: Bool
  ) throws(Errno) -> OpenBacking {
    let object: SimulatedKernel.StoredObject
    do {
      guard path != "(null)" else { throw Errno.invalidArgument }
      object = try resolve(path).1
      if object.kind == .blockDevice, object.isReadOnly { throw Errno.permissionDenied }
    } catch {
      let error = error as? Errno ?? .noSuchFileOrDirectory
      let kind = isBuffered ? "file" : "block device"
      log(.error, "nvmet: failed to open \(kind) \(path): (-\(error.rawValue))")
      throw error
    }
    if object.kind == .blockDevice, !isBuffered {
      return OpenBacking(
        path: path, isFile: false, size: object.size,
        blockShift: object.blockSize.trailingZeroBitCount)
    }
    let refusal: Errno? =
      switch object.kind {
      case .directory: .isDirectory
      case .characterDevice, .other: isBuffered ? nil : .invalidArgument
      case .regularFile:
        if object.isReadOnly {
          .readOnlyFileSystem
        } else {
          isBuffered || object.allowsDirectIO ? nil : .invalidArgument
        }
      case .blockDevice, .symbolicLink: nil
      }
    if let refusal {
      log(.error, "nvmet: failed to open file \(path): (-\(refusal.rawValue))")
      throw refusal
    }
    // A device node's inode is devtmpfs's: 4 KiB.
    let blockSize = object.kind == .regularFile ? object.blockSize : 4096
    let size = object.kind == .other ? 0 : object.size
    return OpenBacking(
      path: path, isFile: true, size: size, blockShift: min(blockSize.trailingZeroBitCount, 12))
  }
}
