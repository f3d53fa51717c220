// SPDX-License-Identifier: Apache-2.0

/// Rules for a profile on any machine: forms, limits and sums of the specification and of both drivers.
enum ProfileRules {
  /// The drivers' limits that a profile can run into and that are no key's range.
  enum Limit {
    /// I/O queues that `nvmet_pci_epf` can serve: 128 queues with the admin queue.
    static let ioQueuesOfNVMeTPCIEPF: UInt16 = 127
    static let namespaces = 1024
  }

  /// All issues of a profile that was not read from a document: an import, an export, options.
  static func issues(of profile: Profile) -> [ProfileIssue] {
    let collector = IssueCollector()
    SchemaCheck(issues: collector).check(
      LocatedJSON(profile.json), "", as: ProfileSchema.document)
    collector.add(following: relations(of: profile))
    return collector.issues.map { issue in
      var issue = issue
      issue.position = nil
      return issue
    }
  }

  /// Checks the combined values of a profile.
  ///
  /// Every value may be out of range here: computations must not trap.
  static func relations(of profile: Profile) -> [ProfileIssue] {
    let collector = IssueCollector()
    ProfileCheck(profile: profile, issues: collector).all()
    return collector.issues
  }

  /// Why a text cannot be a profile's name; nil when it can.
  static func problem(withProfileName name: String) -> String? {
    TextForm.profileName.problem(with: name).map { "\"\(name.prefix(60))\" \($0)" }
  }
}
