// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import KernelHistory
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The citations of sources, tests and documents exist.
///
/// `nvmet.md, 4.1` is a document below Docs/Reference with a heading 4.1, `nvmet.md, 21, row 2` a row of a table there, and
/// `nvmet_pci_epf.md#failed-read-hangs` an anchor, such as the name of a quirk. Sections of the same document can follow: `pci_ep.md, 4, 13`.
@Suite struct CitationTests {
  /// The parts of a Markdown document that can be cited or linked.
  struct Document {
    /// The number of a section, and what the rows of its tables begin with.
    private(set) var sections: [String: Set<String>] = [:]
    private(set) var anchors: Set<String> = []

    init(_ file: File) {
      // The numbered headings above a line, the outermost first.
      var above: [(level: Int, number: String)] = []
      for line in file.prose {
        for anchor in line.text.matches(of: #/<a id="([^"]+)">/#) {
          anchors.insert(String(anchor.output.1))
        }
        if let heading = line.text.wholeMatch(of: #/(#+) (.+)/#) {
          let level = heading.output.1.count
          let title = heading.output.2
          anchors.insert(Self.anchor(title))
          above.removeAll { $0.level >= level }
          if let number = title.prefixMatch(of: #/(\d+(?:\.\d+)*)\.? /#) {
            above.append((level, String(number.output.1)))
            sections[String(number.output.1)] = []
          }
        } else if line.text.hasPrefix("|"), let cell = line.text.split(separator: "|").first {
          let key = cell.replacing(#/<[^>]*>/#, with: "")
            .trimmingCharacters(in: CharacterSet(charactersIn: " *`"))
          for section in above { sections[section.number]?.insert(key) }
        }
      }
    }

    /// The anchor of a heading, as GitHub makes it.
    private static func anchor(_ title: Substring) -> String {
      String(
        title.lowercased().compactMap { (character) -> Character? in
          if character == " " { return "-" }
          return character.isLetter || character.isNumber || "-_".contains(character)
            ? character : nil
        })
    }
  }

  struct Line: Sendable {
    var place: String
    var text: String
  }

  /// A text file of the repository.
  struct File: Sendable {
    /// Below the repository's root.
    var path: String
    var lines: [Line]

    init?(_ path: String) {
      guard
        let bytes = try? readFile(ShippedProfile.repository.appending(path)),
        let text = String(validating: bytes, as: UTF8.self)
      else { return nil }
      self.path = path
      lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
        Line(place: "\(path):\($0.offset + 1)", text: String($0.element))
      }
    }

    /// The lines of a Markdown document that are not in a code block.
    var prose: [Line] {
      var isCode = false
      return lines.filter { line in
        guard line.text.hasPrefix("```") else { return !isCode }
        isCode.toggle()
        return false
      }
    }
  }

