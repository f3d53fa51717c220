// SPDX-License-Identifier: Apache-2.0
import Provisioning
import TestSupport
import Testing

/// Every integer of a profile with every extreme: in its range it is taken, else it is refused at its place.
@Suite struct IntegerKeyTests {
  /// Documents that together have every integer key.
  static let documents = [
    """
    { "version": 1, "name": "x",
      "backings": {
        "n": { "nullBlock": { "sizeMiB": 1024, "blockSize": 512, "memoryBacked": true, "cacheSizeMiB": 1,
               "submitQueues": 2, "hardwareQueueDepth": 64, "completionNanoseconds": 1, "irqMode": 1, "mbps": 0 } },
        "z": { "nullBlock": { "zoned": true, "zoneSizeMiB": 64, "zoneCapacityMiB": 4,
               "maximumOpenZones": 2, "maximumActiveZones": 3 } },
        "f": { "file": { "path": "/srv/f.img", "create": true, "sizeMiB": 8 } },
        "l": { "loopDevice": { "path": "/srv/l.img", "create": true, "sizeMiB": 8, "blockSize": 512,
               "offsetBytes": 4096 } } },
      "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "ieeeOUI": 1, "vendorID": 1, "subsystemVendorID": 1,
        "maximumQueueID": 4, "controllerIDMinimum": 1, "controllerIDMaximum": 100,
        "namespaces": [ { "id": 1, "backing": "n", "anaGroup": 1 }, { "id": 2, "backing": "z" },
                        { "id": 3, "backing": "f" }, { "id": 4, "backing": "l" } ] } ],
      "ports": [ { "id": 9, "transport": "tcp", "addressFamily": "ipv4", "address": "127.0.0.1", "service": 4420,
        "maximumQueueSize": 128, "inlineDataSize": 4096, "mdts": 5,
        "anaGroups": [ { "id": 2, "state": "optimized" } ] } ],
      "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "revisionID": 1, "subsystemVendorID": 1,
        "subsystemID": 1, "classCode": "0x010802", "interruptPin": 1, "cacheLineSize": 1, "msixVectors": 8,
        "msiVectors": 8, "mdtsKiB": 64, "ioQueues": 4, "queueSize": 64,
        "target": { "loop": "nqn.2026-01.org.example:a" },
        "controllerFeatures": { "outboundWindows": 32, "maximumFunctions": 1 } } ] }
    """,
    """
    { "version": 1, "name": "x",
      "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8,
        "target": { "tcp": { "nqn": "nqn.2026-01.org.example:r", "address": "192.0.2.10", "port": 4420,
          "keepAliveSeconds": 5, "reconnectDelaySeconds": 10, "controllerLossSeconds": 600 } } } ] }
    """,
  ]

  /// A place of a document that has an integer.
  private struct Place {
    var path: String
    var range: ClosedRange<Int>
    var isPowerOfTwo: Bool
    /// Whether the kernel reads the text itself, which takes a sign.
    var isText: Bool
    var object: String
    var key: String
    /// The document with another value there.
    var with: (JSONValue) -> JSONValue
  }

