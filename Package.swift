// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "epfnvme",
  products: [
    .executable(name: "epfnvme", targets: ["epfnvme"]),
    .library(name: "NVMeEmulation", targets: ["NVMeEmulation"]),
    .library(name: "EndpointProvisioning", targets: ["EndpointProvisioning"]),
    .library(name: "EndpointLink", targets: ["EndpointLink"]),
  ],
  traits: [
    .trait(name: "Libkmod", description: "Load kernel modules with libkmod."),
    .trait(name: "Libudev", description: "Receive uevents with libudev."),
    .default(enabledTraits: ["Libkmod", "Libudev"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .systemLibrary(name: "CKMod", pkgConfig: "libkmod", providers: [.apt(["libkmod-dev"])]),
    .systemLibrary(name: "CUdev", pkgConfig: "libudev", providers: [.apt(["libudev-dev"])]),
    .target(name: "CLinux"),
    // The only target that imports the C library.
    .target(name: "LibC"),
    .target(name: "LinuxFiles", dependencies: ["LibC", "CLinux", systemPackage]),
    // Numbers as hexadecimal text, and pseudo-random ones.
    .target(name: "Numbers"),

    .target(
      name: "ConfigFS",
      dependencies: ["LibC", "LinuxFiles", "Numbers", systemPackage, "CLinux"]),
    .target(name: "PCIEndpoint", dependencies: ["ConfigFS", systemPackage]),
    .target(name: "NVMeTarget", dependencies: ["LibC", "ConfigFS", "Numbers", systemPackage]),
    .target(
      name: "BlockDevices",
      dependencies: ["LibC", "ConfigFS", "LinuxFiles", "CLinux", systemPackage]),
    .target(
      name: "KernelModules",
      dependencies: [
        "LibC",
        .target(name: "CKMod", condition: .when(traits: ["Libkmod"])), "LinuxFiles", "CLinux",
        systemPackage,
      ]),
    .target(
      name: "KernelEvents",
      dependencies: [
        "LibC",
        .target(name: "CUdev", condition: .when(traits: ["Libudev"])), "LinuxFiles", "CLinux",
        systemPackage,
      ]),
    // Behaviours of the kernel by release.
    .target(name: "KernelHistory"),
    .target(
      name: "SimulatedKernel",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "KernelModules", "KernelEvents", "KernelHistory", "NVMe",
        "PCI",
        "ControllerEmulation", "LinuxFiles", "Numbers", systemPackage,
      ]),
    .target(
      name: "Provisioning",
      dependencies: [
        "LibC",
        "ConfigFS", "PCIEndpoint", "NVMeTarget", "BlockDevices", "KernelModules", "KernelEvents",
        "KernelHistory", "LinuxFiles", "Numbers", "CLinux", systemPackage,
      ]),
    .target(name: "PCI", dependencies: ["LibC", "Numbers"]),
    .target(name: "NVMe", dependencies: ["Numbers"]),
    .target(
      name: "ControllerEmulation",
      dependencies: ["LibC", "KernelHistory", "NVMe", "Numbers", "PCI", "CLinux"]),
    .target(name: "HostDriver", dependencies: ["NVMe", "Numbers", "PCI"]),
    .target(name: "VFIOUser", dependencies: ["LibC", "PCI", "CLinux"]),
    // A PCIe link in software: an endpoint controller for a board, its functions for a host.
    .target(name: "EndpointLink", dependencies: ["PCI", "VFIOUser"]),
    // The modules of the two products, each behind one import.
    .target(
      name: "NVMeEmulation",
      dependencies: ["NVMe", "PCI", "ControllerEmulation", "HostDriver", "VFIOUser"]),
    .target(
      name: "EndpointProvisioning",
      dependencies: [
        "ConfigFS", "PCIEndpoint", "NVMeTarget", "BlockDevices", "KernelModules", "KernelEvents",
        "LinuxFiles", "Numbers", "Provisioning", "SimulatedKernel", systemPackage,
      ]),
    // A profile on a simulated kernel, driven by a host in process or served to one in QEMU.
    .target(
      name: "ProfileEmulation",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "NVMe", "PCI", "ControllerEmulation", "HostDriver", "VFIOUser",
        "SimulatedKernel", "Provisioning", "EndpointProvisioning", "KernelHistory", "Numbers",
        systemPackage,
      ]),
    .target(
      name: "Doctor",
      dependencies: [
        "ConfigFS", "PCIEndpoint", "NVMeTarget", "BlockDevices", "KernelModules", "KernelEvents",
        "KernelHistory", "Numbers",
        "ControllerEmulation", "Provisioning", "HostTools", "LinuxFiles", systemPackage,
      ]),
    .target(
      name: "HostTools",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "NVMe", "PCI", "ControllerEmulation", "HostDriver",
        "SimulatedKernel", "Provisioning", "ProfileEmulation", "LinuxFiles", "Numbers", "CLinux",
        systemPackage,
      ]),
    .target(
      name: "BoardTests",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "KernelEvents", "KernelHistory", "SimulatedKernel",
        "Provisioning", "ProfileEmulation", "HostTools", "LinuxFiles", "Numbers", "CLinux",
        systemPackage,
      ]),

    // Tests: one suite a target, and what several share.
    .target(
      name: "TestSupport",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "KernelModules", "KernelEvents", "SimulatedKernel",
        "Provisioning", "EndpointProvisioning", "LinuxFiles", "Numbers", systemPackage,
      ], path: "Tests/Support"),
    // Profiles for the lab.
    .executableTarget(
      name: "RandomProfiles", dependencies: ["Provisioning", "SimulatedKernel", "TestSupport"],
      path: "Tests/RandomProfiles"),
    // The simulated kernel against the real one, for the lab.
    .target(
      name: "KernelComparison",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "KernelEvents", "KernelModules", "LinuxFiles", "Numbers",
        "Provisioning", "EndpointProvisioning", "SimulatedKernel", "TestSupport", systemPackage,
      ], path: "Tests/KernelComparison"),
    .executableTarget(
      name: "CompareKernel",
      dependencies: [
        "LibC", "KernelComparison", "LinuxFiles", "Provisioning", "SimulatedKernel", systemPackage,
      ], path: "Tests/CompareKernel"),
    .testTarget(
      name: "KernelComparisonTests",
      dependencies: [
        "ConfigFS", "EndpointProvisioning", "KernelComparison", "Provisioning", "SimulatedKernel",
        "TestSupport", systemPackage,
      ]),
    // The JSON Schema and the guide's tables, from the table of keys; the page of kernel releases.
    .executableTarget(
      name: "SchemaDocuments",
      dependencies: ["KernelHistory", "Provisioning", "SimulatedKernel"],
      path: "Tests/SchemaDocuments"),
    // What takes foreign bytes, as functions of bytes; the program for libFuzzer, `make fuzz`.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "LibC", "CLinux", "ConfigFS", "PCIEndpoint", "KernelEvents", "SimulatedKernel",
        "Provisioning", "EndpointProvisioning", "LinuxFiles", "ControllerEmulation", "PCI",
        "VFIOUser", "EndpointLink", "BoardTests", "Doctor", "ConformanceTables", "ServedHost",
        "TestSupport", systemPackage,
      ], path: "Tests/FuzzTargets"),
    .executableTarget(
      name: "FuzzInputs", dependencies: ["FuzzTargets", "LibC"], path: "Tests/FuzzInputs"),
    .testTarget(
      name: "FuzzTargetTests",
      dependencies: ["FuzzTargets", "LinuxFiles", "Numbers", "TestSupport", systemPackage]),
    .target(
      name: "RecordedConfigFS", dependencies: ["ConfigFS", systemPackage],
      path: "Tests/RecordedConfigFS"),
    .testTarget(
      name: "ConfigFSTests", dependencies: ["ConfigFS", "RecordedConfigFS", systemPackage]),
    .testTarget(
      name: "PCIEndpointTests",
      dependencies: [
        "ConfigFS", "PCIEndpoint", "RecordedConfigFS", "SimulatedKernel", systemPackage,
      ]),
    .testTarget(
      name: "NVMeTargetTests",
      dependencies: [
        "ConfigFS", "NVMeTarget", "RecordedConfigFS", "SimulatedKernel", systemPackage,
      ]),
    .testTarget(
      name: "BlockDevicesTests",
      dependencies: [
        "ConfigFS", "BlockDevices", "RecordedConfigFS", "SimulatedKernel", systemPackage,
      ]),
    .testTarget(name: "LinuxFilesTests", dependencies: ["LibC", "LinuxFiles", systemPackage]),
    .testTarget(
      name: "KernelModulesTests", dependencies: ["KernelModules", systemPackage]),
    .testTarget(name: "KernelEventsTests", dependencies: ["KernelEvents", systemPackage]),
    .testTarget(
      name: "SimulatedKernelTests",
      dependencies: [
        "LibC",
        "ConfigFS", "BlockDevices", "KernelModules", "KernelEvents", "KernelHistory",
        "SimulatedKernel", "PCI", "ControllerEmulation", "HostDriver", "NVMeEmulation",
        systemPackage,
      ]),
    .target(
      name: "ConformanceTables",
      dependencies: ["ControllerEmulation", "HostDriver", "NVMe", "Numbers", "PCI"],
      path: "Tests/ConformanceTables"),
    .testTarget(
      name: "ControllerEmulationTests",
      dependencies: [
        "LibC", "ConformanceTables", "ControllerEmulation", "HostDriver", "KernelHistory", "NVMe",
        "NVMeEmulation", "Numbers", "PCI",
      ]),
    .testTarget(
      name: "ConformanceTests", dependencies: ["ConformanceTables", "ControllerEmulation", "PCI"]),
    .testTarget(
      name: "HostDriverTests",
      dependencies: ["LibC", "ControllerEmulation", "HostDriver", "NVMe", "PCI", "NVMeEmulation"]),
    .testTarget(
      name: "ProvisioningTests",
      dependencies: [
        "LibC",
        "ConfigFS", "PCIEndpoint", "NVMeTarget", "BlockDevices", "KernelModules", "KernelEvents",
        "SimulatedKernel", "Provisioning", "HostDriver", "NVMeEmulation", "Numbers",
        "TestSupport", systemPackage,
      ]),
    .target(
      name: "ServedHost",
      dependencies: ["LibC", "VFIOUser", "ControllerEmulation", "HostDriver", "PCI", "CLinux"],
      path: "Tests/ServedHost"),
    .testTarget(
      name: "VFIOUserTests",
      dependencies: [
        "LibC",
        "VFIOUser", "NVMe", "ControllerEmulation", "HostDriver", "PCI", "CLinux", "ServedHost",
        "Numbers",
      ]),
    // The real driver against its emulation, for the pair lab.
    .executableTarget(
      name: "CompareDriver",
      dependencies: [
        "LibC", "ControllerEmulation", "HostDriver", "LinuxFiles", "Numbers", "PCI",
        "ProfileEmulation", "Provisioning", "ServedHost", "SimulatedKernel", "ConformanceTables",
        "VFIOUser", systemPackage,
      ], path: "Tests/CompareDriver"),
    .testTarget(
      name: "EndpointLinkTests",
      dependencies: ["EndpointLink", "PCI", "VFIOUser", "ServedHost", "Numbers"]),
    .testTarget(
      name: "KernelHistoryTests",
      dependencies: [
        "KernelHistory", "ControllerEmulation", "SimulatedKernel", "Provisioning", "TestSupport",
        systemPackage,
      ]),
    .testTarget(name: "PCITests", dependencies: ["PCI", "Numbers"]),
    .testTarget(name: "NVMeTests", dependencies: ["NVMe"]),
    .testTarget(
      name: "ChecksTests",
      dependencies: [
        "Doctor", "HostTools", "BoardTests", "NVMe", "PCI", "ControllerEmulation", "HostDriver",
        "ProfileEmulation",
        "Provisioning", "ConfigFS", "KernelHistory", "KernelModules", "KernelEvents", "LinuxFiles",
        "SimulatedKernel",
        "NVMeEmulation", "TestSupport", systemPackage,
      ]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "epfnvme", "TestSupport", "ConfigFS", "KernelHistory", "KernelModules", "SimulatedKernel",
        "Provisioning", "ServedHost", "ControllerEmulation", "HostDriver", "NVMe", "PCI",
        "VFIOUser",
        systemPackage,
      ]),

    .executableTarget(
      name: "epfnvme",
      dependencies: [
        "LibC",
        "ConfigFS", "NVMeTarget", "KernelModules", "KernelEvents",
        "SimulatedKernel", "Provisioning", "EndpointProvisioning", "NVMe", "ControllerEmulation",
        "KernelHistory", "HostDriver", "VFIOUser", "EndpointLink", "ProfileEmulation", "Doctor",
        "HostTools",
        "BoardTests", "LinuxFiles", "Numbers", "CLinux",
        systemPackage,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
  ]
)

for target in package.targets where [.regular, .executable, .test].contains(target.type) {
  if target.name == "CLinux" { continue }
  var settings: [SwiftSetting] = [.treatAllWarnings(as: .error)]
  settings += ["ExistentialAny", "MemberImportVisibility", "NonisolatedNonsendingByDefault"]
    .map { .enableUpcomingFeature($0) }
  if target.type == .regular {
    settings += [.strictMemorySafety(), .enableUpcomingFeature("InternalImportsByDefault")]
  }
  target.swiftSettings = (target.swiftSettings ?? []) + settings
}
