// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
internal import PCI

/// Identify, features, log pages, events: rules of the admin queue.
extension ConformanceHost {
  func examineAdmin() throws(HostError) {
    controller = try identify(.controller, as: IdentifyController.self)
    let space = function.configuration
    let ids = (space.read(offset: 0, width: .word), space.read(offset: 0x2c, width: .word))
    require(
      "identify-vid", "Base 5.1.13.2.1", "VID is the function's",
      UInt32(controller[.vendorID]) == ids.0,
      "\(hexadecimal(controller[.vendorID])), not \(hexadecimal(ids.0))")
    require(
      "identify-ssvid", "Base 5.1.13.2.1", "SSVID is the function's",
      UInt32(controller[.subsystemVendorID]) == ids.1,
      "\(hexadecimal(controller[.subsystemVendorID])), not \(hexadecimal(ids.1))")
    let version = read(.version)
    require(
      "identify-ver", "Base 5.1.13.2.1", "VER is the register's", controller[.version] == version,
      "\(hexadecimal(controller[.version])), not \(hexadecimal(version))")
    for (name, range) in [("sn", 4..<24), ("mn", 24..<64), ("fr", 64..<72)] {
      let text = controller.bytes[range]
      require(
        "identify-\(name)", "Base 1.4.2", "\(name.uppercased()) is ASCII, padded with spaces",
        text.allSatisfy { (0x20...0x7e).contains($0) }, "\(Array(text))")
    }
    require(
      "identify-sqes", "NVM 4.1.5.2", "SQES allows entries of 64 bytes, and no less",
      controller[.submissionEntrySizes] & 0xf == 6 && controller[.submissionEntrySizes] >> 4 >= 6,
      hexadecimal(controller[.submissionEntrySizes]))
    require(
      "identify-cqes", "NVM 4.1.5.2", "CQES allows entries of 16 bytes, and no less",
      controller[.completionEntrySizes] & 0xf == 4 && controller[.completionEntrySizes] >> 4 >= 4,
      hexadecimal(controller[.completionEntrySizes]))
    require(
      "identify-nn", "Base 5.1.13.2.1", "NN is not 0", controller[.namespaces] > 0, "0")
    if version >= 0x01_0400 {
      require(
        "identify-cntrltype", "Base 5.1.13.2.1", "CNTRLTYPE is reported",
        controller[.controllerType] != 0, "0")
    }
    let nqn = controller.bytes[768..<1024]
    require(
      "identify-subnqn", "Base 4.7", "SUBNQN is a name that begins with nqn. and ends with NUL",
      nqn.starts(with: "nqn.".utf8) && nqn.contains(0),
      "\"\(String(decoding: nqn.prefix { $0 != 0 }, as: UTF8.self))\"")
    try examineNamespaces()
    examineRefusals()
  }

