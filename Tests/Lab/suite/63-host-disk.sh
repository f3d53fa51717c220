# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# `epfnvme host` on a machine with a disk: QEMU's own NVMe controller is found, taken from its driver and given back,
# taken off the bus and found again; in use, it is left alone.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

disk=$(nvme_disk)
if [ -z "$disk" ] || ! have_module nvme; then
  skip 'host' 'this machine has no NVMe disk'
  exit 0
fi
ids='--vendor 0x1b36 --device 0x0010'
there="/sys/bus/pci/devices/$disk"
profile ours "$backing_null" '"msixVectors": 8'
sed 's/0x1b96/0x1b36/g; s/0xbeef/0x0010/' ours.json >same-ids.json

# shellcheck disable=SC2086 # the ids are words
{
  [ ! -d /sys/module/nvme ] || rmmod nvme
  run host find --json
  status_is 'find' 0
  json 'without its driver' "length == 1 and .[0].name == \"$disk\" and .[0].driver == null and .[0].namespaces == []"
  run host rebind "$disk"
  status_is 'rebind without the driver in the kernel: input missing' 66
  says 'and it says how' 'modprobe nvme'
  modprobe nvme
  wait_for_disk 'the disk is there'

  run host find $ids --json
  status_is 'find by ids' 0
  json 'with its driver' ".[0] | .name == \"$disk\" and .vendorID == \"0x1b36\" and .deviceID == \"0x0010\" and .driver == \"nvme\" and .controller == \"${node#/dev/}\" and .state == \"live\" and .wanted"
  json 'and its namespace' ".[0].namespaces == [{\"path\": \"${node}n1\", \"sizeBytes\": 67108864}]"
  run host find --profile same-ids.json
  status_is 'find by a profile' 0
  says 'the star' "^\* $disk  1b36:0010  nvme  ${node#/dev/} live"
  run host find --profile ours.json
  status_is 'find by other ids' 66
  run host find --profile ours.json --all
  status_is 'none of all has them' 66

  run host rebind $ids --json
  status_is 'rebind by ids' 0
  json 'the disk is back' '.[0] | .driver == "nvme" and .state == "live" and (.namespaces | length == 1)'
  run host rebind "$node"
  status_is 'rebind by its node' 0
  run host rebind "${node}n1"
  status_is 'a namespace is no controller' 66
  echo "$disk" >"$there/driver/unbind"
  run host rebind "$disk"
  status_is 'rebind of one that no driver has' 0
  check 'it works' dd if="${node}n1" of=/dev/null bs=4096 count=16 iflag=direct

  # In use: as swap; every other use is a claim of the same kind.
  mkswap "${node}n1" >/dev/null && swapon "${node}n1"
  for verb in rebind remove; do
    run host $verb "$disk"
    status_is "in use: $verb is refused" 64
    says "in use: $verb says by whom" "${node}n1 is swap"
  done
  run host find
  says 'in use: find tells' "in use: ${node}n1 is swap"
  check 'in use: the disk was left to its driver' test -e "/sys/bus/pci/drivers/nvme/$disk"
  swapoff "${node}n1"
  run host remove $ids --json
  status_is 'remove' 0
  check 'the function is gone' test ! -e "$there"
  run host find $ids
  status_is 'find after remove' 66
  run host remove "$disk"
  status_is 'remove what is gone' 66
  run host rescan --profile ours.json --timeout 0
  status_is 'rescan for a disk that does not come' 75
  check 'but it found the other one' test -e "$there"
  run host rescan $ids --json --timeout 30
  status_is 'rescan' 0
  json 'the disk is back' '.[0] | .driver == "nvme" and .state == "live" and (.namespaces | length == 1)'
  bus=${disk%:*}
  echo 1 >"$there/remove"
  run host rescan --bus "$bus" $ids --timeout 30
  status_is 'rescan of its bus' 0
  run host rescan --bus 0000:fe
  status_is 'a bus that is not there' 66
  run host rescan --bus ../../x
  status_is 'a path is no bus' 74
  run host remove "$disk" --force
  status_is 'remove --force' 0
  run host rescan
  status_is 'rescan without ids' 0
  wait_for_disk 'the disk is there again'
}
rmmod nvme
