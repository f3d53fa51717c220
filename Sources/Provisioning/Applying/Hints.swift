// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What to do next, for the failures that the fact sheets know.
enum Hints {
  static func hint(for operation: Operation, _ errno: Errno?) -> String {
    guard let errno else { return general }
    let path = FilePath(operation.path)
    let name = path.lastComponent?.string ?? ""
    switch (operation, errno) {
    case (_, .permissionDenied) where operation.path.contains("/ports/"):
      return "an nvmet port takes changes only while no subsystem is linked into it"
    case (.write, .permissionDenied), (.createDirectory, .permissionDenied), (_, .notPermitted):
      return "run as root; if you are, the kernel does not allow this here"
    case (.write, .resourceBusy) where operation.path.contains("/namespaces/"):
      return "the namespace is enabled; disable it, change the value, enable it again"
    case (.write, .resourceBusy) where operation.path.contains("/nullb/"):
      return "the device is powered on; power it off, change the value, power it on again"
    case (.write, .resourceBusy):
      return "a controller holds this value; unlink the function first"
    case (.write, .invalidArgument) where name == "start":
      return "the endpoint controller's driver could not start the link; see the kernel's lines"
    case (.write, .invalidArgument)
    where ["attr_model", "attr_serial", "attr_firmware", "attr_ieee_oui", "attr_version"].contains(
      name):
      return "a host has already identified this subsystem; tear it down and set it up again"
    case (.write, .invalidArgument) where name == "enable":
      return
        "nvmet could not use the backing: a file system without O_DIRECT needs \"bufferedIO\": true"
    case (.write, .noSuchFileOrDirectory) where name == "enable":
      return "the backing is not there; see device_path"
    case (.write, .alreadyInProcess) where name == "start":
      return "someone else started or stopped this controller meanwhile"
    case (.write, .noSuchFileOrDirectory):
      return "this kernel has no such attribute; leave the key out of the profile"
    case (.link, .resourceBusy): return "the function is already bound to a controller"
    case (.link, .invalidArgument) where operation.path.contains("/ports/"):
      return "the transport of the port is missing or refused its address"
    case (.link, .invalidArgument):
      return "the driver refused the function: too many functions, or options that do not fit"
    case (.link, .notSupported): return "the endpoint controller's driver announces no features"
    case (.link, .operationNotSupportedByDevice), (.link, .noMemory):
      return "the controller's BAR 0 cannot hold the NVMe registers"
    case (.link, .ioError): return "the NVMe target refused the connection; see the kernel's lines"
    case (.link, .alreadyInProcess):
      return "an earlier connection to this target is still up: nvme disconnect -n NQN"
    case (.link, .connectionRefused): return "nothing listens at the target's address"
    case (.createDirectory, .fileExists): return "someone else made it meanwhile; run again"
    case (.removeDirectory, .directoryNotEmpty):
      return "someone else put something in it; remove that, then run teardown again"
    case (.removeDirectory, .resourceBusy):
      return "something links to it; remove that link, then run teardown again"
    case (.attachLoop, .resourceBusy): return "every loop device is in use"
    case (_, .noSpace): return "free some space, then run again"
    default: return general
    }
  }

  private static let general =
    "the kernel gave no other reason than this and the lines above, if any; dmesg may have more"

  static func hint(forControllerLines lines: [String]) -> String {
    func has(_ text: String) -> Bool { lines.contains { $0.contains(text) } }
    if has("Port not found") { return "the nvmet port with the function's portid is not enabled" }
    if has("not allowed") { return "the subsystem needs attr_allow_any_host = 1" }
    if has("Invalid maximum number of queues") { return "two interrupt vectors are the least" }
    if has("MSI-X") {
      return "the controller refused the number of MSI-X vectors; try msixVectors 0 and msiVectors"
    }
    if has("MSI") { return "the controller refused the number of MSI vectors" }
    if has("BAR 0") { return "the controller could not map BAR 0" }
    if has("configuration header") { return "the controller refused the configuration header" }
    return "the kernel's lines say why; everything has been undone"
  }
}
