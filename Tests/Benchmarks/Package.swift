// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// A package of its own, so that a normal build never sees its dependencies: `make bench`.
let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "epfnvme", path: "../.."),
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "Commands",
      dependencies: [
        .product(name: "NVMeEmulation", package: "epfnvme"),
        .product(name: "Benchmark", package: "benchmark"),
      ],
      path: "Benchmarks/Commands",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
  ]
)
