// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Command lines of the public scripts as profiles.
@Suite struct ScriptImportTests {
  private func function(_ line: String) throws -> Profile.Function {
    try #require(try Import(script: line).profile.functions.first)
  }

  @Test("without options: the scripts' own defaults")
  func defaults() throws {
    let inKernel = try Import(script: "nvmet-pci-epf start").profile
    #expect(inKernel.name == "nvmet-pci-epf")
    #expect(inKernel.driver == .nvmetPCIEPF)
    #expect(inKernel.subsystems.map(\.nqn) == ["nvmepf.0.nqn"])
    #expect(inKernel.subsystems.first?.model == "Linux-pci-epf")
    let one = try #require(inKernel.functions.first)
    #expect([one.vendorID, one.deviceID, one.subsystemVendorID] == [0x1b96, 0xbeef, 0x1b96])
    #expect(one.ioQueues == 4 && one.queueSize == 128 && one.mdtsKiB == nil)
    #expect(one.msixVectors == 32 && one.msiVectors == 32)
    let outOfTree = try Import(script: "./nvme-epf start").profile
    #expect(outOfTree.driver == .pciEPFNVMe)
    let other = try #require(outOfTree.functions.first)
    #expect([other.vendorID, other.deviceID] == [0x15b7, 0x5fff])
    #expect(other.ioQueues == nil && other.mdtsKiB == 128)
    guard case .nullBlock(let device)? = outOfTree.backings.first?.store else {
      Issue.record("no null_blk")
      return
    }
    #expect(device.sizeMiB == 1_048_576)
    #expect(device.attributes == [.init(name: "max_sectors", text: "2048")])
  }

  static let functionLines: [(String, String)] = [
    ("sudo nvmet-pci-epf --nsdev /dev/sdb --nrioq 2 start", "ioQueues 2"),
    ("sudo -E -u root -- /root/pci-ep/nvmet-pci-epf --nrioq 2 start", "ioQueues 2"),
    ("doas nvme-epf -q 2 start", "ioQueues 2"),
    ("DEBUG=1 sudo env A=b bash -x ./nvme-epf -q 2 start", "ioQueues 2"),
    ("nvme-epf-script -q 4 -l /dev/sdb1 --threads 2 start", "ioQueues 4"),
    // Values behind an equal sign.
    ("nvmet-pci-epf --nrioq=2 start", "ioQueues 2"),
    ("nvmet-pci-epf --mdts=256 --nrioq=2 start", "mdtsKiB 256"),
    ("nvmet-pci-epf --mqes=512 start", "queueSize 512"),
    ("nvme-epf --nr-io-queues=2 start", "ioQueues 2"),
    ("nvme-epf-script --nrioq=2 --threads=3 start", "ioQueues 2"),
    ("nvme-epf --tcp=192.0.2.1 4421 nqn.2026-01.org.example:r --nrioq=2 start", "ioQueues 2"),
    // Programs that run the script.
    ("sudo bash -c './nvme-epf -q 2 start'", "ioQueues 2"),
    ("sudo bash -xc \"./nvme-epf -q 2 start\"", "ioQueues 2"),
    ("bash -c 'sudo nvmet-pci-epf --nrioq=2 start'", "ioQueues 2"),
    ("sh -ec 'exec nvmet-pci-epf --nrioq 2 start'", "ioQueues 2"),
    ("su -c 'nvme-epf -q 2 start'", "ioQueues 2"),
    ("su - root -c 'nvme-epf -q 2 start'", "ioQueues 2"),
    ("su -s /bin/sh --command='nvme-epf -q 2 start'", "ioQueues 2"),
    ("runuser -u root -- nvme-epf -q 2 start", "ioQueues 2"),
    ("taskset -c 4-7 nvme-epf -q 2 start", "ioQueues 2"),
    ("sudo taskset 0xf0 nvme-epf -q 2 start", "ioQueues 2"),
    ("systemd-run --unit=epf -p Type=oneshot --wait nvme-epf -q 2 start", "ioQueues 2"),
    ("systemd-run sh -c 'nvme-epf -q 2 start'", "ioQueues 2"),
    ("chrt -f 10 ionice -c 1 nice -n -5 nvme-epf -q 2 start", "ioQueues 2"),
    ("timeout -k 5 60 nohup nvme-epf -q 2 start", "ioQueues 2"),
    ("flock /run/lock/epf -c 'nvme-epf -q 2 start'", "ioQueues 2"),
    ("env -S 'A=b nvme-epf -q 2 start'", "ioQueues 2"),
    // As copied from a terminal or a guide.
    ("$ sudo nvmet-pci-epf --nrioq 2 start", "ioQueues 2"),
    ("# nvmet-pci-epf --nrioq 2 start", "ioQueues 2"),
    ("root@rock-5b:~/pci-ep# ./nvmet-pci-epf --nrioq 2 start", "ioQueues 2"),
    ("user@rock:~$ sudo ./nvmet-pci-epf.sh --nrioq 2 start  # four lanes", "ioQueues 2"),
    ("sudo nvmet-pci-epf \\\n  --nrioq 2 \\\n  start\n", "ioQueues 2"),
    ("nvmet-pci-epf --nrioq 8 start", "ioQueues 8"),
    ("nvmet-pci-epf --mdts 256 start", "mdtsKiB 256"),
    ("nvmet-pci-epf --mqes 512 start", "queueSize 512"),
    ("nvme-epf --nrioq 2 start", "ioQueues 2"),
    ("nvme-epf -q 2 start", "ioQueues 2"),
    ("nvme-epf --nr-io-queues 2 start", "ioQueues 2"),
    ("nvme-epf --mdts 64", "mdtsKiB 64"),
    ("nvme-epf --disable-dma start", "dma false"),
    ("nvme-epf --mmio start", "dma false"),
  ]

