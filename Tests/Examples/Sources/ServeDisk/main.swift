// SPDX-License-Identifier: Apache-2.0
//
// Serves the disk of a profile, in memory, at a socket for QEMU's `vfio-user-pci`: ServeDisk SOCKET. Without an argument it is its own client,
// which reads the PCI IDs, and ends.
import EndpointProvisioning
import Foundation
import NVMeEmulation

let text = """
  {
    "version": 1,
    "name": "example",
    "backings": { "disk": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
    "subsystems": [
      { "nqn": "nqn.2026-01.org.example:disk", "namespaces": [{ "id": 1, "backing": "disk" }] }
    ],
    "functions": [
      { "name": "nvme.0", "vendorID": "0x15b7", "deviceID": "0x5fff", "msixVectors": 8,
        "target": { "loop": "nqn.2026-01.org.example:disk" } }
    ]
  }
  """

/// The link follows the client: a host is switched on, and off.
final class Link: ServerObserver {
  private let function: NVMeFunction

  init(_ function: NVMeFunction) { self.function = function }

  func clientConnected() { function.linkUp() }
  func clientLeft(_ reason: String?) { function.linkDown() }

  /// Prints the driver's messages, which the function keeps until they are taken.
  func worked() {
    for line in function.takeKernelLog() { print(line.text) }
    _ = function.takeEvents()
  }

  var nanosecondsToReport: UInt64? { nil }
}

/// Serves until the descriptor is readable. The function, its memory and the server belong to the calling thread.
@Sendable func serve(at path: String, until stop: Int32, _ isReady: DispatchSemaphore) {
  defer { isReady.signal() }
  do throws(any Error) {
    // 1. The simulated kernel binds the function that the profile describes.
    let kernel = SimulatedKernel(.linux7_2)
    let profile = try Profile.decode(Array(text.utf8))
    let run = RunDirectory("/tmp/epfnvme-served-example")
    _ = try Provisioner(.simulated(kernel), run: run).setUp(profile, force: false) { _ in }
    defer { try? FileManager.default.removeItem(atPath: "/tmp/epfnvme-served-example") }
    guard let bound = kernel.controllers.keys.sorted().first else {
      return print("nothing is bound")
    }

    // 2. The device of that function for another host, with memory for its namespace; `.file(try FileStore(path: backing.path))` uses its
    // file or device. QEMU keeps the MSI-X table; its command line is that of `epfnvme serve --print-qemu`.
    let memory = HostMemory()
    let function = kernel.makeDevice(of: bound, memory: memory, tableKeeper: .monitor) { backing in
      .memory(MemoryStore(count: Int(backing.size)))
    }
    guard let function else { return print("the driver has failed") }
    function.runInRealTime()

    // 3. The server.
    let server = Server(function, memory: memory, at: try Listener(path: path))
    isReady.signal()
    server.run(until: stop, observer: Link(function))
  } catch {
    print("cannot serve: \(error)")
  }
}

let stop = Pipe()
let isReady = DispatchSemaphore(value: 0)
if CommandLine.arguments.count > 1 {
  serve(at: CommandLine.arguments[1], until: stop.fileHandleForReading.fileDescriptor, isReady)
} else {
  // Only the owner may connect, so that the directory has to be private.
  let directory = NSTemporaryDirectory() + "epfnvme-example-\(getpid())"
  try FileManager.default.createDirectory(
    atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
  defer { try? FileManager.default.removeItem(atPath: directory) }
  let path = directory + "/disk.sock"
  let descriptor = stop.fileHandleForReading.fileDescriptor
  let thread = Thread { serve(at: path, until: descriptor, isReady) }
  thread.stackSize = 8 << 20
  thread.start()
  isReady.wait()
  let client = try Client(connectingTo: path, memory: HostMemory())
  // Region 7 is the configuration space.
  let ids = try client.read(region: 7, offset: 0, count: 4)
  print("the client sees \(ids.map { String($0, radix: 16) })")
  guard ids == [0xb7, 0x15, 0xff, 0x5f] else { exit(1) }
  try stop.fileHandleForWriting.write(contentsOf: Data([0]))
  isReady.wait()
}