  private func examineNamespaces() throws(HostError) {
    let list = try identify(.activeNamespaces)
    let ids = (0..<1024).map { UInt32(Self.number(list, 4 * $0, 4)) }.prefix { $0 != 0 }
    require(
      "identify-active-list", "Base 5.1.13.2.2", "the active namespaces are in ascending order",
      zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }, "\(Array(ids))")
    require(
      "identify-active-range", "Base 5.1.13.2.2", "no active namespace is beyond NN",
      ids.allSatisfy { $0 <= controller[.namespaces] }, "\(Array(ids))")
    let buffer = page()
    func structure(_ id: IdentifyStructure, _ namespace: UInt32) -> SubmissionEntry {
      admin(.identify, namespace: namespace, prp1: buffer, words: [UInt32(id.rawValue)])
    }
    for id in ids.prefix(4) {
      guard let data = try? identify(.namespace, id, as: IdentifyNamespace.self) else {
        require(
          "identify-namespace-\(id)", "Base 5.1.13.2", "an active namespace is described", false,
          "refused")
        continue
      }
      require(
        "namespace-\(id)-capacity", "NVM 4.1.5.1", "NUSE is at most NCAP, which is at most NSZE",
        data[.utilization] <= data[.capacity] && data[.capacity] <= data[.size],
        "\(data[.utilization]), \(data[.capacity]), \(data[.size])")
      require(
        "namespace-\(id)-format", "NVM 4.1.5.1",
        "the format in use has blocks of 512 bytes or more",
        data[format: data.formatInUse].blockShift >= 9,
        "2^\(data[format: data.formatInUse].blockShift)")
      let list = (try? identify(.namespaceDescriptors, id)) ?? []
      let names = NamespaceDescriptor.decode(list).filter {
        if case .commandSet = $0 { false } else { true }
      }
      require(
        "namespace-\(id)-name", "Base 5.1.13.2.3", "a namespace has an EUI64, NGUID or UUID",
        !names.isEmpty && names.filter { $0.identifier.allSatisfy { $0 == 0 } }.isEmpty, "none")
    }
    if let unused = (1...controller[.namespaces]).first(where: { !ids.contains($0) }) {
      require(
        "identify-inactive", "Base 5.1.13.2", "an inactive namespace is described by zeroes",
        structure(.namespace, unused), ends: .success)
    }
    if controller[.namespaces] < UInt32.max - 1 {
      require(
        "identify-invalid-nsid", "Base 5.1.13.2", "an NSID beyond NN is refused",
        structure(.namespace, controller[.namespaces] + 1), ends: .invalidNamespace)
    }
    require(
      "identify-list-nsid", "Base 5.1.13.2.2", "a list from FFFFFFFEh on is refused",
      structure(.activeNamespaces, 0xffff_fffe), ends: .invalidNamespace)
    require(
      "identify-reserved", "Base 5.1.13", "a reserved CNS is an invalid field",
      structure(IdentifyStructure(rawValue: 0xbf), 0), ends: .invalidField)
  }

  private func examineRefusals() {
    require(
      "admin-opcode", "Base 4.2.3.1", "an opcode that does not exist is refused",
      admin(AdminOpcode(rawValue: 0x7e)), ends: .invalidOpcode)
    require(
      "identify-prp-offset", "Base 4.1.1", "PRP1 must be a multiple of four",
      admin(.identify, prp1: page() + 2, words: [1]), ends: .invalidPRPOffset, .invalidField)
    let end = require(
      "abort", "Base 5.1.1", "aborting a command that does not exist succeeds",
      admin(.abort, words: [0x7fff_0000]), ends: .success)
    require(
      "abort-result", "Base 5.1.1", "its result reports that nothing was aborted",
      end.map { $0.dw0 & 1 == 1 } ?? false, "DW0=\(end?.dw0 ?? 0)")
  }

  func examineFeatures() {
    let required: [FeatureID] = [
      .arbitration, .powerManagement, .temperatureThreshold, .errorRecovery, .numberOfQueues,
      .interruptCoalescing, .writeAtomicity, .asyncEventConfiguration,
    ]
    for feature in required {
      require(
        "feature-\(feature.rawValue)", "Base 3.1.3.6", "\(feature) can be read",
        admin(.getFeatures, words: [UInt32(feature.rawValue)]), ends: .success)
    }
    if controller[.volatileWriteCache] & 1 == 1 {
      require(
        "feature-6", "NVM 4.1.4", "the write cache that Identify names is a feature",
        admin(.getFeatures, words: [UInt32(FeatureID.volatileWriteCache.rawValue)]),
        ends: .success)
    }
    // Values that every controller must accept and return.
    let changes: [(FeatureID, UInt32)] = [
      (.arbitration, 2), (.interruptCoalescing, 3), (.asyncEventConfiguration, 0),
      (.temperatureThreshold, 0x150),
    ]
    for (feature, value) in changes {
      let number = UInt32(feature.rawValue)
      guard let before = run(admin(.getFeatures, words: [number])), before.status.isSuccess else {
        continue
      }
      let set = run(admin(.setFeatures, words: [number, value]))
      let after = run(admin(.getFeatures, words: [number]))
      require(
        "feature-\(feature.rawValue)-set", "Base 5.1.25", "\(feature) reads as it was set",
        set?.status.isSuccess == true && after?.dw0 == value,
        "set \(hexadecimal(value)): \(set.map { "\($0.status)" } ?? "no completion"), read "
          + "\(after.map { hexadecimal($0.dw0) } ?? "nothing")")
      _ = run(admin(.setFeatures, words: [number, before.dw0]))
    }
    require(
      "feature-reserved", "Base 5.1.11", "a reserved feature is an invalid field",
      admin(.getFeatures, words: [0x77]), ends: .invalidField)
    require(
      "feature-7-ffff", "Base 5.1.25.2.1", "65,536 queues are an invalid field",
      admin(.setFeatures, words: [7, 0xffff_ffff]), ends: .invalidField)
  }

  func examineLogs() {
    let version = read(.version)
    var required: [LogPageID] = [.errorInformation, .health, .firmwareSlots]
    if version >= 0x02_0000 { required += [.supportedLogPages, .commandEffects] }
    let lengths: [LogPageID: Int] = [.supportedLogPages: 1024, .commandEffects: 4096]
    for log in required {
      let request = LogPageRequest(log, byteCount: lengths[log, default: 512])
      let buffer = page()
      require(
        "log-\(log.rawValue)", "Base 3.1.3.5", "\(log) can be read",
        admin(
          .getLogPage, namespace: .max, prp1: buffer, words: request.words), ends: .success)
    }
    let buffer = page()
    let reserved = LogPageRequest(LogPageID(rawValue: 0x6f), byteCount: 512)
    require(
      "log-reserved", "Base 5.1.12", "a reserved log page is refused",
      admin(.getLogPage, namespace: .max, prp1: buffer, words: reserved.words),
      ends: .invalidLogPage, .invalidField)
    let short = LogPageRequest(.health, byteCount: 16)
    require(
      "log-short", "Base 5.1.12", "the first 16 bytes of a log page can be read",
      admin(.getLogPage, namespace: .max, prp1: buffer, words: short.words), ends: .success)
  }

  /// Event requests wait, and one too many is refused.
  func examineEvents() {
    let limit = Int(controller[.asyncEventLimit]) + 1
    guard limit < Int(Self.adminDepth) - 2 else { return }
    // A controller may execute them in any order, so the refused one need not be the last.
    for _ in 0...limit { _ = try? start(admin(.asyncEventRequest), on: 0) }
    let refused = next(0)
    require(
      "events-limit", "Base 5.1.2", "one request more than AERL + 1 is refused",
      refused?.status.code == Status.tooManyEventRequests.code,
      refused.map { "\($0.status)" } ?? "no completion")
    require(
      "events-pass", "Base 5.1.2", "outstanding requests do not block other commands",
      admin(.getFeatures, words: [7]), ends: .success)
  }
}
