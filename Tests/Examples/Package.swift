// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// A separate package that depends on the products alone, as a user's does: `make examples`.
let package = Package(
  name: "Examples",
  dependencies: [.package(name: "epfnvme", path: "../..")],
  targets: [
    .executableTarget(
      name: "ProvisionEndpoint",
      dependencies: [.product(name: "EndpointProvisioning", package: "epfnvme")]),
    .executableTarget(
      name: "DriveController",
      dependencies: [.product(name: "NVMeEmulation", package: "epfnvme")]),
    .executableTarget(
      name: "ServeDisk",
      dependencies: [
        .product(name: "EndpointProvisioning", package: "epfnvme"),
        .product(name: "NVMeEmulation", package: "epfnvme"),
      ]),
  ]
)
