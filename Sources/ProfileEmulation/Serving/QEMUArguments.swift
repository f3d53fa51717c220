// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

/// The options of QEMU 10.1 or later for a served function.
package struct QEMUArguments {
  package var socket: String

  package init(socket: String) { self.socket = socket }

  /// Memory that the server can map: without it, every access is a message.
  package static let memory = [
    "-object", "memory-backend-memfd,id=ram,size=1G,share=on", "-machine", "q35,memory-backend=ram",
    "-m", "1G",
  ]

  package var device: [String] {
    let json: JSONValue = [
      "driver": "vfio-user-pci", "socket": ["type": "unix", "path": .string(socket)],
    ]
    return ["-device", json.compactText]
  }

  package var all: [String] { Self.memory + device }

  /// For a shell.
  package var text: String {
    all.map { word in
      let isPlain = word.allSatisfy {
        $0.isASCII && ($0.isLetter || $0.isNumber || "-_=,./".contains($0))
      }
      return isPlain
        ? word
        : "'"
          + word.split(separator: "'", omittingEmptySubsequences: false)
          .joined(separator: #"'\''"#) + "'"
    }.joined(separator: " ")
  }
}
