# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The nvmet half of the public howto: a subsystem behind a loop port, which any kernel with nvme-loop has; the kernel's host connects to it.
# Then the howto's profile as written, whose function has a loop target: nvmet_pci_epf does not support it, so epfnvme adapts it or reports
# the location and the reason.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller; then
  mount_configfs
  load_drivers
else
  begin "$@"
fi

tree before.tree
loop_target looptarget
run setup looptarget.json --json
if status_is 'loop target: setup' 0; then
  port=$(find "$config/nvmet/ports" -mindepth 1 -maxdepth 1)
  equal 'loop target: transport' loop "$(cat "$port/addr_trtype")"
  check 'loop target: the subsystem is linked' test -L "$port/subsystems/looptarget.nqn"
  if modprobe -q nvme-loop && [ -e /dev/nvme-fabrics ]; then
    check 'loop target: the own host connects' \
      sh -c 'echo transport=loop,nqn=looptarget.nqn >/dev/nvme-fabrics'
    wait_for 'the disk of the loop target' sh -c 'ls /sys/class/nvme/nvme0/ | grep -q nvme' &&
      check 'loop target: the own host sees the model' grep -q 'Lab loop' /sys/class/nvme/nvme0/model
    echo 1 >/sys/class/nvme/nvme0/delete_controller
  else
    skip 'loop target: the own host connects' 'no nvme-loop host'
  fi
fi
run teardown looptarget
status_is 'loop target: teardown' 0
same_tree 'loop target: nothing is left' before.tree
no_journal 'loop target: no journal is left'
clean

has_controller || exit 0
if has_nvmet_pci_epf && ! has_pci_epf_nvme; then
  target=loop
  profile howto "$backing_null"
  run setup howto.json --json
  diag "the howto's loop target with nvmet_pci_epf: exit status $status"
  if [ "$status" -eq 0 ]; then
    port=$(find "$config/nvmet/ports" -mindepth 1 -maxdepth 1)
    equal 'howto profile with nvmet_pci_epf: adapted to a pci port' pci "$(cat "$port/addr_trtype")"
    # A loop target is a local subsystem; the driver was not named, so there is nothing to warn of.
    check 'howto profile with nvmet_pci_epf: no warning about the target' jq -e '[.warnings[].path] | index("functions[0].target.loop") == null' out
  else
    check 'howto profile with nvmet_pci_epf: refused as impossible' test "$status" -eq 65 -o "$status" -eq 78
    says 'howto profile with nvmet_pci_epf: the refusal names the location' 'target'
    same_tree 'howto profile with nvmet_pci_epf: the refusal had no effect' before.tree
  fi
  run teardown howto
  status_is 'howto profile with nvmet_pci_epf: teardown' 0
  same_tree 'howto profile with nvmet_pci_epf: nothing is left' before.tree
fi
clean
