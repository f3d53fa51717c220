// SPDX-License-Identifier: Apache-2.0

// One import for everything that provisions: the configfs trees, profiles, the provisioner and the simulated kernel.
@_exported public import BlockDevices
@_exported public import ConfigFS
@_exported public import KernelEvents
@_exported public import KernelModules
@_exported public import NVMeTarget
@_exported public import PCIEndpoint
@_exported public import Provisioning
@_exported public import SimulatedKernel
