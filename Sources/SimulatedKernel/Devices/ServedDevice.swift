// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import PCI

extension SimulatedKernel {
  /// The store of a namespace on the simulated machine.
  public struct Backing: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
      case nullBlock(isMemoryBacked: Bool)
      case file
      case blockDevice
      /// A loop device, and its file.
      case loop(file: String)
      /// A store of a remote target.
      case remote
    }
    public var kind: Kind
    /// Of the file or the device.
    public var path: String
    /// Bytes.
    public var size: UInt64
  }

  /// The device of a bound function for a host outside of this kernel: without a link, and with backings of the caller.
  /// - Parameters:
  ///   - function: the path of the function's directory below configfs.
  ///   - memory: the host's.
  /// - Returns: nil when the function is not bound or its driver has failed.
  public func makeDevice<Failure: Error>(
    of function: String, memory: HostMemory, tableKeeper: InterruptVectors.TableKeeper,
    backend: (Backing) throws(Failure) -> Backend
  ) throws(Failure) -> NVMeFunction? {
    let state = currentState
    guard let node = state.functions.keys.first(where: { state.tree.path(of: $0) == function }),
      let nvme = state.functions[node]?.nvme, nvme.isInitialized
    else { return nil }
    return NVMeFunction(
      try state.model(of: node, nvme, backend), memory: memory,
      deviceID: state.header("deviceid", of: node),
      subsystemID: state.header("subsys_id", of: node),
      tableKeeper: tableKeeper)
  }
}

extension KernelState {
  /// The kind of store of an enabled namespace's path.
  func backing(at path: String, size: UInt64) -> SimulatedKernel.Backing {
    let object = storage[path]
    let kind: SimulatedKernel.Backing.Kind =
      if let file = object?.loop?.file {
        .loop(file: file)
      } else if let node = object?.nullBlock {
        .nullBlock(isMemoryBacked: node != 0 && isSet("memory_backed", of: node))
      } else {
        object?.kind == .blockDevice ? .blockDevice : .file
      }
    return .init(kind: kind, path: path, size: size)
  }
}
