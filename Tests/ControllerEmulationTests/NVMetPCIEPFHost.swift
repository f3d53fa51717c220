// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import Testing

/// A row of a table in nvmet_pci_epf.md that is more than its numbers: the actions and the expected result.
struct NVMetPCIEPFRow: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var act: @Sendable (Host) throws -> Void

  init(_ name: String, _ act: @escaping @Sendable (Host) throws -> Void) {
    testDescription = name
    self.act = act
  }
}

/// A host in front of the controller of nvmet_pci_epf.md, 24: enabled, and without I/O queues.
func nvmetPCIEPF(
  enabled: Bool = true, configuration: UInt32 = 0x0046_0001, without quirk: Quirk? = nil,
  memoryBytes: Int = 3 << 20, _ change: (inout ControllerModel) -> Void = { _ in }
) -> Host {
  var model = documentedModel(.nvmetPCIEPF)
  if let quirk { model.quirks.remove(quirk) }
  change(&model)
  let host = Host(model, memoryBytes: memoryBytes)
  if enabled { host.enable(configuration: configuration) }
  return host
}

extension Host {
  /// Writes CC and waits for the next look at it.
  func configure(_ value: UInt32) {
    write(0x14, value)
    pass(12)
  }

  func getFeature(
    _ feature: UInt32, _ value: UInt32 = 0, namespace: UInt32 = 0
  ) -> Completion? {
    run(Entry(opcode: 0x0a, namespace: namespace, prp1: page(), words: [feature, value]))
  }

  func setFeature(
    _ feature: UInt32, _ value: UInt32 = 0, namespace: UInt32 = 0
  ) -> Completion? {
    run(Entry(opcode: 9, namespace: namespace, prp1: page(), words: [feature, value]))
  }

  func linkDown() {
    controller.linkDown(at: controller.now)
    drain()
  }

  func number(at address: UInt64, _ count: Int = 8) -> UInt64 {
    bytes(at: address, count).number(0, count)
  }

  // The controller is not copyable, and so not for #expect.
  var isEnabled: Bool { controller.isEnabled }
  var hasBeenIdentified: Bool { controller.hasBeenIdentified }
  var model: ControllerModel { controller.model }
  var isLinkUp: Bool { controller.isLinkUp }

  var isHanging: Bool { diagnoses.contains { $0.fault == "nvmet_pci_epf: failed read" } }
}

extension [UInt8] {
  /// A little-endian number.
  func number(_ offset: Int, _ count: Int) -> UInt64 {
    (0..<count).reduce(0) { $0 | UInt64(self[offset + $1]) << UInt64(8 * $1) }
  }
}
