// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// What is published about profiles is what the decoder does.
@Suite struct SchemaTests {
  private func schema() throws -> JSONValue {
    let path = ShippedProfile.repository.appending("Configs/schema/profile.schema.json")
    return try LocatedJSON(parsing: readFile(path)).value
  }

  @Test("the schema has the decoder's keys and required keys for every object")
  func keys() throws {
    let definitions = try #require(try schema()["$defs"])
    for (object, keys) in ProfileKeys.all {
      let definition = try #require(definitions[object], "\(object) is not in the schema")
      guard case .object(let properties)? = definition["properties"] else {
        Issue.record("\(object) has no properties")
        continue
      }
      #expect(Set(properties.map(\.key)) == Set(keys.map(\.name)), "\(object)")
      let required = definition["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
      #expect(Set(required) == Set(keys.filter(\.isRequired).map(\.name)), "\(object)")
      #expect(definition["additionalProperties"]?.boolValue == false, "\(object)")
    }
  }

  @Test("the schema defines nothing that the decoder does not know")
  func definitions() throws {
    guard case .object(let definitions)? = try schema()["$defs"] else {
      Issue.record("no $defs")
      return
    }
    let objects = definitions.filter { $0.value["properties"] != nil }.map(\.key)
    #expect(Set(objects) == Set(ProfileKeys.all.map(\.name)))
    #expect(try schema()["$ref"]?.stringValue == "#/$defs/profile")
  }

  @Test(
    "every shipped profile decodes, with no warning but for the howto's names",
    arguments: ShippedProfile.names)
  func shipped(_ name: String) throws {
    let located = try Profile.decode(readFile(ShippedProfile.directory.appending(name + ".json")))
    let expected = name == "null_blk-loop" ? ["subsystems[0].nqn"] : []
    #expect(located.warnings.map(\.path) == expected)
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
