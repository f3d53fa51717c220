// SPDX-License-Identifier: Apache-2.0
import LibC
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The file of a simulated kernel can be edited and damaged: it is refused, or works, and never traps.
@Suite struct StateFileTests {
  private static let numbers: [JSONValue] = [
    0, -1, 1, 65536, 2_147_483_648, .integer(.max), .integer(.min), .number("18446744073709551615"),
    .number("1e400"), .number("1.5"),
  ]
  private static let texts: [JSONValue] = [
    "", "-1", "9223372036854775807", "18446744073709551615", "0xffffffffffffffff", "日本",
  ]

  /// The documents with another value at each place, but not at every place of the same kind.
  private func variants(_ document: JSONValue) -> [(place: String, document: JSONValue)] {
    var seen: [String: Int] = [:]
    var found: [(String, JSONValue)] = []
    func visit(
      _ value: JSONValue, _ path: String, _ pattern: String,
      _ rebuild: (JSONValue) -> JSONValue
    ) {
      switch value {
      case .integer, .number, .string:
        seen[pattern, default: 0] += 1
        guard seen[pattern, default: 0] <= 2 else { return }
        var isText = false
        if case .string = value { isText = true }
        for other in isText ? Self.texts : Self.numbers {
          found.append(("\(path) = \(other.compactText)", rebuild(other)))
        }
      case .array(let elements):
        for index in elements.indices {
          visit(elements[index], "\(path)[\(index)]", "\(pattern)[]") {
            var changed = elements
            changed[index] = $0
            return rebuild(.array(changed))
          }
        }
      case .object(let members):
        for index in members.indices {
          let key = members[index].key
          let isName = key.contains("/") || key.allSatisfy(\.isNumber)
          visit(members[index].value, "\(path).\(key)", "\(pattern).\(isName ? "*" : key)") {
            var changed = members
            changed[index].value = $0
            return rebuild(.object(changed))
          }
        }
      case .null, .bool: break
      }
    }
    visit(document, "", "") { $0 }
    return found
  }

  @Test("a state with an extreme value is refused or used, and does not trap")
  func extremes() throws {
    var random = SystemRandomNumberGenerator()
    let file = FilePath("/dev/shm/epfnvme-state-\(String(random.next(), radix: 16))")
    defer { for end in ["", ".lock", ".new"] { unlink(file.string + end) } }
    let located = try profile(IntegerKeyTests.documents[0])
    let original = SimulatedMachine(
      kernel: try SimulatedKernel(contentsOf: file, kernelRelease: .linux7_2))
    try original.setUp(located)
    let journal = try #require(original.journal("x"))
    let document = try LocatedJSON(parsing: readFile(file)).value
    var refused = 0
    var used = 0
    let variants = variants(document)
    let step = TestScale.isFull ? 1 : 37
    for index in stride(from: 0, to: variants.count, by: step) {
      let (place, variant) = variants[index]
      try save(variant.compactText, to: file)
      let kernel: SimulatedKernel
      do { kernel = try SimulatedKernel(contentsOf: file, kernelRelease: .linux7_2) } catch {
        refused += 1
        #expect("\(error)".contains(file.string), "\(place)")
        continue
      }
      used += 1
      let machine = SimulatedMachine(kernel: kernel, journals: ["x": journal])
      _ = try? machine.provisioner.plan(located)
      _ = try? machine.provisioner.check(located)
      _ = try? machine.tearDown("x")
    }
    print(
      "\(refused + used) states with an extreme: \(refused) refused, \(used) used; none trapped")
    #expect(refused > 100 / step)
    #expect(used > 100 / step)
  }

  private func save(_ text: String, to file: FilePath) throws {
    let descriptor = try FileDescriptor.open(
      file, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try descriptor.closeAfter { _ = try descriptor.writeAll(text.utf8) }
  }
}
