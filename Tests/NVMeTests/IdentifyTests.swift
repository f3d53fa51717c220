// SPDX-License-Identifier: Apache-2.0
import NVMe
import Testing

/// Identify data: places, values, nvme-cli's words.
@Suite("Identify")
struct IdentifyTests {
  @Test("a controller's fields are little-endian at their offsets")
  func controllerPlaces() {
    var data = IdentifyController()
    data[.vendorID] = 0x15b7
    data[.serial] = "abc"
    data[.organization] = 0x123456
    data[.maximumTransfer] = 5
    data[.version] = 0x0002_0100
    data[.nqn] = "nqn.x"
    #expect(data.bytes.count == 4096)
    #expect(Array(data.bytes[0..<2]) == [0xb7, 0x15])
    #expect(data.bytes[4..<24].elementsEqual("abc                 ".utf8))
    #expect(Array(data.bytes[73..<76]) == [0x56, 0x34, 0x12])
    #expect(data.bytes[77] == 5)
    #expect(Array(data.bytes[80..<84]) == [0, 1, 2, 0])
    #expect(Array(data.bytes[768..<774]) == Array("nqn.x".utf8) + [0])
    #expect(data[.serial] == "abc" && data[.nqn] == "nqn.x")
  }

  @Test("the fields have nvme-cli's names and forms")
  func controllerWords() {
    var data = IdentifyController()
    data[.vendorID] = 0x15b7
    data[.organization] = 0x123456
    data[.modelNumber] = "Linux-pci-epf"
    let words = Dictionary(data.fields.map { ($0.name, $0.value) }) { first, _ in first }
    #expect(words["vid"] == "0x15b7")
    #expect(words["oacs"] == "0")
    #expect(words["ieee"] == "123456")
    #expect(words["mn"] == "Linux-pci-epf" + String(repeating: " ", count: 27))
    #expect(words["tnvmcap"] == "0")
    #expect(words["fguid"] == "00000000-0000-0000-0000-000000000000")
    #expect(words.count == data.fields.count)
  }

  @Test(
    "the fields of a structure follow each other",
    arguments: [
      IdentifyController.layout.map { ($0.offset, $0.count) },
      IdentifyNamespace.layout.map { ($0.offset, $0.count) },
    ])
  func layout(fields: [(Int, Int)]) {
    var next = 0
    for (offset, count) in fields {
      #expect(offset >= next)
      next = offset + count
    }
    #expect(next <= 4096)
  }

  @Test("a namespace names the format in use")
  func namespaceFormats() {
    var data = IdentifyNamespace()
    data[.size] = 0x1000
    data[.formats] = 1
    data[.formattedSize] = 1
    data[format: 0] = .init(blockShift: 9)
    data[format: 1] = .init(metadata: 8, blockShift: 12, performance: 2)
    #expect(Array(data.bytes[132..<136]) == [8, 0, 12, 2])
    #expect(data.formatInUse == 1)
    let last = data.fieldsAndFormats.suffix(2)
    #expect(last.map(\.name) == ["lbaf  0", "lbaf  1"])
    #expect(last.map(\.value) == ["ms:0   lbads:9  rp:0", "ms:8   lbads:12 rp:0x2 (in use)"])
  }

  @Test("too few bytes are not a structure")
  func short() {
    #expect(IdentifyNamespace(bytes: [UInt8](repeating: 0, count: 4095)) == nil)
    #expect(IdentifyNamespace(bytes: [UInt8](repeating: 0, count: 5000))?.bytes.count == 4096)
  }

  @Test("descriptors round-trip through their list; unknown and truncated ones are ignored")
  func descriptors() {
    let uuid = (0..<16).map { UInt8($0) }
    let list: [NamespaceDescriptor] = [.uuid(uuid), .nguid(uuid), .commandSet(.nvm)]
    let bytes = NamespaceDescriptor.encode(list)
    #expect(Array(bytes.prefix(6)) == [3, 16, 0, 0, 0, 1])
    #expect(NamespaceDescriptor.decode(bytes + [UInt8](repeating: 0, count: 40)) == list)
    #expect(NamespaceDescriptor.decode([9, 2, 0, 0, 1, 1, 4, 1, 0, 0, 0]) == [.commandSet(.nvm)])
    #expect(NamespaceDescriptor.decode([3, 16, 0, 0, 1]) == [])
  }

  @Test("codes have names, unknown ones their number")
  func codes() {
    #expect("\(AdminOpcode.identify)" == "Identify")
    #expect("\(NVMOpcode(rawValue: 0x99))" == "0x99")
    #expect("\(LogPageID.health)" == "SMART / Health Information")
    #expect("\(FeatureID.numberOfQueues)" == "Number of Queues")
  }
}
