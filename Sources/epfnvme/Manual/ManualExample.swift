// SPDX-License-Identifier: Apache-2.0

/// An example of a manual page: commands that succeed if `board.json` is a profile; those of `debug` and `host` only on a real machine.
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
        "Set up, inspect and tear down an endpoint. Without a board, set `EPFNVME_KERNEL=simulated=/tmp/board` in the environment to run the same commands on a simulated kernel.",
        "epfnvme validate board.json", "epfnvme plan board.json", "epfnvme setup board.json",
        "epfnvme status", "epfnvme check board.json", "epfnvme teardown board.json")
    ],
    "epfnvme-setup": [
      ManualExample(
        "Set up a profile. A second run changes nothing.", "epfnvme setup board.json",
        "epfnvme setup board.json"),
      ManualExample(
        "Set up null_blk behind one function with two I/O queues, without a profile.",
        "epfnvme setup --driver nvmet_pci_epf --io-queues 2 --dry-run"),
    ],
    "epfnvme-plan": [
      ManualExample("Show the steps of setup and their reasons.", "epfnvme plan board.json"),
      ManualExample(
        "Print the same steps as a shell script.",
        "epfnvme plan board.json --format shell > board.sh"),
    ],
    "epfnvme-teardown": [
      ManualExample("Tear down the profile in a file.", "epfnvme teardown board.json"),
      ManualExample(
        "Remove everything that epfnvme created, and unload the modules that it loaded.",
        "epfnvme teardown --all --unload-modules"),
    ],
    "epfnvme-status": [
      ManualExample("Show the current state.", "epfnvme status"),
      ManualExample("Show the current state as JSON, for scripts.", "epfnvme status --json"),
    ],
    "epfnvme-validate": [ManualExample("Check a profile.", "epfnvme validate board.json")],
    "epfnvme-start": [
      ManualExample(
        "Take the link down and bring it up again.", "epfnvme setup board.json", "epfnvme stop",
        "epfnvme start")
    ],
    "epfnvme-stop": [
      ManualExample(
        "Take the link down and bring it up again.", "epfnvme setup board.json", "epfnvme stop",
        "epfnvme start")
    ],
    "epfnvme-bounce": [
      ManualExample("The same in one command.", "epfnvme setup board.json", "epfnvme bounce")
    ],
    "epfnvme-controllers": [ManualExample("List one controller per line.", "epfnvme controllers")],
    "epfnvme-check": [
      ManualExample(
        "Check the board, and also show the values that match.", "epfnvme setup board.json",
        "epfnvme check board.json --verbose")
    ],
    "epfnvme-doctor": [
      ManualExample("Diagnose this machine.", "epfnvme doctor"),
      ManualExample("Diagnose this machine for a profile.", "epfnvme doctor board.json"),
    ],
    "epfnvme-monitor": [
      ManualExample(
        "Watch for one second; without the option, until Ctrl-C.", "epfnvme monitor --timeout 1")
    ],
    "epfnvme-debug": [
      ManualExample(
        "Log the debug messages of driver and target during setup.",
        "epfnvme debug on driver target",
        "epfnvme setup board.json", "epfnvme debug off"),
      ManualExample(
        "Show which modules have call sites, and how many are enabled.", "epfnvme debug status"),
    ],
    "epfnvme-host-find": [
      ManualExample(
        "List all NVMe controllers on the bus; a star marks those of the profile.",
        "epfnvme host find --profile board.json --all")
    ],
    "epfnvme-host-explain": [
      ManualExample("Explain why a disk does not work on this host.", "epfnvme host explain")
    ],
    "epfnvme-host-rescan": [
      ManualExample(
        "After the board has started, wait up to 30 seconds for its disk.",
        "epfnvme host rescan --profile board.json --timeout 30")
    ],
    "epfnvme-host-rebind": [
      ManualExample(
        "Probe a disk again, selected by its IDs.",
        "epfnvme host rebind --vendor 0x1b96 --device 0xbeef")
    ],
    "epfnvme-host-remove": [
      ManualExample(
        "Remove the disk before the board is stopped.", "epfnvme host remove 0000:01:00.0")
    ],
    "epfnvme-predict": [
      ManualExample(
        "Predict for a board with four processors and a controller without MSI-X.",
        "epfnvme predict board.json --cpus 4 --epc msix=no")
    ],
    "epfnvme-emulate": [
      ManualExample("Run a probe, verified I/O and a shutdown.", "epfnvme emulate board.json"),
      ManualExample(
        "Run without the driver's quirks, and write a trace for Perfetto.",
        "epfnvme emulate board.json --quirks none --trace trace.json"),
    ],
    "epfnvme-serve": [
      ManualExample(
        "Print the QEMU options for a socket.",
        "epfnvme serve --print-qemu --socket nvme.sock")
    ],
    "epfnvme-diff": [
      ManualExample(
        "Compare the machine after setup: nothing differs.", "epfnvme setup board.json",
        "epfnvme diff board.json")
    ],
    "epfnvme-export": [
      ManualExample(
        "Export the current configuration as a profile.", "epfnvme setup board.json",
        "epfnvme export --as my-disk --output my-disk.json")
    ],
    "epfnvme-import": [
      ManualExample(
        "Convert the command line of a script to a profile.",
        "epfnvme import --from-script 'nvmet-pci-epf --nrioq 4 --mdts 256 start'")
    ],
    "epfnvme-smoke": [
      ManualExample(
        "Run repeatedly, and write a report for Jenkins.",
        "epfnvme smoke board.json --repeat 5 --bounces 2 --format junit --output smoke.xml")
    ],
  ]
}
