// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
internal import SystemPackage

/// The `nullb` tree: block devices in memory, or without storage.
/// - Source: `drivers/block/null_blk/main.c`, `nullb_subsys`.
public struct NullBlockTree: Sendable {
  public let directory: ConfigDirectory

  /// Accesses nothing; ``isAvailable`` checks whether the kernel has the tree.
  public init(on backend: any ConfigFSBackend) {
    directory = ConfigDirectory(backend.mountPoint.appending("nullb"), on: backend)
  }

  /// The module that provides the tree. It is not loaded on demand.
  public static let moduleName = "null_blk"

  /// The parameters for loading it: by default it would create a device `/dev/nullb0` that configfs cannot change.
  public static let moduleParameters = ["nr_devices=0"]

  /// The values of a new device's attributes that depend on the module's parameters. Other attributes have the kernel's default.
  /// - Source: `drivers/block/null_blk/main.c`, `null_alloc_dev`.
  public static func freshValues(parameters: [String: String]) -> [String: String] {
    var values: [String: String] = [:]
    for (name, text) in parameters {
      switch name {
      case "gb": values["size"] = Int(text).map { "\($0 &* 1024)" } ?? text
      case "bs": values["blocksize"] = text
      // -1 is no node.
      case "home_node": values[name] = Int32(text).map { "\(UInt32(bitPattern: $0))" } ?? text
      default:
        switch text.lowercased() {
        case "y", "yes", "t", "true", "on": values[name] = "1"
        case "n", "no", "f", "false", "off": values[name] = "0"
        default: values[name] = text
        }
      }
    }
    return values
  }

  /// Whether `null_blk` is loaded and configfs mounted.
  public var isAvailable: Bool { directory.exists }

  /// The attributes that devices have (`features`). Kernels before 7.2 omit `index`, so a missing name is not conclusive.
  /// - Source: `drivers/block/null_blk/main.c`, `memb_group_features_show`.
  public var features: ReadOnlyAttribute<NullBlockFeatures> { directory[readOnly: "features"] }

  /// The devices. `mkdir` creates one that is powered off; EEXIST if a null_blk disk with the name exists.
  /// - Source: `drivers/block/null_blk/main.c`, `nullb_group_make_group`.
  public var devices: ConfigGroup<NullBlockDevice> { ConfigGroup(directory) }
}

/// The names that `features` lists.
public struct NullBlockFeatures: AttributeValue {
  public var names: [String]

  public init(names: [String]) { self.names = names }

  public init?(attributeText: String) {
    names = attributeText.withoutTrailingNewline.split(separator: ",").map(String.init)
  }

  public var attributeText: String { names.joined(separator: ",") + "\n" }
  public static var expectedForm: String { "names separated by commas" }
}
