// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe

/// Every read-only command of nvme-cli 2.16, with the fields that it sets.
///
/// Some of its subcommands send several commands, the first of which determine the length of the last one: this has the relevant one. The
/// lengths are those of nvme-cli's buffers.
extension Inquiry {
  /// - Parameter found: the controller with its namespaces and limits.
  public static func all(for found: ProbeResult) -> [Inquiry] {
    let namespaces = found.namespaces.map(\.id)
    // Inactive, if there is room for one; and all of them.
    let unused = (1...).first { !namespaces.contains($0) } ?? 1
    let perNamespace = namespaces + [unused, .max]
    return identify(perNamespace) + logs(found, perNamespace) + rawLogs + features(namespaces)
      + properties + commands(namespaces, hasQueues: found.ioQueues > 0) + [errorLog(found)]
  }

  private static func admin(
    _ words: String, _ opcode: AdminOpcode, namespace: UInt32 = 0, _ dwords: [UInt32], length: Int
  ) -> Inquiry {
    Inquiry(
      words: words,
      entry: SubmissionEntry(
        opcode: opcode.rawValue, id: 0, namespaceID: namespace, words: dwords),
      length: length)
  }

  // MARK: Identify

  /// - Source: NVM Express Base 2.1, 5.1.13; NVM Command Set 1.1, 4.1.5.
  private static func identify(_ namespaces: [UInt32]) -> [Inquiry] {
    func ask(
      _ words: String, _ structure: IdentifyStructure, namespace: UInt32 = 0,
      controller: UInt32 = 0, set: UInt32 = 0
    ) -> Inquiry {
      admin(
        words, .identify, namespace: namespace,
        [controller << 16 | UInt32(structure.rawValue), set], length: 4096)
    }
    let single: [Inquiry] = [
      ask("id-ctrl", .controller), ask("nvm-id-ctrl", .commandSetController),
      ask("list-ns", .activeNamespaces),
      ask("list-ns --namespace-id=2", .activeNamespaces, namespace: 1),
      ask("list-ns --all", .allocatedNamespaces),
      ask("list-ns --csi=0", .commandSetActiveNamespaces),
      ask("list-ns --csi=0 --all", .commandSetAllocatedNamespaces),
      ask("list-ctrl", .controllers),
      ask("list-ctrl --namespace-id=1", .attachedControllers, namespace: 1),
      ask("primary-ctrl-caps", .primaryControllerCapabilities),
      ask("list-secondary", .secondaryControllers),
      ask("id-ns-granularity", .namespaceGranularity), ask("id-uuid", .uuids),
      ask("id-nvmset", .nvmSets), ask("list-endgrp", .enduranceGroups),
      ask("list-endgrp --endgrp-id=1", .enduranceGroups, set: 1),
      ask("id-iocs", .commandSets, controller: 0xffff),
      ask("id-domain", .domains, set: 0xffff),
      ask("id-ns-lba-format --lba-format-index=0", .formatUserData),
      ask("nvm-id-ns-lba-format --lba-format-index=0", .commandSetFormatUserData),
    ]
    let each = namespaces.flatMap { id in
      let option = "--namespace-id=\(id)"
      return [
        ask("id-ns \(option)", .namespace, namespace: id),
        ask("id-ns \(option) --force", .allocatedNamespace, namespace: id),
        ask("ns-descs \(option)", .namespaceDescriptors, namespace: id),
        ask("cmdset-ind-id-ns \(option)", .independentNamespace, namespace: id),
      ]
    }
    // For all namespaces, nvm-id-ns does not reach its structure.
    let sets = namespaces.filter { $0 != .max }.map { id in
      ask("nvm-id-ns --namespace-id=\(id)", .commandSetNamespace, namespace: id)
    }
    return single + each + sets
  }

  // MARK: Get Log Page

  private static func log(
    _ words: String, _ page: LogPageID, _ length: Int, namespace: UInt32 = 0, parameter: UInt8 = 0,
    identifier: UInt16 = 0, commandSet: CommandSetIdentifier = .nvm, retains: Bool = false
  ) -> Inquiry {
    // Longer logs are read in pieces of a page, and all pieces except the last keep the event.
    let first = min(length, 4096)
    let request = LogPageRequest(
      page, byteCount: first, retainsEvent: retains || first < length, parameter: parameter,
      identifier: identifier, commandSet: commandSet)
    return admin(words, .getLogPage, namespace: namespace, request.words, length: first)
  }