  static let files: [File] =
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].compactMap { File($0) }
    + ["Sources", "Tests", "Docs"].flatMap { directory -> [File] in
      let root = ShippedProfile.repository.appending(directory)
      let paths = FileManager.default.enumerator(atPath: root.string)
      var files: [File] = []
      while let path = paths?.nextObject() as? String {
        // Packages below Tests have build directories.
        if FilePath(path).lastComponent?.string.hasPrefix(".") == true {
          paths?.skipDescendants()
        } else if let file = File("\(directory)/\(path)") {
          files.append(file)
        }
      }
      return files
    }

  private static let documents = files.filter { $0.path.hasSuffix(".md") }

  /// The documents of the reference by name, without a directory.
  private static let reference = Dictionary(
    documents.filter { $0.path.hasPrefix("Docs/Reference/") }.map {
      (String($0.path.split(separator: "/").last ?? ""), Document($0))
    }, uniquingKeysWith: { first, _ in first })

  @Test("each citation names a section that exists, and a row of it")
  func citations() {
    let pattern =
      #/([\w-]+\.md), (\d+(?:\.\d+)*(?:, \d+(?:\.\d+)*)*)((?:, row \d+)*)/#
    var count = 0
    for line in Self.files.flatMap(\.lines) where line.text.contains(".md, ") {
      for citation in line.text.matches(of: pattern) {
        count += 1
        let name = String(citation.output.1)
        guard let document = Self.reference[name] else {
          Issue.record("\(line.place): \(name) is not below Docs/Reference")
          continue
        }
        let numbers = citation.output.2.split(separator: ", ").map(String.init)
        for number in numbers where document.sections[number] == nil {
          Issue.record("\(line.place): \(name) has no section \(number)")
        }
        guard let rows = numbers.last.flatMap({ document.sections[$0] }) else { continue }
        for part in citation.output.3.split(separator: ", ") {
          let row = String(part.dropFirst("row ".count))
          #expect(rows.contains(row), "\(line.place): \(name), \(citation.output.2) has no \(part)")
        }
      }
    }
    #expect(count > 300)
  }

  @Test("each citation of a quirk or a heading names an anchor that exists")
  func anchors() {
    var count = 0
    // The links of documents have their own test.
    let files = Self.files.filter { !$0.path.hasSuffix(".md") }
    for line in files.flatMap(\.lines) where line.text.contains(".md#") {
      for citation in line.text.matches(of: #/([\w-]+\.md)#([\w-]+)/#) {
        count += 1
        let (name, anchor) = (String(citation.output.1), String(citation.output.2))
        guard let document = Self.reference[name] else {
          Issue.record("\(line.place): \(name) is not below Docs/Reference")
          continue
        }
        #expect(document.anchors.contains(anchor), "\(line.place): \(name) has no \(anchor)")
      }
    }
    #expect(count > 50)
  }

  @Test("quirks are cited by name, not by number")
  func quirkNumbers() {
    for line in Self.files.flatMap(\.lines) {
      #expect(!line.text.contains(#/\.md, [\d.]+, Q\d/#), "\(line.place)")
    }
  }

  @Test("each link within the repository leads to a file, and to a heading of it")
  func links() {
    let anchors = Dictionary(
      Self.documents.map { ($0.path, Document($0).anchors) }, uniquingKeysWith: { $0.union($1) })
    var count = 0
    for file in Self.documents {
      let directory = FilePath(file.path).removingLastComponent()
      for line in file.prose where line.text.contains("](") {
        let text = line.text.replacing(#/`[^`]*`/#, with: "")
        for link in text.matches(of: #/\]\(([^()\s]+)\)/#) where !link.output.1.contains(":") {
          count += 1
          let parts = link.output.1.split(
            separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
          let path =
            parts[0].isEmpty
            ? file.path : directory.appending(String(parts[0])).lexicallyNormalized().string
          let exists = FileManager.default.fileExists(
            atPath: ShippedProfile.repository.appending(path).string)
          #expect(exists && !path.hasPrefix(".."), "\(line.place): there is no \(path)")
          guard exists, parts.count == 2 else { continue }
          let isThere = anchors[path]?.contains(String(parts[1])) == true
          #expect(isThere, "\(line.place): \(path) has no heading \(parts[1])")
        }
      }
    }
    #expect(count > 100)
  }

  @Test("each quirk is documented under its name", arguments: Quirk.allCases)
  func quirk(_ quirk: Quirk) throws {
    let isFixed = quirk.behaviour == .nvmetPCIEPF && quirk.change?.until != nil
    let page = isFixed ? "releases" : quirk.behaviour.rawValue
    let path = "Docs/Reference/Kernel/\(page).md"
    let file = try #require(Self.documents.first { $0.path == path })
    let row = "| <a id=\"\(quirk.rawValue)\"></a>`\(quirk.rawValue)` | "
    #expect(file.lines.contains { $0.text.hasPrefix(row) })
  }

  @Test("sections are cited by document and number, without a section sign")
  func sectionSigns() {
    for line in Self.files.flatMap(\.lines) {
      #expect(!line.text.utf8.contains(0xc2) || !line.text.contains("\u{a7}"), "\(line.place)")
    }
  }
}
