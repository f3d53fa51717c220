// SPDX-License-Identifier: Apache-2.0
public import BlockDevices
public import SystemPackage

extension SimulatedKernel: BackingStore {
  public func describe(_ path: FilePath) throws(Errno) -> BackingDescription {
    try look(.describe, path.string) { (kernel) throws(Errno) in
      try kernel.describe(path.string)
    }
  }

  public func createFile(_ path: FilePath, size: UInt64) throws(Errno) {
    try change(.createFile, path.string) { (kernel) throws(Errno) in
      try kernel.createFile(path.string, size: size)
    }
  }

  public func removeFile(_ path: FilePath) throws(Errno) {
    try change(.removeFile, path.string) { (kernel) throws(Errno) in
      try kernel.removeFile(path.string)
    }
  }

  public func attachLoop(_ loop: LoopConfiguration) throws(Errno) -> FilePath {
    try change(.attachLoop, loop.file) { (kernel) throws(Errno) in
      FilePath(try kernel.attachLoop(loop))
    }
  }

  public func detachLoop(_ device: FilePath) throws(Errno) {
    try change(.detachLoop, device.string) { (kernel) throws(Errno) in
      try kernel.detachLoop(device.string)
    }
  }

  public func loopConfiguration(of device: FilePath) throws(Errno) -> LoopConfiguration? {
    try look(.describe, device.string) { (kernel) throws(Errno) in
      try kernel.loopConfiguration(of: device.string)
    }
  }

  public func identity(of path: FilePath) throws(Errno) -> StoreIdentity {
    try look(.describe, path.string) { (kernel) throws(Errno) in
      // One name a store, once links are followed.
      let (name, _) = try kernel.resolve(path.string)
      return StoreIdentity(number: name, disk: kernel.disk(ofPartition: name))
    }
  }

  public func boundLoops() throws(Errno) -> [(device: FilePath, file: FilePath)] {
    try look(.describe, "/dev") { (kernel) throws(Errno) in kernel.boundLoops() }
  }
}
