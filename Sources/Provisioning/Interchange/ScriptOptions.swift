// SPDX-License-Identifier: Apache-2.0

/// The public shell scripts that set endpoint functions up, and their options.
///
/// `nvme-epf-script` is the copy of `nvme-epf` in images for computational storage, whose driver has transfer threads.
/// - Source: `board/radxa/rock5b-ep/overlay/root/pci-ep` of the buildroot tree of the drivers' author: `nvmet-pci-epf` for
/// `nvmet_pci_epf`, `nvme-epf` for `pci_epf_nvme`, the latter with the spellings of its earlier versions; the README of
/// `rick-heig/nvme_csd` for `nvme-epf-script`.
enum EndpointScript: String, CaseIterable {
  case nvmetPCIEPF = "nvmet-pci-epf"
  case nvmeEPF = "nvme-epf"
  case nvmeEPFScript = "nvme-epf-script"

  /// Whether there are versions with options that are not listed here.
  var hasMoreOptions: Bool { self == .nvmeEPFScript }

  /// The meaning of an option.
  enum Meaning: Equatable {
    case help, debugging, scheduler, threads, rotational, bufferedIO, noDMA
    case transferLimit, queueSize, ioQueues, model, device, tcp
    /// Meant different things in different versions of the script.
    case ambiguous(String)
  }

  struct Option {
    var names: [String]
    var meaning: Meaning
    /// The number of values.
    var values = 0
  }

  /// `--threads` belongs to drivers with transfer threads, whose images have a copy of any of the scripts.
  private static let common = [
    Option(names: ["-h", "--help"], meaning: .help),
    Option(names: ["--debug-epf", "--debug-nvme", "--debug-pci", "--debug"], meaning: .debugging),
    Option(names: ["--mdts"], meaning: .transferLimit, values: 1),
    Option(names: ["--buffered-io"], meaning: .bufferedIO),
    Option(names: ["--nrioq"], meaning: .ioQueues, values: 1),
    Option(names: ["--threads"], meaning: .threads, values: 1),
  ]

  var options: [Option] {
    switch self {
    case .nvmetPCIEPF:
      Self.common + [
        Option(names: ["--mqes"], meaning: .queueSize, values: 1),
        Option(names: ["--nsdev"], meaning: .device, values: 1),
        Option(names: ["--sched"], meaning: .scheduler, values: 1),
        Option(names: ["--rot"], meaning: .rotational),
      ]
    case .nvmeEPF, .nvmeEPFScript:
      Self.common + [
        Option(names: ["-d"], meaning: .debugging),
        Option(names: ["-b"], meaning: .bufferedIO),
        Option(names: ["-q", "--nr-io-queues"], meaning: .ioQueues, values: 1),
        Option(names: ["--disable-dma", "--mmio"], meaning: .noDMA),
        Option(names: ["-m"], meaning: .ambiguous("--disable-dma or --model")),
        Option(names: ["--model"], meaning: .model, values: 1),
        Option(names: ["-l", "--loop"], meaning: .device, values: 1),
        Option(names: ["-t", "--tcp"], meaning: .tcp, values: 3),
      ]
    }
  }

  func option(_ name: String) -> Option? { options.first { $0.names.contains(name) } }

  /// The profile of a script that is started without options, but for its backing.
  var profile: Profile {
    var profile = Profile(name: rawValue)
    var subsystem: Profile.Subsystem
    var function: Profile.Function
    switch self {
    case .nvmetPCIEPF:
      profile.driver = .nvmetPCIEPF
      subsystem = Profile.Subsystem(nqn: "nvmepf.0.nqn")
      function = Profile.Function(
        name: "nvmepf.0", vendorID: 0x1b96, deviceID: 0xbeef,
        target: .local(nqn: subsystem.nqn, spelled: .pci))
      function.subsystemVendorID = 0x1b96
      function.ioQueues = 4
      function.queueSize = 128
    case .nvmeEPF, .nvmeEPFScript:
      profile.driver = .pciEPFNVMe
      subsystem = Profile.Subsystem(nqn: "pci_epf_nvme.0.nqn")
      function = Profile.Function(
        name: "pci_epf_nvme.0", vendorID: 0x15b7, deviceID: 0x5fff,
        target: .local(nqn: subsystem.nqn, spelled: .loop))
      function.mdtsKiB = 128
    }
    subsystem.model = "Linux-pci-epf"
    subsystem.namespaces = [Profile.Namespace(id: 1, backing: "disk")]
    function.msixVectors = 32
    function.msiVectors = 32
    profile.subsystems = [subsystem]
    profile.functions = [function]
    return profile
  }

  /// The scripts load null_blk with one device of 1024 GiB, as many queues as CPUs and requests of 1 MiB.
  static var nullBlock: Profile.NullBlock {
    var device = Profile.NullBlock()
    device.sizeMiB = 1024 << 10
    // More than any board has: the number of CPUs limits it.
    device.submitQueues = 256
    device.attributes = [Profile.RawAttribute(name: "max_sectors", text: "2048")]
    return device
  }
}
