// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Get Log Page: the pages that several behaviours have.
extension Controller {
  /// Supported Log Pages.
  func putSupportedPages(_ pages: [Int], _ count: Int) {
    for page in pages where 4 * page + 4 <= count { put(1, width: 4, at: 4 * page) }
  }

  /// Changed Namespace List; more than 1024 are one entry of FFFFFFFFh.
  /// - Source: NVM Express Base 2.1, 5.1.12.1.5.
  func putChangedNamespaces(_ ids: [UInt32], _ count: Int) {
    guard ids.count <= 1024 else { return put(0xffff_ffff, width: 4, at: 0) }
    for (index, id) in ids.prefix(count / 4).enumerated() {
      put(UInt64(id), width: 4, at: 4 * index)
    }
  }

  /// Commands Supported and Effects.
  /// - Parameters:
  ///   - plain: I/O commands without an effect.
  ///   - changing: I/O commands that change the contents of blocks.
  func putEffects(_ count: Int, admin: [AdminOpcode], plain: [NVMOpcode], changing: [NVMOpcode]) {
    func put(_ opcodes: [UInt8], _ effects: CommandEffects, at start: Int) {
      for index in opcodes.map({ start + Int($0) }) where 4 * index + 4 <= count {
        self.put(UInt64(effects.rawValue), width: 4, at: 4 * index)
      }
    }
    var effects = CommandEffects()
    effects[.isSupported] = true
    put(admin.map(\.rawValue), effects, at: 0)
    put(plain.map(\.rawValue), effects, at: 256)
    effects[.changesBlocks] = true
    put(changing.map(\.rawValue), effects, at: 256)
  }

  /// A group of Asymmetric Namespace Access.
  func putAccessGroup(
    _ group: UInt32, _ ids: [UInt32], _ state: NamespaceAccessState, at offset: Int
  ) {
    put(UInt64(group), width: 4, at: offset)
    put(UInt64(ids.count), width: 4, at: offset + 4)
    put(UInt64(state.rawValue), width: 1, at: offset + 16)
    for (index, id) in ids.enumerated() { put(UInt64(id), width: 4, at: offset + 32 + 4 * index) }
  }
}

extension AdminOpcode {
  /// The commands that every behaviour has.
  static var common: [Self] {
    [
      .deleteIOSubmissionQueue, .createIOSubmissionQueue, .getLogPage, .deleteIOCompletionQueue,
      .createIOCompletionQueue, .identify, .abort, .setFeatures, .getFeatures, .asyncEventRequest,
    ]
  }
}
