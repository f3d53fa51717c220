// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

extension SchemaObject {
  /// The key that stands for an attribute; empty where no profile can say it; nil when there is no key.
  func key(ofAttribute name: String) -> String? {
    guard let (row, _) = row(ofAttribute: name) else { return nil }
    if case .command = row.kind { return "" }
    return row.key
  }

  /// What a fresh object shows in the attributes whose values do not depend on anything, but for those that are named.
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

  /// What makes an attribute as in a fresh object; nil where the table does not know it.
  func reset(_ path: String) -> Operation? {
    guard let fresh = row(ofAttribute: FilePath(path).name)?.attribute.freshText else { return nil }
    return .write(
      path: path, value: .text(SecretAttribute.written(fresh + "\n", to: path)),
      shown: fresh + "\n")
  }

  /// What is left when attributes with keys, fresh ones and those without text are gone, in an order that the kernel
  /// takes: a port's `addr_tsas` resets `addr_treq`, so it comes first.
  func raw(_ texts: [Profile.RawAttribute]) -> [Profile.RawAttribute] {
    texts.filter {
      key(ofAttribute: $0.name) == nil && !$0.text.isEmpty
        && row(ofAttribute: $0.name)?.attribute.freshText != $0.text
        // Nothing can be chosen here without TLS; it is what the transport says it is.
        && !($0.name == "addr_tsas" && $0.text == "connected")
    }.sorted {
      ($0.name != "addr_tsas" ? 1 : 0, $0.name) < ($1.name != "addr_tsas" ? 1 : 0, $1.name)
    }
  }
}

/// Secrets in attributes: shown hidden unless somebody asks for them.
enum SecretAttribute {
  /// What stands for a secret that was not asked for; no kernel takes it.
  static let mask = "(hidden)"

  /// Whether an attribute, by its name or path, is a secret.
  static func matches(_ path: String) -> Bool {
    path.hasSuffix("dhchap_key") || path.hasSuffix("dhchap_ctrl_key")
  }

  /// The text of an attribute as it may be shown; an absent secret is no secret.
  static func reported(_ text: String, at path: String) -> String {
    guard matches(path) else { return text }
    return sameAttributeText(text, "") ? "" : mask
  }

  /// The byte that clears a secret; an empty line is refused.
  /// - Source: `drivers/nvme/target/auth.c`, `nvmet_auth_set_key`.
  static let clearing = "\0"

  /// What makes an attribute show a text.
  static func written(_ shown: String, to path: String) -> String {
    matches(path) && sameAttributeText(shown, "") ? clearing : shown
  }
}