  private func places(
    _ value: JSONValue, _ path: String, _ object: SchemaObject,
    _ rebuild: @escaping (JSONValue) -> JSONValue
  ) -> [Place] {
    guard case .object(let members) = value else { return [] }
    return members.indices.flatMap { index -> [Place] in
      let member = members[index]
      let place = path.isEmpty ? member.key : "\(path).\(member.key)"
      let replace: (JSONValue) -> JSONValue = { new in
        var changed = members
        changed[index].value = new
        return rebuild(.object(changed))
      }
      guard let row = object.row(member.key) else { return [] }
      switch (row.kind, member.value) {
      case (.integer(let range), _), (.powerOfTwo(let range), _), (.textOrInteger(_, let range), _):
        var isPowerOfTwo = false
        if case .powerOfTwo = row.kind { isPowerOfTwo = true }
        var isText = false
        if case .textOrInteger = row.kind { isText = true }
        return [
          Place(
            path: place, range: range, isPowerOfTwo: isPowerOfTwo, isText: isText,
            object: object.name,
            key: member.key, with: replace)
        ]
      case (.object(let name), let inner):
        return ProfileSchema.object(name).map { places(inner, place, $0, replace) } ?? []
      case (.objects(let name), .array(let elements)):
        guard let part = ProfileSchema.object(name) else { return [] }
        return elements.indices.flatMap { element in
          places(elements[element], "\(place)[\(element)]", part) { new in
            var changed = elements
            changed[element] = new
            return replace(.array(changed))
          }
        }
      case (.named(_, let name), .object(let named)):
        guard let part = ProfileSchema.object(name) else { return [] }
        return named.indices.flatMap { element in
          places(named[element].value, "\(place).\(named[element].key)", part) { new in
            var changed = named
            changed[element].value = new
            return replace(.object(changed))
          }
        }
      default: return []
      }
    }
  }

  /// The number that a JSON value means for a profile.
  private func number(_ value: JSONValue, at place: Place) -> Int? {
    switch value {
    case .integer(let number): return Int(number)
    case .number("-0"): return 0
    case .string(let text):
      if text == "-1" { return -1 }
      if text == "+5" { return place.isText ? 5 : nil }
      if text.lowercased().hasPrefix("0x") {
        guard text.dropFirst(2).allSatisfy(\.isHexDigit) else { return nil }
        return Int(text.dropFirst(2), radix: 16)
      }
      guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
      return text.hasPrefix("0") && text.count > 1 ? Int(text, radix: 8) : Int(text)
    default: return nil
    }
  }

  @Test(
    "is accepted in its range, and refused with its location outside, for every key and every extreme"
  )
  func extremes() throws {
    var seen: Set<String> = []
    var count = 0
    for text in Self.documents {
      let document = try LocatedJSON(parsing: Array(text.utf8)).value
      for place in places(document, "", ProfileSchema.document, { $0 }) {
        seen.insert("\(place.object).\(place.key)")
        let ends = [place.range.lowerBound, place.range.upperBound]
        let values = ExtremeProfile.integers + ends.map { JSONValue($0) }
        // In the short form every key has every fifth value, another fifth than the key before.
        let step = TestScale.isFull ? 1 : 5
        for index in stride(from: count % step, to: values.count, by: step) {
          let value = values[index]
          count += 1
          var errors: [ProfileIssue] = []
          do { _ = try Profile.decode(Array(place.with(value).compactText.utf8)) } catch {
            errors = error.issues.filter { $0.severity == .error }
          }
          let isWanted =
            number(value, at: place).map {
              place.range.contains($0) && (!place.isPowerOfTwo || $0.nonzeroBitCount == 1)
            } ?? false
          let own = errors.filter { $0.path == place.path }
          // The rules check the combination of values: 1 is a controller id, but not above 100.
          if !isWanted {
            #expect(!own.isEmpty, "\(place.path) takes \(value.compactText)")
          }
          #expect(
            errors.allSatisfy { $0.position != nil && !$0.message.isEmpty },
            "\(place.path): \(value.compactText)")
          let unfit = own.contains {
            $0.message.contains("out of range") || $0.message.contains("not an integer")
          }
          #expect(!(isWanted && unfit), "\(place.path) refuses \(value.compactText): \(own)")
        }
      }
    }
    let wanted = ProfileSchema.all.flatMap { object in
      object.keyed.compactMap { row -> String? in
        switch row.kind {
        case .integer, .powerOfTwo, .textOrInteger: "\(object.name).\(row.key ?? "")"
        default: nil
        }
      }
    }
    #expect(Set(wanted).subtracting(seen) == [], "keys that no document has")
    #expect(count > (TestScale.isFull ? 4000 : 800))
  }
}
