// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

extension SchemaObject {
  /// The key of an attribute; empty if profiles cannot set it; nil if it has no key.
  func key(ofAttribute name: String) -> String? {
    guard let (row, _) = row(ofAttribute: name) else { return nil }
    if case .command = row.kind { return "" }
    return row.key
  }

  /// The values of a new object for attributes with constant defaults, except the given ones.
  func freshTexts(except names: Set<String> = []) -> [String: String] {
    var texts: [String: String] = [:]
    for row in rows {
      if case .command = row.kind { continue }
      for attribute in row.attributes where !names.contains(attribute.name) {
        texts[attribute.name] = attribute.freshText
      }
    }
    return texts
  }

  /// The text that resets an attribute to its value in a new object; nil if unknown.
  func reset(_ path: String) -> Operation? {
    guard let fresh = row(ofAttribute: FilePath(path).name)?.attribute.freshText else { return nil }
    return .write(
      path: path, value: .text(SecretAttribute.written(fresh + "\n", to: path)),
      shown: fresh + "\n")
  }

  /// The attributes without those that have keys, default values or no text, in an order that the kernel accepts: a port's `addr_tsas`
  /// resets `addr_treq`, so it is first.
  func raw(_ texts: [Profile.RawAttribute]) -> [Profile.RawAttribute] {
    texts.filter {
      key(ofAttribute: $0.name) == nil && !$0.text.isEmpty
        && row(ofAttribute: $0.name)?.attribute.freshText != $0.text
        // Without TLS the transport determines this value.
        && !($0.name == "addr_tsas" && $0.text == "connected")
    }.sorted {
      ($0.name != "addr_tsas" ? 1 : 0, $0.name) < ($1.name != "addr_tsas" ? 1 : 0, $1.name)
    }
  }
}

/// Secrets in attributes are hidden unless requested.
package enum SecretAttribute {
  /// The placeholder for a hidden secret; the kernel does not accept it.
  static let mask = "(hidden)"

  /// Whether an attribute, by its name or path, is a secret.
  static func matches(_ path: String) -> Bool {
    path.hasSuffix("dhchap_key") || path.hasSuffix("dhchap_ctrl_key")
  }

  /// The text of an attribute as it may be shown; an absent secret is no secret. Of the options of `pci_epf_nvme` only those that hold
  /// keys are hidden.
  package static func reported(_ text: String, at path: String) -> String {
    if path.hasSuffix("ctrl_opts") { return FabricsOptions.hidingSecrets(in: text) }
    guard matches(path) else { return text }
    return sameAttributeText(text, "") ? "" : mask
  }

  /// The byte that clears a secret; an empty line is refused.
  /// - Source: `drivers/nvme/target/auth.c`, `nvmet_auth_set_key`.
  static let clearing = "\0"

  /// The text to write so that an attribute shows a text.
  static func written(_ shown: String, to path: String) -> String {
    matches(path) && sameAttributeText(shown, "") ? clearing : shown
  }
}
