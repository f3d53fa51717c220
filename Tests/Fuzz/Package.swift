// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let emulation = Target.Dependency.product(name: "NVMeEmulation", package: "epfnvme")

// A separate package that is not part of a normal build: `make fuzz`.
let package = Package(
  name: "Fuzz",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "epfnvme", path: "../.."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    // Tests/ServedHost, by a link: tests of the main package use it, too.
    .target(name: "ServedHost", dependencies: [emulation]),
    .executableTarget(
      name: "FuzzVFIOUser",
      dependencies: [
        "ServedHost", emulation, .product(name: "EndpointLink", package: "epfnvme"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
  ]
)
