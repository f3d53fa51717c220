// SPDX-License-Identifier: Apache-2.0

// One import for the emulated controller: the controller, hosts that drive it, and the server that gives it to QEMU.
@_exported public import ControllerEmulation
@_exported public import HostDriver
@_exported public import NVMe
@_exported public import PCI
@_exported public import VFIOUser
