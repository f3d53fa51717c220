// SPDX-License-Identifier: Apache-2.0
import HostTools
import Provisioning
import SystemPackage
import TestSupport
import Testing

@Suite("The disk on its host's bus")
struct HostBusTests {
  private static let ours = DiskIDs(vendorID: 0x15b7, deviceID: 0x5fff)
  private static let name = "0000:01:00.0"
  private static let other = "0000:02:00.0"

  /// The disk of a board, an SSD with the same maker, a card with our ids that is no NVMe controller.
  private static let controllers: [FakeHostMachine.Controller] = [
    .init(name: name, driver: "nvme", number: 1),
    .init(name: other, device: "0x5006", driver: "nvme", number: 0),
    .init(name: "0000:03:00.0", classCode: "0x020000"),
  ]

  private func failure(_ body: () throws -> Void) throws -> HostViewError {
    let error = #expect(throws: HostViewError.self) { try body() }
    return try #require(error)
  }

  @Test("a disk is found by class and ids")
  func find() throws {
    let bus = try FakeHostMachine(Self.controllers).bus
    #expect(try bus.functions() == [Self.name, Self.other])
    #expect(try bus.functions([Self.ours]) == [Self.name])
    #expect(try bus.functions([DiskIDs(vendorID: 1, deviceID: 2)]).isEmpty)
    #expect(try HostBus(HostMachine(sysfs: "/nonexistent")).functions().isEmpty)
  }

  @Test("IDs that are not numbers match no disk")
  func foreign() throws {
    let fake = try FakeHostMachine([
      .init(name: Self.name, vendor: "junk"), .init(name: Self.other, device: "0x15fff"),
    ])
    #expect(try fake.bus.functions([Self.ours]).isEmpty)
    #expect(try fake.bus.functions().count == 2)
  }

  @Test("a disk has IDs, driver, controller, state and namespaces")
  func description() throws {
    let fake = try FakeHostMachine(Self.controllers)
    let disk = try HostDisk(fake.bus.device(Self.name), wanted: [Self.ours])
    #expect(disk.ids == Self.ours)
    #expect(disk.ids.text == "15b7:5fff")
    #expect(disk.driver == "nvme")
    #expect(disk.controller == "nvme1")
    #expect(disk.state == "live")
    #expect(disk.namespaces == [.init(path: fake.at("dev/nvme1n1"), sizeBytes: 1 << 20)])
    #expect(disk.users.isEmpty)
    #expect(disk.isWanted == true)
    #expect(try HostDisk(fake.bus.device(Self.other), wanted: [Self.ours]).isWanted == false)
    #expect(try HostDisk(fake.bus.device(Self.other), wanted: nil).isWanted == nil)

    let schema = try PublishedSchema.output()
    for name in [Self.name, Self.other] {
      let disk = try HostDisk(fake.bus.device(name), wanted: nil)
      #expect(schema.violations(.array([disk.json]), as: "host-find") == [])
    }
    #expect(schema.properties(of: "host-find").subtracting(schema.seen) == [])
  }

  @Test("the driver's node identifies the function; a namespace and a missing node do not")
  func nodes() throws {
    let bus = try FakeHostMachine(Self.controllers).bus
    #expect(try bus.device("/dev/nvme1").name == Self.name)
    for name in ["/dev/nvme1n1", "/dev/nvme7", "/dev/nvme../x", "0000:09:00.0"] {
      let error = try failure { _ = try bus.device(name) }
      guard case .unavailable(_, _, let errno, _) = error else {
        Issue.record("\(error)")
        continue
      }
      #expect(errno == .noSuchFileOrDirectory)
    }
  }

  @Test("a disk whose hardware has another class code is found by its IDs, if no other has them")
  func otherClass() throws {
    let query = DiskQuery(Self.ours)
    let fixed = FakeHostMachine.Controller(name: "0000:03:00.0", classCode: "0x058000")
    #expect(try FakeHostMachine([fixed]).bus.device("auto", with: query).name == fixed.name)
    let both = try FakeHostMachine([fixed, .init(name: Self.name, driver: "nvme")])
    #expect(try both.bus.device("auto", with: query).name == Self.name)
  }

  @Test("a rescan finds new disks, on one bus or on all")
  func rescan() throws {
    let fake = try FakeHostMachine([], hidden: [.init(name: Self.name, driver: "nvme")])
    #expect(!fake.bus.isUsable([Self.ours]))
    try fake.bus.rescan()
    #expect(fake.bus.isUsable([Self.ours]))
    #expect(!fake.bus.isUsable([DiskIDs(vendorID: 1, deviceID: 2)]))
    try fake.write("", to: "sys/class/pci_bus/0000:01/rescan")
    try fake.bus.rescan("0000:01")
    #expect(fake.writes == ["1 > sys/bus/pci/rescan", "1 > sys/class/pci_bus/0000:01/rescan"])
  }

  @Test(
    "an invalid bus is refused before it becomes a path",
    arguments: ["", "..", "1", "0000:01/..", "0000:01:00"])
  func noBus(bus: String) throws {
    let fake = try FakeHostMachine([])
    guard case .failed = try failure({ try fake.bus.rescan(bus) }) else {
      Issue.record("not refused")
      return
    }
    #expect(fake.writes.isEmpty)
  }

