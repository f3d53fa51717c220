// SPDX-License-Identifier: Apache-2.0

/// An example of a manual page: commands that succeed where a profile stands in `board.json`; those of `debug` and `host` on a real
/// machine only.
struct ManualExample {
  var text: String
  var lines: [String]

  init(_ text: String, _ lines: String...) {
    self.text = text
    self.lines = lines
  }

  /// By the page's name. A page without one shows its examples in the description, or needs none.
  static let all: [String: [ManualExample]] = [
    "epfnvme": [
      ManualExample(
        "The life of an endpoint. Without a board, `EPFNVME_KERNEL=simulated=/tmp/board` in the environment lets the same lines run on a simulated kernel.",
        "epfnvme validate board.json", "epfnvme plan board.json", "epfnvme setup board.json",
        "epfnvme status", "epfnvme check board.json", "epfnvme teardown board.json")
    ],
    "epfnvme-setup": [
      ManualExample(
        "Set up a profile; once more, and nothing is left to do.", "epfnvme setup board.json",
        "epfnvme setup board.json"),
      ManualExample(
        "Without a profile: null_blk behind one function with two I/O queues.",
        "epfnvme setup --driver nvmet_pci_epf --io-queues 2 --dry-run"),
    ],
    "epfnvme-plan": [
      ManualExample("What would be done, and why.", "epfnvme plan board.json"),
      ManualExample(
        "The same as a script of plain commands.",
        "epfnvme plan board.json --format shell > board.sh"),
    ],
    "epfnvme-teardown": [
      ManualExample("By the profile's file.", "epfnvme teardown board.json"),
      ManualExample(
        "Everything that epfnvme made, and the modules that it loaded.",
        "epfnvme teardown --all --unload-modules"),
    ],
    "epfnvme-status": [
      ManualExample("The machine now.", "epfnvme status"),
      ManualExample("For scripts.", "epfnvme status --json"),
    ],
    "epfnvme-validate": [ManualExample("Check a profile.", "epfnvme validate board.json")],
    "epfnvme-start": [
      ManualExample(
        "Let the link go down and come up again.", "epfnvme setup board.json", "epfnvme stop",
        "epfnvme start")
    ],
    "epfnvme-stop": [
      ManualExample(
        "Let the link go down and come up again.", "epfnvme setup board.json", "epfnvme stop",
        "epfnvme start")
    ],
    "epfnvme-bounce": [
      ManualExample("The same in one command.", "epfnvme setup board.json", "epfnvme bounce")
    ],
    "epfnvme-controllers": [ManualExample("One a line.", "epfnvme controllers")],
    "epfnvme-check": [
      ManualExample(
        "On the board, with what is right, too.", "epfnvme setup board.json",
        "epfnvme check board.json --verbose")
    ],
    "epfnvme-doctor": [
      ManualExample("The machine.", "epfnvme doctor"),
      ManualExample("The machine for a profile.", "epfnvme doctor board.json"),
    ],
    "epfnvme-monitor": [
      ManualExample("For a second; until Ctrl-C without the option.", "epfnvme monitor --timeout 1")
    ],
    "epfnvme-debug": [
      ManualExample(
        "The driver's and the target's debug lines, from a setup.",
        "epfnvme debug on driver target",
        "epfnvme setup board.json", "epfnvme debug off"),
      ManualExample("Which modules have call sites, and how many are on.", "epfnvme debug status"),
    ],
    "epfnvme-host-find": [
      ManualExample(
        "Every NVMe controller on the bus, the profile's marked with a star.",
        "epfnvme host find --profile board.json --all")
    ],
    "epfnvme-host-rescan": [
      ManualExample(
        "After the board was started: wait half a minute for its disk.",
        "epfnvme host rescan --profile board.json --timeout 30")
    ],
    "epfnvme-host-rebind": [
      ManualExample(
        "A new probe of a disk that is known by its ids.",
        "epfnvme host rebind --vendor 0x1b96 --device 0xbeef")
    ],
    "epfnvme-host-remove": [
      ManualExample("Before the board is stopped.", "epfnvme host remove 0000:01:00.0")
    ],
    "epfnvme-predict": [
      ManualExample(
        "On a board with four processors whose controller has no MSI-X.",
        "epfnvme predict board.json --cpus 4 --epc msix=no")
    ],
    "epfnvme-emulate": [
      ManualExample("A probe, verified I/O and a shutdown.", "epfnvme emulate board.json"),
      ManualExample(
        "Without the driver's deviations, with a trace for Perfetto.",
        "epfnvme emulate board.json --quirks none --trace trace.json"),
    ],
    "epfnvme-serve": [
      ManualExample(
        "The options with which QEMU plugs in what is served at a socket.",
        "epfnvme serve --print-qemu --socket nvme.sock")
    ],
    "epfnvme-diff": [
      ManualExample(
        "After a setup nothing differs.", "epfnvme setup board.json", "epfnvme diff board.json")
    ],
    "epfnvme-export": [
      ManualExample(
        "What stands, as a profile.", "epfnvme setup board.json",
        "epfnvme export --as my-disk --output my-disk.json")
    ],
    "epfnvme-import": [
      ManualExample(
        "A script's command line as a profile.",
        "epfnvme import --from-script 'nvmet-pci-epf --nrioq 4 --mdts 256 start'")
    ],
    "epfnvme-smoke": [
      ManualExample(
        "A soak with a report for Jenkins.",
        "epfnvme smoke board.json --repeat 5 --bounces 2 --format junit --output smoke.xml")
    ],
  ]
}
