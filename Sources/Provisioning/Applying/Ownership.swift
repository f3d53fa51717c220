// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// The owners of objects on a machine: the journals of all profiles, from the perspective of one of them.
struct Ownership {
  /// The objects that this profile created.
  var own: Ledger
  /// Whether this profile has a journal; without one, existing objects may still belong to it.
  var hasJournal: Bool
  /// The objects of the other profiles, in the order of their names.
  private(set) var others: [(profile: String, ledger: Ledger)] = []
  /// Journals that cannot be read, so that their objects are unknown.
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

  /// The other profile that created a directory, a link or a loop device.
  func owner(of path: String) -> String? { owners[path] }

  /// Whether this profile has written an attribute, and no other one has.
  func isOwnAlone(_ attribute: String) -> Bool {
    own.lastWritten[attribute] != nil && !isWrittenByOthers(attribute)
  }

  /// Whether another profile sets an attribute of a host; an attribute that was reset to its default is no longer set.
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
