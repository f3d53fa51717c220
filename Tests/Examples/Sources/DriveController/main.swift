// SPDX-License-Identifier: Apache-2.0
//
// Drives the emulated controller of nvmet_pci_epf in process, as the Linux NVMe driver does.
import NVMeEmulation

var model = ControllerModel(.nvmetPCIEPF)
model.vendorID = 0x15b7
model.modelNumber = "Example"
model.namespaces = [Namespace(id: 1, backend: .memory(MemoryStore(count: 64 << 20)))]

let memory = HostMemory(count: 16 << 20)
let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
function.linkUp()

let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
let found = try host.probe()
print("\(found.namespaces.count) namespace of \(found.namespaces[0].blocks) blocks")
let bytes = try host.verify(found.namespaces[0], transfers: 64)
print("\(bytes) bytes written, read and compared")
try host.shutDown()
for line in function.takeKernelLog() { print("nvmet_pci_epf nvmet_pci_epf.0: \(line.text)") }