  @Test(
    "an option without a counterpart is named in a warning",
    arguments: [
      ("nvme-epf-script -q 4 -l /dev/sdb1 --threads 2 start", "--threads 2"),
      ("nvme-epf-script --fancy 3 -l /dev/sdb1 start", "--fancy"),
      ("nvme-epf-script --fancy=3 -l /dev/sdb1 start", "--fancy"),
      ("nvme-epf -l /dev/sdb1 --threads 2 start", "--threads 2"),
      ("nvme-epf --loop=/dev/sdb1 --threads=2 start", "--threads 2"),
      ("nvmet-pci-epf --threads 2 --nsdev /dev/sdb1 start", "--threads 2"),
      ("nvmet-pci-epf --nsdev=/dev/sdb1 --threads 2 start", "--threads 2"),
    ])
  func withoutCounterpart(_ line: String, _ option: String) throws {
    let result = try Import(script: line)
    #expect(result.warnings.contains { $0.message.hasPrefix("\(option) is left out") })
    #expect(result.profile.backings.first?.store == .block(path: "/dev/sdb1"))
  }

  @Test("options of the function", arguments: functionLines)
  func functionOptions(_ line: String, _ expected: String) throws {
    let function = try function(line)
    let found = [
      function.ioQueues.map { "ioQueues \($0)" }, function.mdtsKiB.map { "mdtsKiB \($0)" },
      function.queueSize.map { "queueSize \($0)" }, function.dma.map { "dma \($0)" },
    ].compactMap(\.self)
    #expect(found.contains(expected), "\(found)")
  }

  static let backingLines: [(String, Profile.Backing.Store)] = [
    ("nvmet-pci-epf --nsdev /dev/sda start", .block(path: "/dev/sda")),
    ("nvmet-pci-epf --nsdev /srv/disk.img start", .file(.init(path: "/srv/disk.img"))),
    ("nvme-epf --loop '/srv/my disk' start", .file(.init(path: "/srv/my disk"))),
    ("nvme-epf -l /dev/nvme0n1 start", .block(path: "/dev/nvme0n1")),
  ]

  @Test("options of the backing", arguments: backingLines)
  func backings(_ line: String, _ store: Profile.Backing.Store) throws {
    #expect(try Import(script: line).profile.backings.map(\.store) == [store])
  }

