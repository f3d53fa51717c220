// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The published descriptions of profiles match the table of the schema.
@Suite struct SchemaTests {
  private func schema() throws -> JSONValue {
    try PublishedSchema.document("profile.schema.json")
  }

  /// The members of a schema and, before them, of the definition that it refers to.
  private func resolved(_ node: JSONValue, in document: JSONValue) -> [String: JSONValue] {
    guard case .object(let members) = node else { return [:] }
    var result: [String: JSONValue] = [:]
    if let reference = node["$ref"]?.stringValue, reference.hasPrefix("#/$defs/"),
      let definition = document["$defs"]?[String(reference.dropFirst("#/$defs/".count))]
    {
      result = resolved(definition, in: document)
    }
    // Beside a reference both hold: the narrower limit counts.
    for member in members {
      if let outer = member.value.integerValue, let inner = result[member.key]?.integerValue {
        result[member.key] = .integer(
          member.key.hasPrefix("max") ? min(outer, inner) : max(outer, inner))
      } else {
        result[member.key] = member.value
      }
    }
    return result
  }

  @Test("the schema has the table's keys and required keys for every object")
  func keys() throws {
    let definitions = try #require(try schema()["$defs"])
    for object in ProfileSchema.all {
      let definition = try #require(definitions[object.name], "\(object.name) is not in the schema")
      guard case .object(let properties)? = definition["properties"] else {
        Issue.record("\(object.name) has no properties")
        continue
      }
      #expect(Set(properties.map(\.key)) == Set(object.keys), "\(object.name)")
      let required = definition["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
      let wanted = object.rows.filter(\.isRequired).compactMap(\.key)
      #expect(Set(required) == Set(wanted), "\(object.name)")
      #expect(definition["additionalProperties"]?.boolValue == false, "\(object.name)")
      let bounds = [definition["minProperties"], definition["maxProperties"]]
      #expect(bounds == (object.isChoice ? [1, 1] : [nil, nil]), "\(object.name)")
    }
  }

  @Test("the schema defines nothing outside the table")
  func definitions() throws {
    guard case .object(let definitions)? = try schema()["$defs"] else {
      Issue.record("no $defs")
      return
    }
    let objects = definitions.filter { $0.value["properties"] != nil }.map(\.key)
    #expect(Set(objects) == Set(ProfileSchema.all.map(\.name)))
    #expect(try schema()["$ref"]?.stringValue == "#/$defs/profile")
  }

  @Test("the schema states every range, pattern, length and word of the table, and no other")
  func values() throws {
    let document = try schema()
    var compared = 0
    for object in ProfileSchema.all {
      for row in object.keyed {
        let key = try #require(row.key)
        let node = try #require(document["$defs"]?[object.name]?["properties"]?[key])
        let place: Comment = "\(object.name).\(key)"
        let stated = resolved(node, in: document)
        compare(row.kind, with: stated, document, place)
        compared += 1
      }
    }
    #expect(compared > 100)
  }

  private func compare(
    _ kind: SchemaRow.Kind, with stated: [String: JSONValue], _ document: JSONValue,
    _ place: Comment
  ) {
    func number(_ value: Int) -> JSONValue { .integer(Int64(value)) }
    func expectForm(_ form: TextForm, _ stated: [String: JSONValue]) {
      #expect(stated["pattern"]?.stringValue == form.pattern, place)
      #expect(stated["minLength"] == form.minimumLength.map(number), place)
      #expect(stated["maxLength"] == form.maximumLength.map(number), place)
      let excluded = stated["not"]?["enum"]?.arrayValue?.compactMap(\.stringValue) ?? []
      #expect(excluded == form.excluded, place)
    }
    func expectRange(_ range: ClosedRange<Int>) {
      #expect(stated["minimum"] == number(range.lowerBound), place)
      #expect(stated["maximum"] == number(range.upperBound), place)
      #expect(stated["type"] == ["integer", "string"], place)
    }
    switch kind {
    case .integer(let range), .powerOfTwo(let range):
      expectRange(range)
      let pattern = range.lowerBound < 0 ? IntegerForm.signedPattern : IntegerForm.pattern
      #expect(stated["pattern"]?.stringValue == pattern, place)
    case .constant(let value): #expect(stated["const"] == number(value), place)
    case .boolean: #expect(stated["type"] == "boolean", place)
    case .words(let words):
      #expect(stated["enum"]?.arrayValue?.compactMap(\.stringValue) == words, place)
    case .text(let form):
      #expect(stated["type"] == "string", place)
      expectForm(form, stated)
    case .textOrInteger(let form, let range):
      expectRange(range)
      expectForm(form, stated)
    case .texts(let form):
      #expect(stated["type"] == "array", place)
      #expect(stated["uniqueItems"] == true, place)
      expectForm(form, resolved(stated["items"] ?? .null, in: document))
    case .object(let name):
      let definition = document["$defs"]?[name]
      #expect(
        stated["properties"] != nil && stated["properties"] == definition?["properties"], place)
    case .objects(let name):
      #expect(stated["items"]?["$ref"]?.stringValue == "#/$defs/\(name)", place)
    case .named(let form, let name):
      expectForm(form, resolved(stated["propertyNames"] ?? .null, in: document))
      #expect(stated["additionalProperties"]?["$ref"]?.stringValue == "#/$defs/\(name)", place)
    case .attributes:
      #expect(stated["additionalProperties"]?["type"]?.stringValue == "string", place)
    case .unkeyed, .command: Issue.record("\(place) has a key")
    }
  }

