// SPDX-License-Identifier: Apache-2.0
public import KernelModules
internal import SystemPackage

extension SimulatedKernel: ModuleControl {
  public func state(of name: String) throws(ModuleError) -> ModuleState {
    observe { $0.moduleState(name) }
  }

  public func load(_ name: String, parameters: [String] = []) throws(ModuleError) {
    try changeModule(.load, name) { (kernel) throws(ModuleError) in
      try kernel.loadModule(name, parameters: parameters)
    }
  }

  /// The modules that the machine has, or those that a kernel of this release usually has.
  package var usualModules: [Module] { observe(\.allModules) }

  public func parameters(of name: String) -> [String: String] {
    observe { $0.moduleParameters(name) }
  }

  public func unload(_ name: String) throws(ModuleError) {
    try changeModule(.unload, name) { (kernel) throws(ModuleError) in
      try kernel.unloadModule(name)
    }
  }

  private func changeModule(
    _ operation: Operation, _ name: String,
    _ body: (inout KernelState) throws(ModuleError) -> Void
  ) throws(ModuleError) {
    var refusal: ModuleError?
    do throws(Errno) {
      try change(operation, name) { (kernel) throws(Errno) in
        do throws(ModuleError) { try body(&kernel) } catch {
          refusal = error
          throw error.errno
        }
      }
    } catch {
      throw refusal ?? ModuleError(operation == .load ? .load : .unload, name, error)
    }
  }
}
