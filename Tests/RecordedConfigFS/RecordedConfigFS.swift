// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
internal import Synchronization
public import SystemPackage

/// A tree without a kernel behind it: it keeps what it is given, and remembers each call that changes something.
public final class RecordedConfigFS: ConfigFSBackend {
  public enum Call: Equatable, Sendable {
    case write(FilePath, String)
    case createDirectory(FilePath), removeDirectory(FilePath)
    case createLink(FilePath, to: FilePath)
    case removeLink(FilePath)
  }

  private enum Node { case directory, attribute(String), link(FilePath) }

  private struct State {
    var nodes: [(path: FilePath, node: Node)] = []
    var calls: [Call] = []
    var failure: Errno?
    var takenBytes: Int?

    func index(_ path: FilePath) throws(Errno) -> Int {
      guard let index = nodes.firstIndex(where: { $0.path == path }) else {
        throw .noSuchFileOrDirectory
      }
      return index
    }
  }

  public let mountPoint: FilePath = "/config"
  private let state = Mutex(State())

  /// - Parameters:
  ///   - directories: paths below the mount point; those above them are made too.
  ///   - attributes: paths below the mount point, and texts.
  public init(directories: [String] = [], attributes: KeyValuePairs<String, String> = [:]) {
    state.withLock { state in
      func make(_ path: FilePath) {
        guard path.starts(with: mountPoint), (try? state.index(path)) == nil else { return }
        make(path.removingLastComponent())
        state.nodes.append((path, .directory))
      }
      for directory in directories { make(full(directory)) }
      for (name, text) in attributes {
        make(full(name).removingLastComponent())
        state.nodes.append((full(name), .attribute(text)))
      }
    }
  }

  /// The changes so far, in order.
  public var calls: [Call] { state.withLock { $0.calls } }

  /// Makes every later call fail.
  public func failAll(with errno: Errno) { state.withLock { $0.failure = errno } }

  /// Makes every later write take some bytes only.
  public func takeOnly(_ count: Int) { state.withLock { $0.takenBytes = count } }

  private func full(_ path: String) -> FilePath { FilePath("\(mountPoint)/\(path)") }

  private func change<T>(
    _ call: Call?, _ body: (inout State) throws(Errno) -> T
  ) throws(Errno) -> T {
    try state.withLock { (state) throws(Errno) -> T in
      if let failure = state.failure { throw failure }
      if let call { state.calls.append(call) }
      return try body(&state)
    }
  }

  public func read(_ path: FilePath) throws(Errno) -> String {
    try change(nil) { (state) throws(Errno) in
      guard case .attribute(let text) = state.nodes[try state.index(path)].node else {
        throw .isDirectory
      }
      return text
    }
  }

  public func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    try change(.write(path, text)) { (state) throws(Errno) in
      state.nodes[try state.index(path)].node = .attribute(text)
      return state.takenBytes ?? text.utf8.count
    }
  }

  public func createDirectory(_ path: FilePath) throws(Errno) {
    try change(.createDirectory(path)) { (state) throws(Errno) in
      guard (try? state.index(path)) == nil else { throw .fileExists }
      state.nodes.append((path, .directory))
    }
  }

  public func removeDirectory(_ path: FilePath) throws(Errno) {
    try change(.removeDirectory(path)) { (state) throws(Errno) in
      _ = try state.index(path)
      state.nodes.removeAll { $0.path.starts(with: path) }
    }
  }

  public func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    try change(.createLink(path, to: target)) { (state) throws(Errno) in
      guard (try? state.index(path)) == nil else { throw .fileExists }
      state.nodes.append((path, .link(target)))
    }
  }

  public func removeLink(_ path: FilePath) throws(Errno) {
    try change(.removeLink(path)) { (state) throws(Errno) in
      _ = state.nodes.remove(at: try state.index(path))
    }
  }

  public func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] {
    try change(nil) { (state) throws(Errno) in
      _ = try state.index(path)
      return state.nodes.compactMap { node in
        guard node.path != path, node.path.removingLastComponent() == path,
          let name = node.path.lastComponent
        else { return nil }
        return DirectoryEntry(name: name.string, kind: Self.kind(node.node))
      }
    }
  }

  public func linkTarget(of path: FilePath) throws(Errno) -> FilePath {
    try change(nil) { (state) throws(Errno) in
      guard case .link(let target) = state.nodes[try state.index(path)].node else {
        throw .invalidArgument
      }
      return target
    }
  }

  public func kind(of path: FilePath) throws(Errno) -> EntryKind {
    try change(nil) { (state) throws(Errno) in Self.kind(state.nodes[try state.index(path)].node) }
  }

  /// Recordings have no modes.
  public func isWritable(_ path: FilePath) throws(Errno) -> Bool {
    try change(nil) { (state) throws(Errno) in
      guard case .attribute = state.nodes[try state.index(path)].node else { throw .isDirectory }
      return true
    }
  }

  private static func kind(_ node: Node) -> EntryKind {
    switch node {
    case .directory: .directory
    case .attribute: .attribute
    case .link: .link
    }
  }
}
