// SPDX-License-Identifier: Apache-2.0
package import BlockDevices
package import ConfigFS
package import KernelEvents
package import KernelModules
package import SimulatedKernel
package import SystemPackage

/// System calls on configfs beyond those of `ConfigFSBackend`.
package protocol AttributeDescriptors: Sendable {
  func status(of path: FilePath) throws(Errno) -> EntryStatus
  func linkText(of path: FilePath) throws(Errno) -> String
  func openAttribute(_ path: FilePath, reading: Bool, writing: Bool) throws(Errno) -> Int
  func readOpenAttribute(_ descriptor: Int) throws(Errno) -> [UInt8]
  func writeOpenAttribute(_ text: String, to descriptor: Int) throws(Errno) -> Int
  func rewindOpenAttribute(_ descriptor: Int) throws(Errno)
  func closeAttribute(_ descriptor: Int) throws(Errno)
}

extension SimulatedKernel: AttributeDescriptors {}

/// A kernel, real or simulated, that performs calls and answers.
package struct ComparedKernel: Sendable {
  let configFS: any ConfigFSBackend
  let descriptors: any AttributeDescriptors
  let modules: any ModuleControl
  let backings: any BackingStore
  let log: any KernelLog
  var mark: KernelLogMark

  package init(
    configFS: any ConfigFSBackend, descriptors: any AttributeDescriptors,
    modules: any ModuleControl, backings: any BackingStore, log: any KernelLog
  ) {
    self.configFS = configFS
    self.descriptors = descriptors
    self.modules = modules
    self.backings = backings
    self.log = log
    mark = log.mark() ?? KernelLogMark(sequence: 0)
  }

  package init(_ kernel: SimulatedKernel) {
    self.init(
      configFS: kernel, descriptors: kernel, modules: kernel, backings: kernel, log: kernel)
  }

  /// The running kernel.
  package static func live() -> ComparedKernel {
    ComparedKernel(
      configFS: LiveConfigFS(), descriptors: LiveDescriptors(), modules: LiveModules(),
      backings: LiveBackingStore(), log: FinishedKernelLog())
  }

  func path(_ path: String) -> FilePath {
    FilePath(configFS.mountPoint.string + (path.isEmpty ? "" : "/" + path))
  }

  package mutating func perform(_ call: KernelCall) -> Answer {
    var answer = Answer(outcome: "ok")
    do {
      answer.result = try result(of: call)
    } catch let error as ModuleError {
      answer.outcome = error.errno.name
    } catch {
      answer.outcome = (error as? Errno)?.name ?? "\(error)"
    }
    answer.log = LogText.drivers(log.lines(moving: &mark).map(\.text))
    return answer
  }

  private func result(of call: KernelCall) throws -> [String] {
    switch call {
    case .make(let name): try configFS.createDirectory(path(name))
    case .remove(let name): try configFS.removeDirectory(path(name))
    case .link(let name, let target): try configFS.createLink(at: path(name), to: path(target))
    case .unlink(let name): try configFS.removeLink(path(name))
    case .write(let text, let name):
      return ["\(try configFS.write(text, to: path(name))) bytes"]
    case .read(let name): return [Volatile.text(try configFS.read(path(name)), of: name)]
    case .list(let name):
      return try configFS.entries(of: path(name)).map { "\($0.kind.rawValue) \($0.name)" }
    case .status(let name):
      let status = try descriptors.status(of: path(name))
      return ["mode \(String(status.mode, radix: 8)), \(status.links) links"]
    case .linkText(let name): return [try descriptors.linkText(of: path(name))]
    case .open(let name, let mode):
      return [
        "descriptor "
          + String(
            try descriptors.openAttribute(
              path(name), reading: mode != .w, writing: mode != .r))
      ]
    case .readOpen(let number):
      let text = String(decoding: try descriptors.readOpenAttribute(number), as: UTF8.self)
      return [Volatile.text(text)]
    case .rewind(let number): try descriptors.rewindOpenAttribute(number)
    case .writeOpen(let text, let number):
      return ["\(try descriptors.writeOpenAttribute(text, to: number)) bytes"]
    case .close(let number): try descriptors.closeAttribute(number)
    case .load(let module, let parameters): try modules.load(module, parameters: parameters)
    case .unload(let module): try modules.unload(module)
    case .describe(let name):
      let backing = try backings.describe(FilePath(name))
      return ["\(backing.kind.rawValue), \(backing.size) bytes of \(backing.blockSize)"]
    }
    return []
  }

  /// Everything below a directory: each directory's entries in order, each attribute's text, each link's target. Errors of calls are part
  /// of it.
  func tree(below top: String) -> [String] {
    var lines: [String] = []
    var open = [top]
    while let directory = open.popLast() {
      do throws(Errno) {
        let entries = try configFS.entries(of: path(directory))
        lines.append("\(directory)/ " + entries.map(\.name).joined(separator: " "))
        for entry in entries {
          let name = "\(directory)/\(entry.name)"
          switch entry.kind {
          case .directory: open.append(name)
          case .link:
            lines.append(
              "\(name) -> \(text { () throws(Errno) in try descriptors.linkText(of: path(name)) })")
          case .attribute:
            let value = text { () throws(Errno) in try configFS.read(path(name)) }
            lines.append("\(name) = \(Volatile.text(value, of: name))")
          }
        }
      } catch { lines.append("\(directory)/ \(error.name)") }
    }
    return lines
  }

  private func text(_ body: () throws(Errno) -> String) -> String {
    do throws(Errno) { return try body() } catch { return error.name }
  }
}

/// Texts that the kernel makes of random numbers: what they look like is compared, not their value.
enum Volatile {
  static func text(_ text: String, of path: String) -> String {
    path.hasSuffix("/attr_serial") || path.hasSuffix("/device_uuid") ? self.text(text) : text
  }

  /// A text that is one of them, if it looks like one.
  static func text(_ text: String) -> String {
    let bytes = Array(text.utf8)
    guard bytes.last == UInt8(ascii: "\n") else { return text }
    func isHexadecimal(_ bytes: some Sequence<UInt8>) -> Bool {
      bytes.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
    if bytes.count == 21, isHexadecimal(bytes.dropLast()) { return "<20 random digits>\n" }
    if bytes.count == 37, isHexadecimal(bytes.dropLast().filter { $0 != UInt8(ascii: "-") }),
      bytes[14] == UInt8(ascii: "4")
    {
      return "<random UUID>\n"
    }
    return text
  }
}
