// SPDX-License-Identifier: Apache-2.0

/// What a smoke run looks at, in the order of its report. The raw values are for good: dashboards compare them over years.
public enum SmokeCase: String, Sendable, CaseIterable {
  case configFSMounted = "configfs-mounted"
  case endpointControllerPresent = "epc-present"
  case driverLoaded = "driver-loaded"
  case backingReady = "backing-ready"
  case targetLinked = "target-linked"
  case functionBound = "function-bound"
  case controllerStarted = "controller-started"
  case controllerCreated = "controller-created"
  case linkUp = "link-up"
  case machineAsProfile = "machine-as-profile"
  case queuesAsPredicted = "queues-as-predicted"
  case registersAsPredicted = "registers-as-predicted"
  case identityAsPredicted = "identity-as-predicted"
  case linkBounced = "link-bounced"
  case linkStable = "link-stable"
  case cleanTeardown = "clean-teardown"
  case noKernelErrors = "no-kernel-errors"

  /// What it shows when it passes.
  public var meaning: String {
    switch self {
    case .configFSMounted: "configfs is mounted, or setup mounted it"
    case .endpointControllerPresent:
      "the machine has the endpoint controller that the profile asks for"
    case .driverLoaded: "the kernel has the modules, and they load"
    case .backingReady: "what the namespaces store to is there and usable"
    case .targetLinked: "subsystems, namespaces and ports took every value and are linked"
    case .functionBound: "the endpoint function took every value and is bound to its controller"
    case .controllerStarted: "the endpoint controller started"
    case .controllerCreated: "the driver made an NVMe controller behind the function"
    case .linkUp: "the driver heard that a host trained the link"
    case .machineAsProfile: "every module, device, attribute and link is as the profile says"
    case .queuesAsPredicted:
      "the driver reports the I/O queues and the transfer size that its emulation has"
    case .registersAsPredicted:
      "PCI header and interrupt vectors, as far as the board shows them, are those of the emulation"
    case .identityAsPredicted:
      "what Identify will tell, as far as the board shows it, is what the emulation tells"
    case .linkBounced: "after stop and start of the endpoint controller everything is back"
    case .linkStable: "the link never went down by itself"
    case .cleanTeardown: "teardown took everything back, and nothing is left or changed"
    case .noKernelErrors: "no error of the drivers and no kernel warning from beginning to end"
    }
  }
}
