// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// Who made what on a machine: the journals of all profiles, as one of them sees it.
struct Ownership {
  /// What this profile made.
  var own: Ledger
  /// Whether this profile has a journal; without one, what is there may be its own all the same.
  var hasJournal: Bool
  /// What the others made, in the order of their names.
  private(set) var others: [(profile: String, ledger: Ledger)] = []
  /// Journals that cannot be read: whose objects are not known.
  private(set) var unreadable: [String] = []

  /// Directory, link or loop device → the other profile that has it.
  private var owners: [String: String] = [:]

  init(own: Ledger, hasJournal: Bool) {
    self.own = own
    self.hasJournal = hasJournal
  }

  /// - Throws: ``ProvisioningError`` when the journal of this profile cannot be used.
  init(_ name: String, in run: RunDirectory, own: Ledger? = nil) throws(ProvisioningError) {
    let contents = try Journal.contents(name, in: run)
    self.init(own: own ?? contents?.all ?? Ledger(), hasJournal: contents != nil)
    for other in run.journalNames() where other != name {
      do throws(ProvisioningError) {
        add(try Journal.contents(other, in: run)?.all ?? Ledger(), of: other)
      } catch {
        unreadable.append(other)
      }
    }
  }

  private mutating func add(_ ledger: Ledger, of profile: String) {
    others.append((profile, ledger))
    for path in ledger.directories where owners[path] == nil { owners[path] = profile }
    for path in ledger.links.keys where owners[path] == nil { owners[path] = profile }
    for device in ledger.loops.values where owners[device] == nil { owners[device] = profile }
  }

  /// The other profile that made a directory, a link or a loop device.
  func owner(of path: String) -> String? { owners[path] }

  /// Whether this profile has written an attribute, and no other one has.
  func isOwnAlone(_ attribute: String) -> Bool {
    own.lastWritten[attribute] != nil && !isWrittenByOthers(attribute)
  }

  /// Whether another profile states an attribute of a host; one that was reset to its default is not stated any more.
  func isWrittenByOthers(_ attribute: String) -> Bool {
    let fresh = attribute.lastComponent.flatMap {
      ProfileSchema.host.row(ofAttribute: $0)?.attribute.freshText
    }
    return others.contains { _, ledger in
      ledger.lastWritten[attribute].map { !sameAttributeText($0, fresh ?? "") } ?? false
    }
  }

  /// The other profiles that count on a controller being started.
  func startedBy(_ start: String) -> [String] {
    others.filter { $0.ledger.lastWritten[start] != nil }.map(\.profile)
  }
}
