// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The ASCII rule that serial number, model and firmware revision share: a first line of 0x20…0x7e.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_is_ascii`.
private func problem(withASCII text: String, upTo limit: Int) -> String? {
  if text.isEmpty { return "is empty" }
  guard text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
    return "contains characters other than printable ASCII"
  }
  guard text.utf8.count <= limit else {
    return "has \(text.utf8.count) bytes, more than \(limit)"
  }
  return nil
}

/// A controller's serial number, 1 to 20 printable ASCII characters (`attr_serial`).
///
/// The kernel pads it with spaces to 20 and shows it padded; trailing spaces are therefore insignificant.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_serial_store_locked`.
public struct SerialNumber: ValidatedText {
  public let text: String

  public init(validated text: String) {
    let significant = text.utf8.reversed().drop { $0 == 0x20 }.count
    self.text = significant == 0 ? " " : String(text.prefix(significant))
  }

  /// Bytes of the SN field.
  public static let length = 20

  public var shownText: String {
    text + String(repeating: " ", count: Self.length - text.utf8.count) + "\n"
  }

  public static var kind: String { "a serial number" }
  public static func problem(with text: String) -> String? {
    NVMeTarget.problem(withASCII: text, upTo: length)
  }
}

/// A controller's model, 1 to 40 printable ASCII characters (`attr_model`).
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_model_store_locked`.
public struct ModelNumber: ValidatedText {
  public let text: String
  public init(validated text: String) { self.text = text }

  public static var kind: String { "a model number" }
  public static func problem(with text: String) -> String? {
    NVMeTarget.problem(withASCII: text, upTo: 40)
  }
}

/// A controller's firmware revision, 1 to 8 printable ASCII characters (`attr_firmware`).
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_firmware_store_locked`.
public struct FirmwareRevision: ValidatedText {
  public let text: String
  public init(validated text: String) { self.text = text }

  public static var kind: String { "a firmware revision" }
  public static func problem(with text: String) -> String? {
    NVMeTarget.problem(withASCII: text, upTo: 8)
  }
}
