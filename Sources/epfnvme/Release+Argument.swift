// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
public import SimulatedKernel

extension SimulatedKernel.Release: ExpressibleByArgument {
  /// Any release can be given; these are offered.
  public static var allValueStrings: [String] { [] }
  public static var defaultCompletionKind: CompletionKind {
    .list(["7.3", "7.2", "7.0", "6.18", "6.17", "6.15", "6.14.2", "6.12"])
  }
}
