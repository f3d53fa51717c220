// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// `nvmet` hosts, and the links that allow them.
/// - Source: `drivers/nvme/target/configfs.c`.
extension AttributeTable {
  static let hostRules: [AttributeRule] =
    [
      secret("dhchap_key"), secret("dhchap_ctrl_key"),
      .plain("dhchap_hash", "hmac(sha256)") { (written, _) throws(Errno) in
        let names = ["hmac(sha256)", "hmac(sha384)", "hmac(sha512)"]
        guard let name = names.first(where: { written.bytes.starts(with: $0.utf8) }) else {
          throw .invalidArgument
        }
        return name
      },
      .plain("dhchap_dhgroup", "null") { (written, _) throws(Errno) in
        let names = ["null", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"]
        guard let name = names.first(where: { written.bytes.starts(with: $0.utf8) }) else {
          throw .invalidArgument
        }
        return name
      },
    ].map { $0.when { $0.has(.authentication) } }

  private static func secret(_ name: String) -> AttributeRule {
    AttributeRule(
      name: name, show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        if written.bytes.isEmpty {
          state.set(name, "", of: node)
          return
        }
        guard written.bytes.starts(with: "DHHC-1:".utf8),
          let first = written.bytes.dropFirst(7).first, let id = digit(first, 10)
        else { throw .invalidArgument }
        guard id <= 3 else {
          state.log(.error, "nvmet: Invalid DH-HMAC-CHAP hash id \(id)")
          throw .invalidArgument
        }
        var text = written.bytes
        while let last = text.last, isSpace(last) { text.removeLast() }
        state.set(name, String(decoding: text, as: UTF8.self), of: node)
      })
  }
}

extension KernelState {
  mutating func linkHost(_ target: Int, into holder: Int) throws(Errno) {
    guard tree[target].kind == .host else {
      log(.error, "nvmet: can only link hosts into the allowed_hosts directory!")
      throw .invalidArgument
    }
    guard !isSet("attr_allow_any_host", of: tree[holder].parent) else {
      log(.error, "nvmet: can't add hosts when allow_any_host is set!")
      throw .invalidArgument
    }
    guard !tree[holder].children.contains(where: { tree[$0].target == target }) else {
      throw .fileExists
    }
  }
}
