# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The nvmet half of the public howto: a subsystem behind a loop port, which any kernel with nvme-loop has; the kernel's
# own host connects to it. Then the howto's profile as written, whose function asks for a loop target: mainline's driver
# cannot have one, so epfnvme adapts or says where and why not.
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
if has_mainline && ! has_seed; then
  target=loop
  profile howto "$backing_null"
  run setup howto.json --json
  diag "the howto's loop target on mainline: exit status $status"
  if [ "$status" -eq 0 ]; then
    port=$(find "$config/nvmet/ports" -mindepth 1 -maxdepth 1)
    equal 'howto profile on mainline: adapted to a pci port' pci "$(cat "$port/addr_trtype")"
    # A loop target is a local subsystem; the driver was not named, so there is nothing to warn of.
    check 'howto profile on mainline: no warning about the target' jq -e '[.warnings[].path] | index("functions[0].target.loop") == null' out
  else
    check 'howto profile on mainline: refused as impossible' test "$status" -eq 65 -o "$status" -eq 78
    says 'howto profile on mainline: the refusal names the place' 'target'
    same_tree 'howto profile on mainline: the refusal had no effect' before.tree
  fi
  run teardown howto
  status_is 'howto profile on mainline: teardown' 0
  same_tree 'howto profile on mainline: nothing is left' before.tree
fi
clean
