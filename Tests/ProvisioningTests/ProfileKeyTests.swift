// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The keys that the schema declares as properties of the profile's objects.
@Suite struct ProfileKeyTests {
  static let objects: [(name: String, rows: [SchemaRow])] = [
    ("nullBlock", Profile.NullBlock.schemaRows), ("file", Profile.File.schemaRows),
    ("loopDevice", Profile.LoopDevice.schemaRows), ("subsystem", Profile.Subsystem.schemaRows),
    ("namespace", Profile.Namespace.schemaRows), ("port", Profile.Port.schemaRows),
    ("function", Profile.Function.schemaRows), ("tcpTarget", Profile.TCPTarget.schemaRows),
    ("controllerFeatures", Profile.ControllerFeatures.schemaRows),
  ]

  @Test("every declared key is a row of its object", arguments: objects.map(\.name))
  func rows(_ name: String) throws {
    let declared = try #require(Self.objects.first { $0.name == name }?.rows)
    let object = try #require(ProfileSchema.object(name))
    #expect(!declared.isEmpty)
    #expect(declared.allSatisfy { row in object.rows.contains { $0.key == row.key } })
    let wanted = object.rows.filter(\.isSetting).count
    // The file of a loop device has its keys there, too.
    #expect(declared.count == (name == "loopDevice" ? wanted - 2 : wanted))
  }

  @Test("a key is a property: nil or the default until it is set")
  func property() {
    var device = Profile.NullBlock()
    #expect(device.sizeMiB == nil)
    device.sizeMiB = 64
    device.memoryBacked = true
    #expect(device.sizeMiB == 64 && device.memoryBacked == true)
    device.sizeMiB = nil
    #expect(device.sizeMiB == nil)

    var function = Profile.Function(
      name: "f", vendorID: 1, deviceID: 2, target: .local(nqn: "n", spelled: .pci))
    #expect(function.start && function.classCode == 0x01_0802 && function.controller == "auto")
    function.classCode = 0x01_0803
    #expect(function.classCode == 0x01_0803)
  }

  @Test("a key with its default equals a key that is not set")
  func explicitDefault() throws {
    var file = Profile.File(path: "/srv/a.img")
    file.create = false
    #expect(file == Profile.File(path: "/srv/a.img"))
    let texts = [
      #"{ "file": { "path": "/srv/a.img" } }"#,
      #"{ "file": { "path": "/srv/a.img", "create": false } }"#,
    ]
    let profiles = try texts.map {
      try profile(#"{ "version": 1, "name": "p", "backings": { "a": \#($0) } }"#).profile
    }
    #expect(profiles[0] == profiles[1])
    #expect(profiles[1].json == profiles[0].json)
  }

  /// Keys of null_blk whose value is the text of their attribute, with a value that is not the default.
  static let switches = Profile.NullBlock.schemaRows.filter {
    guard case .boolean = $0.kind, $0.attributes.count == 1 else { return false }
    // A device that discards or is zoned has more rules.
    return !["discard", "zoned"].contains($0.name)
  }.map(\.name)

  @Test("a switch of null_blk is written, exported and imported by its key", arguments: switches)
  func nullBlockSwitch(_ key: String) throws {
    let row = try #require(ProfileSchema.nullBlock.row(key))
    let attribute = row.attributes[0]
    let isOn = attribute.freshText == "0"
    let machine = SimulatedMachine(.linux7_2)
    let located = try profile(
      """
      { "version": 1, "name": "p",
        "backings": { "a": { "nullBlock": { "device": "disk", "\(key)": \(isOn) } } } }
      """)
    try machine.setUp(located)
    let path = FilePath("/sys/kernel/config/nullb/disk").appending(attribute.name)
    #expect(try machine.kernel.read(path) == (isOn ? "1\n" : "0\n"))
    #expect(try machine.provisioner.plan(located).steps.isEmpty)
    let exported = try machine.provisioner.export(["p"]).profile.backings.first?.store
    guard case .nullBlock(let device)? = exported else {
      Issue.record("no null_blk device is exported")
      return
    }
    #expect(device.settings[key] == .boolean(isOn))
    let plain = try profile(
      #"{ "version": 1, "name": "p", "backings": { "a": { "nullBlock": { "device": "disk" } } } }"#)
    try machine.setUp(plain, force: true)
    #expect(try machine.kernel.read(path) == (isOn ? "0\n" : "1\n"))
  }

  @Test("an attribute that has become a key is still accepted by its name")
  func formerAttribute() throws {
    let texts = [
      #"{ "sharedTagBitmap": true }"#, #"{ "attributes": { "shared_tag_bitmap": "1" } }"#,
    ]
    let profiles = try texts.map {
      try profile(#"{ "version": 1, "name": "p", "backings": { "a": { "nullBlock": \#($0) } } }"#)
        .profile
    }
    #expect(profiles[0] == profiles[1])
    #expect(throws: ProfileIssues.self) {
      try profile(
        """
        { "version": 1, "name": "p", "backings": { "a": { "nullBlock":
          { "sharedTagBitmap": true, "attributes": { "shared_tag_bitmap": "1" } } } } }
        """)
    }
  }
}
