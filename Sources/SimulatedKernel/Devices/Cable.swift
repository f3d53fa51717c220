// SPDX-License-Identifier: Apache-2.0

extension SimulatedKernel {
  /// The other end of an endpoint controller's cable, for link training.
  public enum Cable: String, Codable, Sendable, Hashable, CaseIterable {
    /// A host that trains the link 40 ms after every start, and loses it at every stop.
    case host
    /// A host that trains the link once, and never again.
    case trainsOnce
    /// A host whose link goes down 10 ms after each training.
    case losesLink
  }
}

/// Link training that is under way.
struct LinkChange: Codable, Sendable, Hashable {
  var controllerNode: Int
  /// Virtual time, nanoseconds.
  var time: Int64
  var isUp: Bool
}

extension KernelState {
  private static let trainingTime: Int64 = 40_000_000
  private static let lossTime: Int64 = 10_000_000

  /// A controller was started or stopped: the other end of its cable reacts after a delay.
  mutating func cableNotices(_ isStarted: Bool, at node: Int) {
    guard let cable = controller(at: node).cable else { return }
    linkChanges.removeAll { $0.controllerNode == node }
    guard isStarted else {
      if trainedLinks.contains(node), functionsHearLink(of: node) { host(.linkDown, at: node) }
      return
    }
    if cable == .trainsOnce, trainedLinks.contains(node) { return }
    trainedLinks.insert(node)
    let up = clock + Self.trainingTime
    linkChanges.append(LinkChange(controllerNode: node, time: up, isUp: true))
    if cable == .losesLink {
      linkChanges.append(LinkChange(controllerNode: node, time: up + Self.lossTime, isUp: false))
    }
  }

  private func functionsHearLink(of node: Int) -> Bool {
    functions.values.contains { $0.primary?.controller == node && $0.nvme?.isLinkUp == true }
  }

  /// The time of the next internal event.
  var nextEvent: Int64? {
    let link = linkChanges.lazy.map(\.time).filter { [clock] in $0 > clock }.min()
    return [tree.nextAppearance(after: clock), link].compactMap(\.self).min()
  }

  /// Advances time to a moment, with its events.
  mutating func advance(to time: Int64) {
    clock = max(clock, time)
    while let first = linkChanges.first, first.time <= clock {
      linkChanges.removeFirst()
      host(first.isUp ? .linkUp : .linkDown, at: first.controllerNode)
    }
  }
}