  @Test("the other options")
  func others() throws {
    let rotating = try Import(script: "nvmet-pci-epf --rot --buffered-io start").profile
    guard case .nullBlock(let device)? = rotating.backings.first?.store else {
      Issue.record("no null_blk")
      return
    }
    #expect(device.rotational == true)
    #expect(rotating.subsystems.first?.namespaces.first?.bufferedIO == true)
    let model = try Import(script: #"nvme-epf --model "My disk" start"#).profile
    #expect(model.subsystems.first?.model == "My disk")
    let remote = try Import(
      script: "nvme-epf --tcp 192.0.2.1 4421 nqn.2026-01.org.example:r start", as: "mine")
    #expect(remote.profile.name == "mine")
    #expect(remote.profile.subsystems.isEmpty && remote.profile.backings.isEmpty)
    var target = Profile.TCPTarget(nqn: "nqn.2026-01.org.example:r", address: "192.0.2.1")
    target.port = 4421
    #expect(remote.profile.functions.first?.target == .tcp(target))
  }

  @Test(
    "unsupported options are warnings with their column",
    arguments: [
      ("nvmet-pci-epf --sched bfq start", 15), ("nvmet-pci-epf --debug start", 15),
      ("nvme-epf --mdts 64 --debug-pci start", 20), ("nvme-epf -d start", 10),
    ])
  func warnings(_ line: String, _ column: Int) throws {
    let warnings = try Import(script: line).warnings.filter { $0.message.contains("left out") }
    #expect(warnings.map(\.position) == [TextPosition(line: 1, column: column)])
  }

  static let wrongLines: [(String, Int, String, String?)] = [
    ("", 1, "the command line is empty", nil),
    ("nvmet-pci-ep start", 1, "unknown script", "did you mean \"nvmet-pci-epf\"?"),
    ("cat /etc/passwd", 1, "unknown script \"cat\"", nil),
    (
      "nvmet-pci-epf --nrioqs 4 start", 15, "has no option \"--nrioqs\"",
      "did you mean \"--nrioq\"?"
    ),
    ("nvme-epf --mqes 4 start", 10, "has no option \"--mqes\"", nil),
    ("nvmet-pci-epf --nrioq", 15, "--nrioq needs a value", nil),
    ("nvme-epf --tcp 192.0.2.1 4420", 10, "--tcp needs 3 values", nil),
    ("nvmet-pci-epf --nrioq four start", 23, "takes a number from 1 to 65535", nil),
    ("nvmet-pci-epf --nrioq 0 start", 23, "takes a number from 1", nil),
    ("nvmet-pci-epf --nrioq 64 start", 23, "need 65 vectors, not 32", nil),
    ("nvmet-pci-epf --mdts 100 start", 22, "not a power of two", nil),
    ("nvmet-pci-epf --mqes 4 start", 22, "out of range: 16 to 1024", nil),
    ("nvme-epf -m start", 10, "meant different things", "write --disable-dma or --model"),
    ("nvmet-pci-epf stop", 15, "stop does not describe a profile", nil),
    ("nvmet-pci-epf strat", 15, "unknown action", "did you mean \"start\"?"),
    ("nvmet-pci-epf start --mdts 64", 21, "follows the action", "options precede the action"),
    ("nvmet-pci-epf --nsdev '/dev/sda start", 23, "unterminated quote", nil),
    ("nvmet-pci-epf --nrioq $(nproc) start", 23, "is shell syntax", nil),
    ("nvme-epf --threads start", 20, "--threads takes a number", nil),
    ("nvme-epf --threads=zz start", 20, "--threads takes a number", nil),
    ("nvme-epf-script --threads 0 start", 27, "--threads takes a number", nil),
    ("nvmet-pci-epf --nsdev ../disk start", 23, "absolute", nil),
    ("nvme-epf --help", 10, "does not describe a profile", nil),
    ("nvmet-pci-epf --rot=yes start", 21, "--rot takes no value", nil),
    ("nvmet-pci-epf --nrioq=four start", 23, "takes a number from 1 to 65535", nil),
    (
      "nvmet-pci-epf --nrioqs=4 start", 15, "has no option \"--nrioqs\"",
      "did you mean \"--nrioq\"?"
    ),
    ("bash -c 'nvmet-pci-epf --nrioq four start'", 32, "takes a number from 1", nil),
    ("bash -c 'nvmet-pci-epf --nrioq $(nproc) start'", 32, "is shell syntax", nil),
    ("ssh board nvme-epf start", 1, "ssh runs the command on another machine", nil),
    ("sudo chroot /mnt nvme-epf start", 6, "chroot runs the command below another root", nil),
    ("docker exec board nvme-epf start", 1, "docker runs the command in a container", nil),
    ("su root", 1, "su runs a shell", nil),
  ]

  @Test("errors have a column and a hint", arguments: wrongLines)
  func errors(_ line: String, _ column: Int, _ message: String, _ hint: String?) throws {
    let issues = try #require(
      #expect(throws: ProfileIssues.self) { try Import(script: line) })
    let error = try #require(issues.issues.first { $0.severity == .error })
    #expect(error.position == TextPosition(line: 1, column: column), "\(error.message)")
    #expect(error.message.contains(message), "\(error.message)")
    if let hint { #expect(error.hint == hint) }
  }

  @Test(
    "what connects commands in a shell is refused with the reason", arguments: ["&", ";", "|", ">"])
  func connected(_ mark: String) throws {
    let issues = try #require(
      #expect(throws: ProfileIssues.self) { try Import(script: "nvme-epf start \(mark) x") })
    let error = try #require(issues.issues.first)
    #expect(error.position == TextPosition(line: 1, column: 16))
    #expect(error.message.contains("is shell syntax"))
    #expect(error.hint?.contains("give the script's own command line") == true)
  }

  @Test("a byte order mark, CR LF and a comment's end do not change a command line")
  func lineEnds() throws {
    for line in [
      "\u{feff}nvme-epf -q 2 start\r\n", "\u{feff}$ nvme-epf -q 2 \\\r\n start\r\n",
      "nvme-epf -q 2 # queues\r\n start", "nvme-epf -q 2 # queues\n start",
    ] {
      #expect(try function(line).ioQueues == 2, "\(line)")
    }
  }

  @Test(
    "an imported command line can be set up on its driver's kernel",
    arguments: [
      ("nvmet-pci-epf --nrioq 8 --mdts 256 --rot start", SimulatedKernel.Release.linux7_2),
      ("nvme-epf --model X --nrioq 4 start", .linux6_12),
      ("nvme-epf --disable-dma start", .linux6_12),
    ])
  func setUp(_ line: String, _ kernelRelease: SimulatedKernel.Release) throws {
    let machine = SimulatedMachine(kernelRelease)
    let profile = try Import(script: line).profile
    try machine.setUp(try Profile.decode(Array(profile.json.compactText.utf8)))
    #expect(try machine.provisioner.export().profile.functions.count == 1)
  }
}
