// SPDX-License-Identifier: Apache-2.0

/// The cases of a smoke run, in the order of its report. The raw values are stable, because dashboards compare them over time.
package enum SmokeCase: String, Sendable, CaseIterable {
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

  /// The meaning of a pass.
  package var meaning: String {
    switch self {
    case .configFSMounted: "configfs is mounted, or setup mounted it"
    case .endpointControllerPresent:
      "the machine has the endpoint controller that the profile requires"
    case .driverLoaded: "the kernel has the modules, and they load"
    case .backingReady: "the backings of the namespaces exist and are usable"
    case .targetLinked: "subsystems, namespaces and ports accepted every value and are linked"
    case .functionBound: "the endpoint function accepted every value and is bound to its controller"
    case .controllerStarted: "the endpoint controller started"
    case .controllerCreated: "the driver created an NVMe controller behind the function"
    case .linkUp: "the driver reported that a host trained the link"
    case .machineAsProfile: "every module, device, attribute and link matches the profile"
    case .queuesAsPredicted:
      "the driver reports the I/O queues and the transfer size of its emulation"
    case .registersAsPredicted:
      "PCI header and interrupt vectors, as far as visible on the board, match the emulation"
    case .identityAsPredicted:
      "Identify data, as far as visible on the board, match the emulation"
    case .linkBounced: "after stop and start of the endpoint controller everything is restored"
    case .linkStable: "the link never went down unexpectedly"
    case .cleanTeardown: "teardown removed everything, and nothing is left or changed"
    case .noKernelErrors: "no driver error and no kernel warning during the run"
    }
  }
}
