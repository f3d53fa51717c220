// SPDX-License-Identifier: Apache-2.0
public import Provisioning
internal import SystemPackage

/// The schemas of `Configs/schema`.
public enum PublishedSchema {
  /// The one of profiles.
  public static func profile() throws -> JSONSchema {
    JSONSchema(try document("profile.schema.json"))
  }

  /// The one of what commands print with `--json`.
  public static func output() throws -> JSONSchema {
    JSONSchema(
      try document("output.schema.json"), others: ["profile.schema.json": try profile()])
  }

  /// A schema as it is.
  public static func document(_ name: String) throws -> JSONValue {
    let path = ShippedProfile.repository.appending("Configs/schema").appending(name)
    return try LocatedJSON(parsing: readFile(path)).value
  }
}
