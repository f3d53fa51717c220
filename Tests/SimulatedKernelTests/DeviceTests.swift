// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import HostDriver
import PCI
import SimulatedKernel
import SystemPackage
import NVMeEmulation
import Testing

/// A bound function is a device that a host can drive; kernel and device see one another's doings.
@Suite struct DeviceTests {
  private static let controller = "a40000000.pcie-ep"

  private func bound(_ kernelRelease: SimulatedKernel.Release) throws -> SimulatedKernel {
    let kernel = SimulatedKernel(kernelRelease)
    if kernelRelease == .linux7_2 {
      try kernel.makeFunction()
    } else {
      try kernel.makePCIEPFNVMeFunction()
    }
    try kernel.bind()
    kernel.host(.linkUp, at: Self.controller)
    return kernel
  }

  private func path(_ kernel: SimulatedKernel) -> String {
    kernel.kernelRelease == .linux7_2 ? Names.function : Names.pciEPFNVMeFunction
  }

  private static func host(_ device: SimulatedKernel.Device) -> LinuxHost {
    LinuxHost(device.function, memory: device.memory, clock: DeviceClock(device.function))
  }

  @Test(
    "a host probes the function, verifies I/O and shuts down; the driver's messages are in the kernel log",
    arguments: SimulatedKernel.Release.allCases)
  func life(_ kernelRelease: SimulatedKernel.Release) throws {
    let kernel = try bound(kernelRelease)
    let before = kernel.now
    let lines = try kernel.logged { kernel in
      let bytes = try kernel.withDevice(of: path(kernel)) { device in
        let host = Self.host(device)
        let found = try host.probe()
        let bytes = try host.verify(try #require(found.namespaces.first), transfers: 16)
        try host.shutDown()
        return bytes
      }
      #expect(bytes == 16 * 4096)
    }
    let name = kernelRelease.functionDriver
    let end = kernelRelease == .linux7_2 ? "Shutting down controller" : "Disabling controller"
    #expect(lines == ["Enabling controller", end].map { "\(name) \(name).0: \($0)" })
    #expect(kernel.now > before, "time passes for the kernel, too")
  }

  @Test(
    "while a host has the controller enabled the attributes of pci_epf_nvme are busy, and free afterwards"
  )
  func busy() throws {
    let kernel = try bound(.linux6_12)
    let attribute = Names.pciEPFNVMeFunction + "/nvme/dma_enable"
    _ = try kernel.withDevice(of: path(kernel)) { _ = try Self.host($0).probe() }
    #expect(kernel.controllers[Names.pciEPFNVMeFunction]?.isEnabled == true)
    #expect(kernel.errno { try $0.put("0", attribute) } == .resourceBusy)
    let lines = try kernel.logged { try $0.unlink(Names.controller + "/f0") }
    #expect(lines.map { $0.suffix(19) } == ["Deleting controller", "isabling controller"])
    #expect(kernel.errno { try $0.put("0", attribute) } == nil)
  }

  @Test(
    "MQES is that of the port, in its range",
    arguments: SimulatedKernel.Release.allCases, [(-1, 1024), (1, 16), (64, 64), (5000, 1024)])
  func queueSize(_ kernelRelease: SimulatedKernel.Release, _ size: (given: Int, taken: Int)) throws
  {
    let kernel = SimulatedKernel(kernelRelease)
    if kernelRelease == .linux7_2 {
      try kernel.makeFunction()
    } else {
      try kernel.makePCIEPFNVMeFunction()
    }
    let link = Names.port + "/subsystems/nq"
    try kernel.unlink(link)
    try kernel.put("\(size.given)", Names.port + "/param_max_queue_size")
    try kernel.link(link, Names.subsystem)
    try kernel.bind()
    kernel.host(.linkUp, at: Self.controller)
    let found = try kernel.withDevice(of: path(kernel)) { try Self.host($0).probe() }
    #expect(found?.capabilities[.maximumQueueEntries] == UInt16(size.taken - 1))
    #expect(found?.identifyController[.maximumCommands] == UInt16(size.taken))
  }

  @Test("Identify Controller fixes the subsystem's identity")
  func identity() throws {
    let kernel = try bound(.linux7_2)
    let model = Names.subsystem + "/attr_model"
    #expect(kernel.errno { try $0.put("before", model) } == nil)
    _ = try kernel.withDevice(of: path(kernel)) { _ = try Self.host($0).probe() }
    #expect(kernel.errno { try $0.put("after", model) } == .invalidArgument)
  }

  @Test("data written by a host is available to the next one, after unlink and bind")
  func data() throws {
    let kernel = try bound(.linux7_2)
    let pattern: [UInt8] = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    _ = try kernel.withDevice(of: path(kernel)) { device in
      let host = Self.host(device)
      let space = try #require(try host.probe().namespaces.first)
      try host.write(pattern, to: space, firstBlock: 8)
      try host.shutDown()
    }
    try kernel.unlink(Names.controller + "/f0")
    try kernel.bind()
    kernel.host(.linkUp, at: Self.controller)
    let read = try kernel.withDevice(of: path(kernel)) { device in
      let host = Self.host(device)
      let space = try #require(try host.probe().namespaces.first)
      return try host.read(space, firstBlock: 8)
    }
    #expect(read == pattern)
  }

  @Test("a host finds and loses a namespace that the board enables and disables")
  func namespaces() throws {
    let kernel = try bound(.linux7_2)
    let space = Names.subsystem + "/namespaces/7"
    try kernel.make(space)
    try kernel.put("/dev/nvme0n1", space + "/device_path")
    let before = try kernel.withDevice(of: path(kernel)) {
      try Self.host($0).probe().namespaces.map(\.id)
    }
    try kernel.put("1", space + "/enable")
    let during = try kernel.withDevice(of: path(kernel)) {
      try Self.host($0).probe().namespaces.map(\.id)
    }
    try kernel.put("0", space + "/enable")
    let after = try kernel.withDevice(of: path(kernel)) {
      try Self.host($0).probe().namespaces.map(\.id)
    }
    #expect(during == (before ?? []) + [7])
    #expect(after == before)
  }

  @Test("a function that is not bound, or whose driver has failed, has no device")
  func none() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.makeFunction()
    #expect(kernel.withDevice(of: Names.function) { _ in true } == nil)
    // Without its port the driver fails in epc_init, but the link exists.
    try kernel.put("2\n", Names.function + "/nvme/portid")
    try kernel.bind()
    #expect(kernel.withDevice(of: Names.function) { _ in true } == nil)
  }

  @Test("a copy of the kernel has a separate device in the same state")
  func copies() throws {
    let kernel = try bound(.linux6_12)
    kernel.host(.enable, at: Self.controller)
    let copy = kernel.copy()
    kernel.host(.disable, at: Self.controller)
    #expect(copy.controllers[Names.pciEPFNVMeFunction]?.isEnabled == true)
    let isEnabled = copy.withDevice(of: Names.pciEPFNVMeFunction) { $0.function.isEnabled }
    #expect(isEnabled == true)
    #expect(kernel.withDevice(of: Names.pciEPFNVMeFunction) { $0.function.isEnabled } == false)
    #expect(copy.logLines.filter { $0.hasSuffix("Enabling controller") }.count == 1)
  }
}
