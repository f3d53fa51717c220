# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Refusals of the controller: at bind, where symlink(2) fails; at initialisation, where only the kernel log and the
# missing NVMe controller do; at start. Each time: the kernel's own reason is in the report, and everything is undone.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'refusals' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
profile refused "$backing_null"
tree before.tree

# refusal TITLE KNOB VALUE ERRNO KERNEL-LINE: ERRNO may be empty where no system call fails.
refusal() {
  old=$(cat "$knobs/$2")
  knob "$2" "$3"
  run setup refused.json --json
  status_is "$1: exit status" 74
  json "$1: the error has code, message, path and hint" '.error | .code and .message and .path and .hint'
  [ -z "$4" ] || json "$1: the error has $4" "[.error.errno, .error.message] | tostring | test(\"$4\")"
  json "$1: the kernel's line is attached" ".error.kernelLog | tostring | test(\"$5\")"
  check "$1: stderr has a message" test -s err
  same_tree "$1: undone" before.tree
  no_journal "$1: no journal is left"
  knob "$2" "$old"
  clean
}
refusal 'no features' fail_features 95 EOPNOTSUPP 'epc_features not implemented'
refusal 'BAR 0 too small' bar0 fixed ENOMEM 'BAR 0 size 128 B too small'
if is_nvmet_pci_epf; then
  refusal 'BAR 0 reserved' bar0 reserved ENODEV 'BAR 0 is not free'
  refusal 'header refused' fail_write_header 5 '' 'Failed to write configuration header'
  refusal 'BAR refused' fail_set_bar 5 '' 'Failed to set BAR 0'
  refusal 'MSI-X refused' fail_set_msix 5 '' 'Failed to configure MSI-X'
else
  # A BAR that is refused is 99-set-bar-failed's: this driver's function can then not be unlinked.
  refusal 'BAR 0 reserved' bar0 reserved EINVAL 'BAR 0 is not free'
  refusal 'header refused' fail_write_header 5 '' 'Write configuration header failed'
  refusal 'MSI-X refused' fail_set_msix 5 '' 'MSI-X configuration failed'
fi
refusal 'start refused' fail_start 5 EINVAL 'failed to start endpoint controller'

run setup refused.json --json
status_is 'afterwards setup works' 0
run teardown refused
status_is 'and teardown' 0
same_tree 'afterwards nothing is left' before.tree

# A controller that initialises at PERST#: no NVMe controller yet is no failure there, if the program can tell.
load_controller late_init=1
tree before.tree
run setup refused.json --json
diag "setup on a controller that waits for PERST#: exit status $status"
if [ "$status" -eq 0 ]; then
  knob init 1
  check 'PERST# released: the NVMe controller exists' controller_exists refused.nqn
else
  check 'waiting for PERST#: refused with a reason' test -s err
fi
run teardown refused
status_is 'waiting for PERST#: teardown' 0
same_tree 'waiting for PERST#: nothing is left' before.tree
clean

# Which of two?
load_controller controllers=2
tree before.tree
run setup refused.json --json
status_is 'two controllers: ambiguous' 78
says 'two controllers: the error names them' a41000000.pcie-ep
same_tree 'two controllers: no effect' before.tree
profile chosen "$backing_null" '"msixVectors": 32, "controller": "a41000000.pcie-ep"'
run setup chosen.json --json
status_is 'two controllers: one chosen' 0
equal 'two controllers: that one is started' 1 "$(cat "$config/pci_ep/controllers/a41000000.pcie-ep/start")"
run teardown chosen
status_is 'two controllers: teardown' 0
same_tree 'two controllers: nothing is left' before.tree
clean

# None at all.
rmmod epfnvme_epc
tree before.tree
run setup refused.json --json
status_is 'no controller: exit status' 69 78
json 'no controller: the error has a hint' '.error.hint | length > 0'
same_tree 'no controller: no effect' before.tree
no_journal 'no controller: no journal is left'
clean
