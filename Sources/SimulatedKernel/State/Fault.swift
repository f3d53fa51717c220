// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

extension SimulatedKernel {
  /// The targets of faults: each call of the simulated kernel's protocols that may fail.
  public enum Operation: String, Codable, Sendable, Hashable, CaseIterable {
    case read, write, create, remove, link, unlink, list
    case load, unload, mount
    case describe, createFile, removeFile, attachLoop, detachLoop
    case connections, disconnect

    /// Whether the operation changes something, and so counts as an effect.
    public var isEffect: Bool {
      switch self {
      case .read, .list, .describe, .connections: false
      case .write, .create, .remove, .link, .unlink, .load, .unload, .mount, .createFile,
        .removeFile, .attachLoop, .detachLoop, .disconnect:
        true
      }
    }
  }

  /// A fault of an operation.
  ///
  /// A failed operation changes nothing and logs nothing, unless the action states otherwise.
  public struct Fault: Codable, Sendable, Hashable {
    public enum Action: Codable, Sendable, Hashable {
      case errno(Errno)
      /// The operation takes effect, but is reported as failed.
      case errnoAfterEffect(Errno)
      /// This process receives a signal before the operation; after SIGKILL the operation does not happen.
      case signal(Int32)
      /// This process receives a signal after the operation has taken effect.
      case signalAfterEffect(Int32)
      /// This process receives a signal while the operation waits, which ends it with EINTR and without an effect.
      case interruption(Int32)
    }

    /// nil is any effect.
    public var operation: Operation?
    /// The exact path, module name for modules; nil is any.
    public var path: String?
    /// Counted from 1 over the matching calls from now on.
    public var occurrence = 1
    /// The absolute number of the effect, counted from 1 over the kernel's life; replaces the other conditions.
    public var effect: Int?
    public var action: Action
    /// The number of consecutive matching calls that fail, including the first one; nil means all from there on.
    public var count: Int? = 1

    public init(
      _ operation: Operation? = nil, at path: String? = nil, occurrence: Int = 1, action: Action,
      count: Int? = 1
    ) {
      self.operation = operation
      self.path = path
      self.occurrence = occurrence
      self.action = action
      self.count = count
    }

    /// A fault at the effect with an absolute number, counted from 1.
    public init(effect number: Int, action: Action) {
      effect = number
      self.action = action
    }

    /// Whether the fault hits a call; counts the call.
    mutating func hits(_ call: Operation, path called: String, effect number: Int) -> Bool {
      if let effect { return call.isEffect && effect == number }
      guard operation.map({ $0 == call }) ?? call.isEffect, path ?? called == called else {
        return false
      }
      if occurrence > 1 {
        occurrence -= 1
        return false
      }
      guard let left = count else { return true }
      count = left - 1
      return left > 0
    }

    /// Whether the fault can never hit again.
    func isSpent(after effects: Int) -> Bool {
      if let effect { return effect <= effects }
      return count.map { $0 <= 0 } ?? false
    }
  }
}

extension KernelState {
  /// The first fault that hits a call; those that are spent go.
  mutating func takeFault(
    _ operation: SimulatedKernel.Operation, _ path: String
  ) -> SimulatedKernel.Fault.Action? {
    guard !faults.isEmpty else { return nil }
    var action: SimulatedKernel.Fault.Action?
    for index in faults.indices
    where faults[index].hits(operation, path: path, effect: effects) && action == nil {
      action = faults[index].action
    }
    faults.removeAll { $0.isSpent(after: effects) }
    return action
  }
}