  @Test("a missing bus is distinguished from one without permission to scan")
  func missingBus() throws {
    let fake = try FakeHostMachine([])
    guard
      case .unavailable(_, let path, .noSuchFileOrDirectory, _) = try failure({
        try fake.bus.rescan("0000:09")
      })
    else {
      Issue.record("no such bus")
      return
    }
    #expect(path.hasSuffix("sys/class/pci_bus/0000:09/rescan"))
  }

  @Test("rebind unbinds the disk from its driver and binds it again")
  func rebind() throws {
    let fake = try FakeHostMachine(Self.controllers)
    let device = try fake.bus.device(Self.name)
    try device.rebind(force: false)
    #expect(
      fake.writes == [
        "\(Self.name) > sys/bus/pci/drivers/nvme/unbind",
        "\(Self.name) > sys/bus/pci/drivers/nvme/bind",
      ])
    #expect(device.isUsable)
  }

  @Test("a disk without a driver is only bound")
  func unbound() throws {
    let fake = try FakeHostMachine([.init(name: Self.name)])
    let device = try fake.bus.device(Self.name)
    #expect(!device.isUsable)
    try device.rebind(force: false)
    #expect(fake.writes == ["\(Self.name) > sys/bus/pci/drivers/nvme/bind"])
    #expect(device.isUsable)
  }

  @Test(
    "another driver keeps the disk unless forced, and is bound again when the nvme driver refuses")
  func otherDriver() throws {
    let fake = try FakeHostMachine(
      [.init(name: Self.name, driver: "vfio-pci")], refusing: [Self.name])
    let device = try fake.bus.device(Self.name)
    guard case .inUse(_, _, let users, _) = try failure({ try device.rebind(force: false) }) else {
      Issue.record("not refused")
      return
    }
    #expect(users == ["it is bound to the driver vfio-pci"])
    #expect(fake.writes.isEmpty)
    _ = try failure { try device.rebind(force: true) }
    #expect(device.driver == "vfio-pci")
  }

  @Test("without the nvme driver in the kernel the disk stays bound")
  func noDriver() throws {
    let fake = try FakeHostMachine([.init(name: Self.name, driver: "vfio-pci")])
    try fake.removeDriver()
    let device = try fake.bus.device(Self.name)
    guard
      case .unavailable(_, _, .noSuchFileOrDirectory, let hint) = try failure({
        try device.rebind(force: true)
      })
    else {
      Issue.record("not refused")
      return
    }
    #expect(hint.contains("modprobe nvme"))
    #expect(fake.writes.isEmpty)
    #expect(device.driver == "vfio-pci")
  }

  @Test("remove removes the function from the bus")
  func remove() throws {
    let fake = try FakeHostMachine(Self.controllers)
    try fake.bus.device(Self.name).remove(force: false)
    #expect(fake.writes == ["1 > sys/bus/pci/devices/\(Self.name)/remove"])
    #expect(try fake.bus.functions() == [Self.other])
  }

  struct Use: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var users: [String]
    var prepare: @Sendable (FakeHostMachine) throws -> Void
  }

  private static let uses: [Use] = [
    Use(testDescription: "mounted", users: ["nvme1n1 is mounted on /srv"]) {
      try $0.write("36 35 259:1 / /srv rw - ext4 /dev/root rw\n", to: "proc/self/mountinfo")
    },
    Use(testDescription: "a partition mounted", users: ["nvme1n1p1 is mounted on /a b"]) {
      try $0.write("36 35 259:11 / /a\\040b rw - ext4 x rw\n", to: "proc/self/mountinfo")
    },
    Use(testDescription: "a file system of several devices", users: ["nvme1n1 is mounted on /m"]) {
      try $0.write(
        "36 35 0:44 / /m rw - btrfs \($0.at("dev/nvme1n1")) rw\n", to: "proc/self/mountinfo")
    },
    Use(testDescription: "swap", users: ["nvme1n1p1 is swap"]) {
      try $0.write(
        "Filename Type Size\n\($0.at("dev/nvme1n1p1")) partition 9 0 -2\n", to: "proc/swaps")
    },
    Use(testDescription: "device mapper", users: ["nvme1n1 is part of dm-0"]) {
      try $0.make("sys/class/block/nvme1n1/holders/dm-0")
    },
    Use(testDescription: "RAID", users: ["nvme1n1p1 is part of md0"]) {
      try $0.make("sys/class/block/nvme1n1/nvme1n1p1/holders/md0")
    },
  ]

  @Test("a disk in use is refused with its users, unless forced", arguments: uses)
  func inUse(_ use: Use) throws {
    let fake = try FakeHostMachine(Self.controllers)
    try use.prepare(fake)
    let device = try fake.bus.device(Self.name)
    let users = device.users.map { $0.replacing(fake.at("dev/"), with: "") }
    #expect(users == use.users)
    for action in [device.rebind, device.remove] {
      guard case .inUse(_, Self.name, let users, let hint) = try failure({ try action(false) })
      else {
        Issue.record("not refused")
        continue
      }
      #expect(users == device.users)
      #expect(hint.contains("--force"))
    }
    #expect(fake.writes.isEmpty)
    #expect(try HostDisk(fake.bus.device(Self.other), wanted: nil).users.isEmpty)
    try device.remove(force: true)
    #expect(fake.writes.count == 1)
  }
}
