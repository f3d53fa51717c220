// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Fields of NVMe data structures as nvme-cli lays them out: `vid       : 0x15b7`.
enum IdentifyText {
  /// `nvme id-ctrl`: a line a field, names in a column of ten.
  static func lines(_ controller: IdentifyController) -> [String] {
    lines(controller.fields, width: 10)
  }

  /// `nvme id-ns`: names in a column of eight.
  static func lines(_ namespace: IdentifyNamespace) -> [String] {
    lines(namespace.fieldsAndFormats, width: 8)
  }

  private static func lines(
    _ fields: [(name: String, value: String)], width: Int
  ) -> [String] {
    fields.map { name, value in
      name + String(repeating: " ", count: max(1, width - name.count)) + ": "
        + Terminal.printable(value)
    }
  }
}