  /// - Source: NVM Express Base 2.1, 5.1.12.
  private static func logs(_ found: ProbeResult, _ namespaces: [UInt32]) -> [Inquiry] {
    let controller = found.identifyController
    let groups = UInt32(controller[.enduranceGroups])
    let access = 16 + 32 * Int(controller[.anaGroups])
    let all = UInt32.max
    return [
      log("supported-log-pages", .supportedLogPages, 1024, namespace: all),
      log("smart-log", .health, 512, namespace: all),
      log("fw-log", .firmwareSlots, 512, namespace: all),
      log("changed-ns-list-log", .changedNamespaces, 4096, namespace: all, retains: true),
      log("effects-log --csi=0", .commandEffects, 4096, namespace: all),
      log("effects-log --csi=2", .commandEffects, 4096, namespace: all, commandSet: .zoned),
      log("self-test-log", .deviceSelfTest, 564, namespace: all),
      log("telemetry-log --host-generate=0 --output-file=telemetry", .telemetryHost, 512),
      log("telemetry-log --controller-init --output-file=telemetry", .telemetryController, 512),
      log("endurance-log", .enduranceGroup, 512),
      log("predictable-lat-log", .predictableLatency, 512, identifier: 1),
      log("pred-lat-event-agg-log", .predictableLatencyEvents, 8),
      log(
        "ana-log", .namespaceAccess, access + 4 * Int(controller[.allowedNamespaces]),
        retains: true),
      log("ana-log --groups", .namespaceAccess, access, parameter: 1, retains: true),
      log("persistent-event-log", .persistentEvents, 512, namespace: all, parameter: 0x7f),
      log("persistent-event-log --action=0", .persistentEvents, 512, namespace: all),
      log("lba-status-log", .blockStatus, 4, retains: true),
      log("endurance-event-agg-log", .enduranceGroupEvents, 8 + 2 * Int(min(groups, 2044)) & ~3),
      log("media-unit-stat-log", .mediaUnitStatus, 16),
      log("supported-cap-config-log", .capacityConfigurations, 16),
      log("fid-support-effects-log", .featureEffects, 1024),
      log("mi-cmd-support-effects-log", .managementCommandEffects, 4096),
      log("boot-part-log --output-file=boot", .bootPartition, 16),
      log("rotational-media-info-log", .rotationalMedia, 512),
      log("rotational-media-info-log --endg-id=1", .rotationalMedia, 512, identifier: 1),
      log("dispersed-ns-participating-nss-log", .dispersedNamespaces, 256, namespace: 1),
      log("mgmt-addr-list-log", .managementAddresses, 4096, namespace: all),
      log("phy-rx-eom-log", .eyeOpening, 64),
      log("reachability-groups-log", .reachabilityGroups, 16, namespace: all),
      log("reachability-associations-log", .reachabilityAssociations, 16, namespace: all),
      log(
        "changed-alloc-ns-list-log", .changedAllocatedNamespaces, 4096, namespace: all,
        retains: true),
      log("host-discovery-log", .hostDiscovery, 1024, namespace: all),
      log("ave-discovery-log", .verificationDiscovery, 1024, namespace: all),
      log("pull-model-ddc-req-log", .pullModelRequests, 8, namespace: all),
      log("resv-notif-log", .reservationNotification, 64, namespace: all),
      log("sanitize-log", .sanitizeStatus, 512, namespace: all),
    ]
      + namespaces.flatMap { id in
        [
          log("smart-log --namespace-id=\(id)", .health, 512, namespace: id),
          log(
            "endurance-log --group-id=\(id & 0xffff)", .enduranceGroup, 512,
            identifier: UInt16(truncatingIfNeeded: id)
          ),
        ]
      }
  }

  /// Every page that has a number, as the bytes that it is: 512 of them, and some whole.
  private static var rawLogs: [Inquiry] {
    let numbers: [UInt8] =
      Array(0...0x1c) + [0x20, 0x21, 0x22, 0x23, 0x70, 0x71, 0x72, 0x73, 0x80, 0x81, 0xbf]
    let lengths: [LogPageID: Int] = [
      .supportedLogPages: 1024, .changedNamespaces: 4096, .commandEffects: 4096,
      .featureEffects: 1024,
    ]
    return numbers.map { number in
      let page = LogPageID(rawValue: number)
      let length = lengths[page, default: 512]
      return log(
        "get-log --log-id=\(hexadecimal(number, digits: 2)) --log-len=\(length)", page, length,
        namespace: .max)
    } + [
      // Shorter than the page, and from its middle on.
      log("get-log --log-id=0x02 --log-len=16", .health, 16, namespace: .max),
      log("get-log --log-id=0x05 --log-len=1024", .commandEffects, 1024, namespace: .max),
      fromMiddle,
    ]
  }

  private static var fromMiddle: Inquiry {
    var inquiry = log(
      "get-log --log-id=0x05 --log-len=2048 --lpo=1024", .commandEffects, 2048, namespace: .max)
    inquiry.entry.dwords[12] = 1024
    return inquiry
  }

  /// Last, so that the newest entry is of a known command.
  private static func errorLog(_ found: ProbeResult) -> Inquiry {
    let entries = min(64, Int(found.identifyController[.errorLogEntries]) + 1)
    return log("error-log", .errorInformation, 64 * entries, namespace: .max)
  }

