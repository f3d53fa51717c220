// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// A separate package, so that a normal build does not need its dependencies: `make bench`.
let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "epfnvme", path: "../.."),
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .executableTarget(
      name: "Commands",
      dependencies: [
        .product(name: "NVMeEmulation", package: "epfnvme"),
        .product(name: "Benchmark", package: "benchmark"),
      ],
      path: "Benchmarks/Commands",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    // Tests/ServedHost, by a link: tests of the main package use it, too.
    .target(
      name: "ServedHost", dependencies: [.product(name: "NVMeEmulation", package: "epfnvme")],
      path: "ServedHost"),
    .executableTarget(
      name: "ServedDisk",
      dependencies: [
        "ServedHost", .product(name: "NVMeEmulation", package: "epfnvme"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      path: "ServedDisk"),
    .target(name: "AllocationCount", path: "AllocationCount"),
    .executableTarget(
      name: "LinkOperations",
      dependencies: [
        "AllocationCount", "ServedHost",
        .product(name: "NVMeEmulation", package: "epfnvme"),
        .product(name: "EndpointLink", package: "epfnvme"),
      ],
      path: "LinkOperations"),
  ]
)