  /// Texts on both sides of every form.
  static let texts = [
    "", "a", "a b", "a,b", "a/b", ".", "..", "/", "/srv/disk.img", "/srv/a\nb", "/a\u{0}b", "é",
    "日本",
    "nqn.2026-01.org.example:a", "nqn.2014-08.org.nvmexpress.discovery", "\u{7f}", "a\u{1}", "a\n",
    "2.1", "1.2.1", "2", "2.", "2.1\n", "65536.1", "000002.1", "1.256", "-1", "~", " ", "disk-1",
    "6ad37b33-6a6b-4cd1-9c3f-5a3a86a4c8a1", "6AD37B33-6A6B-4CD1-9C3F-5A3A86A4C8A1",
    "6ad37b336a6b4cd19c3f5a3a86a4c8a1", "6a:d3:7b:33:6a:6b:4c:d1:9c:3f:5a:3a:86:a4:c8:a1",
    "6ad37b336a6b4cd19c3f5a3a86a4c8a1:", "6ad37b336a6b4cd19c3f5a3a86a4c8a", "192.0.2.1",
    "fe80::1%eth0",
    String(repeating: "n", count: 20), String(repeating: "n", count: 21),
    String(repeating: "n", count: 40), String(repeating: "n", count: 64),
    String(repeating: "n", count: 65), String(repeating: "n", count: 223),
    String(repeating: "n", count: 224), String(repeating: "n", count: 256),
  ]

  static let forms: [(String, TextForm)] = ProfileSchema.all.flatMap { object in
    object.keyed.compactMap { row -> (String, TextForm)? in
      switch row.kind {
      case .text(let form), .texts(let form), .named(let form, _), .textOrInteger(let form, _):
        ("\(object.name).\(row.key ?? "")", form)
      default: nil
      }
    }
  }

  @Test("a form refuses at least what its pattern and lengths refuse", arguments: forms)
  func form(_ place: String, _ form: TextForm) throws {
    let pattern = try form.pattern.map { try Regex($0).matchingSemantics(.unicodeScalar) }
    var refused = 0
    for text in Self.texts {
      let length = text.unicodeScalars.count
      let isStated =
        try pattern.map { try $0.wholeMatch(in: text) != nil } ?? true
        && length >= form.minimumLength ?? 0 && length <= form.maximumLength ?? .max
        && !form.excluded.contains(text)
      let problem = form.problem(with: text)
      if problem != nil { refused += 1 }
      #expect(isStated || problem != nil, "\(place) takes \(text.debugDescription)")
    }
    #expect(refused > 0 || form.pattern == nil && form.minimumLength == nil)
    #expect(refused < Self.texts.count, "\(place) takes nothing")
  }

  @Test("the schema is the one that the table of keys generates: run make generate")
  func generatedSchema() throws {
    let path = ShippedProfile.repository.appending("Configs/schema/profile.schema.json")
    let text = String(decoding: try readFile(path), as: UTF8.self)
    #expect(text == ProfileSchema.jsonSchema.prettyText + "\n")
  }

  @Test("the guide's tables are those that the table of keys generates: run make generate")
  func generatedGuide() throws {
    let path = ShippedProfile.repository.appending("Docs/Guides/Profiles.md")
    let guide = String(decoding: try readFile(path), as: UTF8.self)
    #expect(guide == ProfileSchema.updatingTables(of: guide))
    // Backings and hosts are explained in sentences.
    let tables = ProfileSchema.tables(of: guide).map(\.name)
    #expect(Set(tables) == Set(ProfileSchema.all.map(\.name)).subtracting(["backing", "host"]))
  }

  @Test("a table in a guide is replaced whole, and the text around it stays")
  func replacedTable() {
    let guide = "# A\n<!-- keys: block -->\n\n| Old |\n|---|\n\nAfter.\n\n<!-- keys: unknown -->\n"
    let updated = ProfileSchema.updatingTables(of: guide)
    #expect(updated.hasPrefix("# A\n<!-- keys: block -->\n\n| Key | Value | Default | Meaning |\n"))
    #expect(updated.hasSuffix("\n\nAfter.\n\n<!-- keys: unknown -->\n"))
    #expect(!updated.contains("Old"))
    #expect(ProfileSchema.updatingTables(of: updated) == updated)
  }

  @Test(
    "no attribute belongs to two rows, and the kernel's defaults are in the range")
  func attributes() {
    for object in ProfileSchema.all {
      let names = object.rows.flatMap(\.attributes).map(\.name)
      #expect(Set(names).count == names.count, "\(object.name)")
      for row in object.rows {
        guard let range = row.range, row.attributes.count == 1,
          case .text(let text) = row.attributes[0].fresh
        else { continue }
        let value = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
        // -1 is what the transport replaces, 0xffff what no function may keep, and nothing is no value.
        let isPlaceholder = ["-1", "0xffff", ""].contains(text)
        #expect(
          isPlaceholder || value.map(range.contains) ?? false, "\(object.name).\(row.key ?? "")")
      }
    }
  }

  @Test(
    "every shipped profile decodes without a warning",
    arguments: ShippedProfile.names)
  func shipped(_ name: String) throws {
    let located = try Profile.decode(readFile(ShippedProfile.directory.appending(name + ".json")))
    #expect(located.warnings == [])
    #expect(!located.profile.functions.isEmpty)
  }

  @Test("there is a profile for every kind of backing, target and board that the README names")
  func everyKind() {
    let wanted = [
      "block", "file", "loop-device", "namespaces", "null_blk-loop", "null_blk-pci", "rock5b",
      "rockpro64", "tcp", "two-functions",
    ]
    #expect(ShippedProfile.names == wanted)
  }
}
