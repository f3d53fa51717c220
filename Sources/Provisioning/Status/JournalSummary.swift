// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
public import SystemPackage

/// A read-only summary of a journal.
public struct JournalSummary: Hashable, Sendable {
  /// The profile's.
  public var name: String
  public var path: FilePath
  /// The first effect of a run that did not finish, `create /sys/kernel/config/nvmet/ports/1`; nil when the last run finished.
  public var unfinished: String?
  /// Directories that epfnvme created.
  public var directories: Set<String> = []
  /// Why the journal cannot be used.
  public var problem: ProvisioningError?
}

extension Provisioner {
  /// All journals, in alphabetical order.
  /// - Throws: the reason why their directory cannot be read. If it does not exist, there are none.
  public func journals() throws(Errno) -> [JournalSummary] {
    let names: [String]
    do { names = try run.readNames() } catch .noSuchFileOrDirectory { return [] }
    return names.map { name in
      var summary = JournalSummary(name: name, path: run.journalPath(name))
      do throws(ProvisioningError) {
        guard let contents = try Journal.contents(name, in: run) else { return summary }
        summary.unfinished = contents.unfinished.first?.operation.sentence
        summary.directories = contents.all.directories
      } catch { summary.problem = error }
      return summary
    }
  }
}
