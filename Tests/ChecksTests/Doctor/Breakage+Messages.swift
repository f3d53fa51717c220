// SPDX-License-Identifier: Apache-2.0
import Doctor
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

extension Breakage {
  private static let node = FilePath(
    "/sys/class/pci_epc/\(Patient.controller)/device/of_node/compatible")
  private static let driver = "nvmet_pci_epf nvmet_pci_epf.0: "

  /// Messages of the board's kernel, also of later releases.
  static let messages: [Breakage] = [
    Breakage("CMA was exhausted when the function was linked", .cmaExhausted) {
      $0.kernel.tell(
        .error, "cma: __cma_alloc: reserved: alloc failed, req-size: 256 pages, ret: -12")
      $0.kernel.tell(.error, "rockchip-dw-pcie a40000000.pcie-ep: failed to allocate mem space")
    },
    Breakage("CMA was exhausted for a device that is not the endpoint") { patient in
      try patient.work()
      patient.kernel.tell(
        .error, "cma: cma_alloc: reserved: alloc failed, req-size: 64 pages, ret: -12")
    },
    Breakage("the same, of a kernel with another prefix", .cmaExhausted) {
      $0.kernel.tell(
        .error, "cma: cma_alloc: linux,cma: alloc failed, req-size: 256 pages, ret: -16")
      $0.kernel.tell(.error, "pci_epf: failed to allocate mem space")
    },
    Breakage("CMA was exhausted, and a later attempt succeeded") { patient in
      patient.kernel.tell(
        .error, "cma: __cma_alloc: reserved: alloc failed, req-size: 256 pages, ret: -12")
      try patient.work()
    },
    Breakage("CMA will be exhausted when a function is linked", .cmaLow) {
      $0.falsify = { files in
        files.add(node, "rockchip,rk3588-pcie-ep\0")
        files.add("/proc/meminfo", "MemTotal: 8000000 kB\nCmaTotal:  16384 kB\nCmaFree:  780 kB\n")
      }
    },
    Breakage("enough CMA") {
      $0.falsify = { files in
        files.add(node, "rockchip,rk3588-pcie-ep\0")
        files.add("/proc/meminfo", "CmaTotal:  16384 kB\nCmaFree:  1024 kB\n")
      }
    },
    Breakage("no CMA at all, so that memory comes from elsewhere") {
      $0.falsify = { files in
        files.add(node, "rockchip,rk3588-pcie-ep\0")
        files.add("/proc/meminfo", "CmaTotal:  0 kB\nCmaFree:  0 kB\n")
      }
    },
    Breakage("little CMA on a controller whose BAR 0 is small") {
      $0.falsify = { files in
        files.add(node, "rockchip,rk3399-pcie-ep\0")
        files.add("/proc/meminfo", "CmaTotal:  16384 kB\nCmaFree:  780 kB\n")
      }
    },
    Breakage("little CMA after a function was linked") { patient in
      try patient.work()
      patient.falsify = { files in
        files.add(node, "rockchip,rk3588-pcie-ep\0")
        files.add("/proc/meminfo", "CmaTotal:  16384 kB\nCmaFree:  780 kB\n")
      }
    },
    Breakage("the DMA engine has failed", .dmaFailed) { patient in
      try patient.work()
      patient.kernel.tell(.error, driver + "DMA transfer failed")
    },
    Breakage("the DMA engine of the controller has failed", .dmaFailed) { patient in
      try patient.work()
      patient.kernel.tell(.error, "rockchip-dw-pcie a40000000.pcie-ep: DMA transfer timeout")
    },
    Breakage("the DMA engine of the other driver has failed", on: .linux6_12, .dmaFailed) {
      patient in
      try patient.work()
      patient.kernel.tell(.error, "pci_epf_nvme pci_epf_nvme.0: DMA transfer timeout")
    },
    Breakage("transfers of other devices have failed") { patient in
      try patient.work()
      for text in [
        "spi_master spi0: DMA transfer failed",
        "rockchip-i2s-tdm fe470000.i2s: DMA transfer timeout",
        "mmc_host mmc0: DMA transfer failed", "stm32-spi 44004000.spi: Failed to do DMA submit",
        "ti-qspi 4b300000.spi: DMA submit failed", "some-ep 1.ep: Failed to raise IRQ",
      ] {
        patient.kernel.tell(.error, text)
      }
    },
    Breakage("an interrupt could not be raised", .interruptFailed) { patient in
      try patient.work()
      patient.kernel.tell(.error, driver + "CQ[1]: Failed to raise IRQ (err=-22)")
    },
    Breakage("an interrupt could not be raised, before 6.16", .interruptFailed) { patient in
      try patient.work()
      patient.kernel.tell(.error, driver + "Failed to raise IRQ (err=-22)")
    },
    Breakage("the class code is fixed in the bitstream", .classFixed) {
      $0.kernel.tell(
        .warning, "xilinx-ep a0000000.pcie-ep: Cannot set class-code 0x010802, must be set in IP")
    },
    Breakage("a controller without features", .featuresMissing) {
      $0.kernel.tell(.error, driver + "epc_features not implemented")
    },
    Breakage("an SError in the controller's registers", .systemError) {
      $0.kernel.tell(.error, "SError Interrupt on CPU4, code 0x00000000be000011 -- SError")
      $0.kernel.tell(.error, "pc : dw_pcie_ep_inbound_atu+0x54/0x110")
    },
    Breakage("an SError elsewhere") {
      $0.kernel.tell(.error, "SError Interrupt on CPU4, code 0x00000000be000011 -- SError")
      $0.kernel.tell(.error, "pc : rk_gpu_power_off+0x54/0x110")
    },
    Breakage("an SError that restarted the board", .systemError) {
      $0.falsify = { files in
        files.add(
          "/sys/fs/pstore/dmesg-ramoops-0",
          """
          Panic#1 Part1
          <2>[  101.654321] SError Interrupt on CPU4, code 0x00000000be000011 -- SError
          <2>[  101.654329] pc : dw_edma_device_transfer+0x54/0x110
          """)
      }
    },
    Breakage("an SError, and the step of epfnvme", .systemError, .journalUnfinished) { patient in
      try patient.cutOff(boot: "00000000-0000-0000-0000-000000000000")
      patient.falsify = { files in
        files.add(
          "/sys/fs/pstore/dmesg-ramoops-0",
          "SError Interrupt on CPU4\npc : dw_edma_device_transfer+0x54/0x110\n")
      }
    },
  ]
}

extension Patient {
  /// The journal of a setup that ended while it linked the function, in another boot of the machine.
  func cutOff(boot: String) throws {
    try work()
    let lines = try #require(simulated.journal(name)).split(separator: "\n").map(String.init)
    let place = try #require(
      lines.firstIndex { $0.contains("\"do\"") && $0.contains("/controllers/") })
    let header = "{\"epfnvme\":1,\"name\":\"\(name)\",\"boot\":\"\(boot)\"}"
    let step = lines[place].replacing(",\"done\":true", with: "")
    journals = [name: ([header] + lines[1..<place] + [step]).joined(separator: "\n") + "\n"]
  }
}
