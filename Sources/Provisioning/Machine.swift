// SPDX-License-Identifier: Apache-2.0
public import BlockDevices
public import ConfigFS
public import KernelEvents
public import KernelModules
public import SystemPackage

/// The machine that is provisioned, real or simulated: everything that an effect can reach.
public struct Machine: Sendable {
  public var configFS: any ConfigFSBackend
  public var modules: any ModuleControl
  public var log: any KernelLog
  public var clock: any EventClock
  public var storage: any BackingStore
  public var fabrics: any FabricsConnections
  public var facts: KernelFacts
  /// Whether configfs is mounted at the backend's mount point.
  public var isConfigFSMounted: @Sendable () -> Bool
  /// Mounts configfs there.
  public var mountConfigFS: @Sendable () throws(Errno) -> Void
  /// The endpoint controllers of the kernel, available without configfs (`/sys/class/pci_epc`).
  public var endpointControllers: @Sendable () -> [String]
  /// The compatibles of an endpoint controller in the device tree, most specific first; empty when there is none.
  public var compatible: @Sendable (String) -> [String] = { _ in [] }
  /// The kernel's area of contiguous memory; nil when it has none, or is not known.
  public var contiguousMemory: @Sendable () -> ContiguousMemory? = { nil }
  /// Whether an object of the kernel would have an attribute, by its path; nil when only the kernel itself can tell.
  public var hasAttribute: @Sendable (FilePath) -> Bool? = { _ in nil }
  /// A kernel configuration option without `CONFIG_`; nil when the configuration cannot be read.
  public var kernelOption: @Sendable (String) -> Bool?
  /// The name of the machine in messages: `this kernel`, `the simulated kernel`.
  public var label: String
  /// Why a socket cannot be bound to an IP address of this machine, EADDRNOTAVAIL above all; nil if it can.
  public var addressProblem: @Sendable (String) -> Errno? = { _ in nil }
  /// Instructions for a function driver (`pci_epf_nvme`) that this machine lacks; nil if unknown.
  public var hintForDriver: @Sendable (String) -> String? = { _ in nil }

  public init(
    configFS: any ConfigFSBackend, modules: any ModuleControl, log: any KernelLog,
    clock: any EventClock, storage: any BackingStore, fabrics: any FabricsConnections,
    facts: KernelFacts, label: String,
    isConfigFSMounted: @escaping @Sendable () -> Bool,
    mountConfigFS: @escaping @Sendable () throws(Errno) -> Void,
    endpointControllers: @escaping @Sendable () -> [String],
    kernelOption: @escaping @Sendable (String) -> Bool? = { _ in nil }
  ) {
    self.configFS = configFS
    self.modules = modules
    self.log = log
    self.clock = clock
    self.storage = storage
    self.fabrics = fabrics
    self.facts = facts
    self.label = label
    self.isConfigFSMounted = isConfigFSMounted
    self.mountConfigFS = mountConfigFS
    self.endpointControllers = endpointControllers
    self.kernelOption = kernelOption
  }

}

extension Machine {
  /// A machine whose parts are one object, as a simulated kernel is.
  public init(
    allIn kernel: some ConfigFSBackend & ModuleControl & KernelLog & EventClock & BackingStore
      & FabricsConnections,
    facts: KernelFacts, label: String, isConfigFSMounted: @escaping @Sendable () -> Bool,
    mountConfigFS: @escaping @Sendable () throws(Errno) -> Void,
    endpointControllers: @escaping @Sendable () -> [String],
    kernelOption: @escaping @Sendable (String) -> Bool?
  ) {
    self.init(
      configFS: kernel, modules: kernel, log: kernel, clock: kernel, storage: kernel,
      fabrics: kernel,
      facts: facts, label: label, isConfigFSMounted: isConfigFSMounted,
      mountConfigFS: mountConfigFS,
      endpointControllers: endpointControllers,
      kernelOption: kernelOption)
  }
}
