// SPDX-License-Identifier: Apache-2.0
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

extension SimulatedMachine {
  /// The state of the machine except its modules: configfs, created files, bound loop devices.
  func state(files: [String] = []) -> [String] {
    let loops = (try? kernel.boundLoops()) ?? []
    let present = files.filter { (try? kernel.describe(FilePath($0))) != nil }
    return tree + loops.map { "\($0.device) = \($0.file)" } + present
  }

  /// Loads the modules of a plan that another machine has loaded, and mounts configfs if that one has: both stay when everything else
  /// is undone.
  func load(like other: SimulatedMachine, of steps: [Step]) throws {
    if other.kernel.isConfigFSMounted, !kernel.isConfigFSMounted { try kernel.mountConfigFS() }
    for step in steps {
      guard case .loadModule(let module, let parameters) = step.operation,
        try other.kernel.state(of: module) == .loaded, try kernel.state(of: module) != .loaded
      else { continue }
      try kernel.load(module, parameters: parameters)
    }
  }
}

extension Plan {
  /// The files that setup makes.
  var createdFiles: [String] {
    steps.compactMap { if case .createFile(let path, _) = $0.operation { path } else { nil } }
  }
}

extension Operation {
  /// The system call of the simulated kernel that carries it out; nil for what only waits or looks.
  var call: SimulatedKernel.Operation? {
    switch self {
    case .mountConfigFS: .mount
    case .loadModule: .load
    case .unloadModule: .unload
    case .createFile: .createFile
    case .removeFile: .removeFile
    case .attachLoop: .attachLoop
    case .detachLoop: .detachLoop
    case .createDirectory, .restoreDirectory: .create
    case .removeDirectory: .remove
    case .write: .write
    case .link: .link
    case .unlink: .unlink
    case .expectConnection: .connections
    case .disconnect: .disconnect
    case .awaitDirectory, .awaitDevice, .verifyController: nil
    }
  }
}

/// Loads what the first steps of a plan load, and nothing else: modules stay when everything else is undone.
func onlyModules(of steps: ArraySlice<Step>, on kernel: SimulatedKernel) throws {
  for step in steps {
    switch step.operation {
    case .mountConfigFS: try kernel.mountConfigFS()
    case .loadModule(let name, let parameters): try kernel.load(name, parameters: parameters)
    default: break
    }
  }
}

/// A profile from text, which must be right.
func profile(_ text: String) throws -> Profile.Located { try Profile.decode(Array(text.utf8)) }
