// SPDX-License-Identifier: Apache-2.0

/// The JSON Schema of profiles, `Configs/schema/profile.schema.json`.
extension ProfileSchema {
  public static var jsonSchema: JSONValue {
    var definitions = all.map { JSONValue.Member($0.name, $0.definition) }
    definitions.append(.init("attributes", attributes))
    definitions.append(.init("number", number))
    return [
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "epfnvme profile",
      "description":
        "The target state of a machine. Comments (// and /* */) are allowed in profiles. See Docs/Guides/Profiles.md.",
      "$ref": "#/$defs/profile",
      "$defs": .object(definitions),
    ]
  }

  private static let number: JSONValue = [
    "description": "An integer, or a string that holds one: \"32\" or \"0x20\".",
    "type": ["integer", "string"], "pattern": .string(IntegerForm.pattern),
  ]

  private static let attributes: JSONValue = [
    "description":
      "Attributes of the kernel's object without a key: file name, and the text as the kernel shows it. Written in this order, before the object is enabled. Those of the group of a function's driver are nvme/NAME.",
    "type": "object",
    "propertyNames": ["pattern": "^(nvme/)?[A-Za-z][A-Za-z0-9_.-]{0,254}$"],
    "additionalProperties": [
      "type": "string", "minLength": 1, "maxLength": 4095,
      "pattern": #"^[^\u0000-\u001f\u007f]+$"#,
    ],
  ]
}

extension SchemaObject {
  fileprivate var definition: JSONValue {
    var members: [JSONValue.Member] = [
      .init("description", .string(summary + ".")), .init("type", "object"),
      .init("properties", .object(keyed.map { .init($0.name, $0.property) })),
    ]
    let required = keyed.filter(\.isRequired).map { JSONValue.string($0.name) }
    if !required.isEmpty { members.append(.init("required", .array(required))) }
    if isChoice { members += [.init("minProperties", 1), .init("maxProperties", 1)] }
    members.append(.init("additionalProperties", false))
    return .object(members)
  }
}

extension SchemaRow {
  fileprivate var property: JSONValue {
    var members: [JSONValue.Member] = []
    if let text = schemaDescription { members.append(.init("description", .string(text))) }
    members += constraints
    if case .value(let setting) = defaultValue { members.append(.init("default", json(setting))) }
    return .object(members)
  }

  private var schemaDescription: String? {
    var sentences: [String] = []
    if !summary.isEmpty { sentences.append(summary) }
    if case .powerOfTwo = kind { sentences.append("A power of two") }
    sentences += driverLimits.map { "At most \($0.bound) with \($0.driver)" }
    switch defaultValue {
    // The member "default" says it.
    case .value: break
    case .described, nil:
      if let text = defaultText, !text.isEmpty { sentences.append("Default: \(text)") }
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: ". ") + "."
  }

  private var constraints: [JSONValue.Member] {
    switch kind {
    case .integer(let range), .powerOfTwo(let range): return Self.number(range)
    case .constant(let value): return [.init("const", JSONValue(value))]
    case .boolean: return [.init("type", "boolean")]
    case .words(let words): return [.init("enum", .array(words.map { .string($0) }))]
    case .text(let form): return form.constraints
    case .textOrInteger(let form, let range):
      return [
        .init("type", ["integer", "string"]), .init("minimum", JSONValue(range.lowerBound)),
        .init("maximum", JSONValue(range.upperBound)),
      ] + form.constraints.filter { $0.key != "type" }
    case .texts(let form):
      return [
        .init("type", "array"), .init("items", .object(form.constraints)),
        .init("uniqueItems", true),
      ]
    case .object(let name): return [Self.reference(name)]
    case .objects(let name):
      return [.init("type", "array"), .init("items", .object([Self.reference(name)]))]
    case .named(let form, let name):
      return [
        .init("type", "object"), .init("propertyNames", .object(form.constraints)),
        .init("additionalProperties", .object([Self.reference(name)])),
      ]
    case .attributes: return [Self.reference("attributes")]
    case .unkeyed, .command: return []
    }
  }

  private static func reference(_ name: String) -> JSONValue.Member {
    .init("$ref", .string("#/$defs/\(name)"))
  }

  private static func number(_ range: ClosedRange<Int>) -> [JSONValue.Member] {
    let bounds: [JSONValue.Member] = [
      .init("minimum", JSONValue(range.lowerBound)), .init("maximum", JSONValue(range.upperBound)),
    ]
    guard range.lowerBound < 0 else { return [reference("number")] + bounds }
    return [
      .init("type", ["integer", "string"]),
      .init("pattern", .string(IntegerForm.signedPattern)),
    ] + bounds
  }

  private func json(_ setting: Setting) -> JSONValue {
    switch setting {
    case .boolean(let value): .bool(value)
    case .text(let text): .string(text)
    case .integer(let value): hexDigits.map { .hexadecimal(value, digits: $0) } ?? JSONValue(value)
    }
  }
}

extension TextForm {
  fileprivate var constraints: [JSONValue.Member] {
    var members: [JSONValue.Member] = [.init("type", "string")]
    if let minimumLength { members.append(.init("minLength", JSONValue(minimumLength))) }
    if let maximumLength { members.append(.init("maxLength", JSONValue(maximumLength))) }
    if let pattern { members.append(.init("pattern", .string(pattern))) }
    if !excluded.isEmpty {
      members.append(.init("not", ["enum": .array(excluded.map { .string($0) })]))
    }
    return members
  }
}