  // MARK: Get Features

  /// Every feature: its current, default and saved values, and its capabilities.
  /// - Source: NVM Express Base 2.1, 5.1.11.
  private static func features(_ namespaces: [UInt32]) -> [Inquiry] {
    let numbers: [UInt8] = Array(1...0x22) + Array(0x78...0x85)
    func ask(
      _ feature: FeatureID, _ select: UInt32, options: String = "", namespace: UInt32 = .max,
      _ dword: UInt32 = 0, length: Int? = nil
    ) -> Inquiry {
      let number = UInt32(feature.rawValue)
      // Which event types a group has: as many as fit.
      let dword = feature == .flexibleDataPlacementEvents ? dword | 0xff << 16 : dword
      return admin(
        "get-feature --feature-id=\(hexadecimal(number, digits: 2)) --sel=\(select)\(options)",
        .getFeatures,
        namespace: namespace, [select << 8 | number, dword],
        length: select == 3 ? 0 : length ?? dataLength(of: feature))
    }
    let all = numbers.flatMap { number in
      (0...3).map { ask(FeatureID(rawValue: number), $0) }
    }
    let special = namespaces.flatMap { id in
      [FeatureID.namespaceWriteProtection, .reservationNotificationMask].map {
        ask($0, 0, options: " --namespace-id=\(id)", namespace: id)
      }
    }
    return all + special + [
      ask(.interruptVectorConfiguration, 0, options: " --cdw11=1", 1),
      ask(.interruptVectorConfiguration, 0, options: " --cdw11=0xffff", 0xffff),
      // The long identifier.
      ask(.hostIdentifier, 0, options: " --cdw11=1", 1, length: 16),
    ]
  }

  /// The data of a feature beside DW0, in bytes.
  private static func dataLength(of feature: FeatureID) -> Int {
    switch feature {
    case .blockRangeType, .hostMemoryBuffer, .performanceCharacteristics,
      .enhancedControllerMetadata, .controllerMetadata, .namespaceMetadata:
      4096
    case .autonomousPowerStates: 256
    case .predictableLatencyConfig, .hostBehavior: 512
    case .flexibleDataPlacementEvents: 510
    case .timestamp, .hostIdentifier: 8
    default: 0
    }
  }

  // MARK: Others

  /// Property Get, a fabrics command: a controller on PCI Express has registers instead.
  /// - Source: NVM Express Base 2.1, 6.4.
  private static var properties: [Inquiry] {
    [
      Register.capabilities, .version, .interruptMaskSet, .configuration, .status,
      .adminQueueAttributes, .adminSubmissionQueue,
    ].map { register in
      admin(
        "get-property --offset=\(hexadecimal(register.rawValue, digits: 2))", .fabrics,
        namespace: 4,
        [register.byteCount == 8 ? 1 : 0, register.rawValue], length: 0)
    }
  }

  /// - Source: NVM Express Base 2.1, 5.2.4, 5.1.7, 5.1.23, 5.2.9, 7; NVM Command Set 1.1, 4.2.1.
  private static func commands(_ namespaces: [UInt32], hasQueues: Bool) -> [Inquiry] {
    let first = namespaces.first ?? 1
    func io(_ words: String, _ opcode: NVMOpcode, _ dwords: [UInt32], length: Int) -> Inquiry {
      Inquiry(
        words: words, isIO: true,
        entry: SubmissionEntry(opcode: opcode.rawValue, id: 0, namespaceID: first, words: dwords),
        length: length)
    }
    let receive = "dir-receive --namespace-id=\(first)"
    let own =
      hasQueues
      ? [
        io(
          "resv-report --namespace-id=\(first)", .reservationReport, [1022, 0], length: 4092),
        io(
          "resv-report --namespace-id=\(first) --eds", .reservationReport, [1022, 1], length: 4092),
        io(
          "io-mgmt-recv --namespace-id=\(first) --mo=1 --data-len=4096", .ioManagementReceive,
          [1, 1023], length: 4096),
      ] : []
    return own + [
      admin(
        "\(receive) --dir-type=0 --dir-oper=1", .directiveReceive, namespace: first,
        [1023, 0x0001], length: 4096),
      admin(
        "\(receive) --dir-type=1 --dir-oper=1", .directiveReceive, namespace: first,
        [7, 0x0101], length: 32),
      admin(
        "security-recv --size=512 --secp=0 --al=512", .securityReceive, [0, 512], length: 512),
      admin(
        "nvme-mi-recv --opcode=1 --data-len=4096", .nvmeMIReceive, [4, 1], length: 4096),
      admin(
        "get-lba-status --namespace-id=\(first) --start-lba=0 --max-dw=1023 --action=0x10 --range-len=8",
        .getLBAStatus, namespace: first, [0, 0, 1023, 0x1000_0008], length: 4096),
    ]
  }
}
