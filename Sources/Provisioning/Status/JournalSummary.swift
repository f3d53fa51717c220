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
  /// Where the run that did not finish was cut off; nil when the last run finished.
  public var interruption: Interruption?
  /// Directories that epfnvme created.
  public var directories: Set<String> = []
  /// Why the journal cannot be used.
  public var problem: ProvisioningError?
}

/// Where a run of epfnvme was cut off: by SIGKILL, a crash of the machine, or a loss of power.
public struct Interruption: Hashable, Sendable {
  /// The profile's.
  public var name: String
  /// The effect that was announced and not confirmed, `link …`; nil when no step was under way.
  public var step: String?
  /// Whether that was in an earlier boot of the machine, so that the objects in configfs do not exist any more.
  public var isOfEarlierBoot: Bool

  init(_ name: String, _ contents: borrowing Journal.Contents) {
    self.name = name
    step = contents.step?.sentence
    isOfEarlierBoot = contents.isOfEarlierBoot
  }

  /// `was cut off by a restart of the machine at this step: link …`
  public var sentence: String {
    (isOfEarlierBoot
      ? "was cut off by a restart, a crash or a loss of power of the machine" : "was cut off")
      + (step.map { " at this step: \($0)" } ?? " between two steps")
  }
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
        if !contents.unfinished.isEmpty { summary.interruption = Interruption(name, contents) }
        summary.directories = contents.all.directories
      } catch { summary.problem = error }
      return summary
    }
  }
}
