# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# `epfnvme check --host` on a machine with a disk: QEMU's own NVMe controller, real sysfs, registers and pass-through. It
# is no endpoint of ours, so that a check has to fail and say where.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

disk=$(nvme_disk)
if [ -z "$disk" ] || ! have_module nvme; then
  skip 'check --host' 'this machine has no NVMe disk'
  exit 0
fi
profile ours "$backing_null" '"msixVectors": 8'
sed 's/0x1b96/0x1b36/; s/"vendorID": "0x1b96"/"vendorID": "0x1b36"/g; s/0xbeef/0x0010/' ours.json >same-ids.json

run check ours.json --host auto
status_is 'no disk has our ids: input missing' 66
says 'and it says so' 'no disk with the IDs of this profile'

run check same-ids.json --host "$disk"
status_is 'without its driver: check --host' 1
says 'the missing driver is named' 'driver'

modprobe nvme
wait_for_disk 'the disk is there'
run check same-ids.json --host auto --json
status_is 'found by class and ids: check --host' 1
json 'the disk itself was asked: nothing is skipped' '.skipped == 0 and (.cases | length > 150)'
json 'what is right passes' '[.cases[] | select(.passed) | .id] | contains(["pci vendor-id", "pci device-id", "pci class-code", "driver", "register CSTS.RDY", "register CSTS.CFS", "register CC.IOSQES", "identify sqes", "namespaces", "namespace 1 lbaf-0"])'
json 'what another controller has is named' '[.cases[] | select(.passed | not) | .id] | contains(["identify mn", "identify subnqn", "identify oacs", "namespace 1 nguid"])'
json 'with what it is' '.cases[] | select(.id == "identify mn") | .actual | startswith("QEMU NVMe Ctrl")'
cp out first.json

run check same-ids.json --host "$node" --json
status_is 'by its node: check --host' 1
equal 'the node leads to the same disk' "$(jq -c '[.cases[] | [.id, .actual]]' first.json)" "$(jq -c '[.cases[] | [.id, .actual]]' out)"
run check same-ids.json --host "${node}n1"
status_is 'a namespace is no controller' 66
run check same-ids.json --host ../../../etc
status_is 'a path is no function' 74
run check same-ids.json --host "$disk" --lockstep
status_is 'lockstep without --destructive is refused' 64

# In use: as swap.
mkswap "${node}n1" >/dev/null && swapon "${node}n1"
run check same-ids.json --host "$disk" --lockstep --destructive
status_is 'lockstep on a disk in use is refused' 64
says 'it says which disk' "${node}n1 is swap"
check 'the disk was left to its driver' test -e "/sys/bus/pci/drivers/nvme/$disk"
swapoff "${node}n1"

log_mark
run check same-ids.json --host "$disk" --lockstep --destructive --json
status_is 'lockstep' 1
json 'every step was played' '[.cases[] | select(.id | startswith("lockstep"))] | length == 14'
json 'what every controller does is the same here' '[.cases[] | select(.passed) | .id] | contains(["lockstep reset", "lockstep enable", "lockstep disable", "lockstep enable-again", "lockstep enable-after-shutdown"])'
# This controller stays ready after a shutdown; the endpoint driver does not.
json 'what is different is named' '.cases[] | select(.id == "lockstep normal-shutdown") | (.passed | not) and (.actual | startswith("0x1 -> 0x9")) and (.expected | startswith("0x1 -> 0x8"))'
json 'the driver has the disk again' '.cases[] | select(.id == "lockstep driver-returned") | .passed'
diag "$(jq -r '.cases[] | select(.id | startswith("lockstep")) | "\(.passed) \(.id): \(.actual), \(.expected)"' out)"
wait_for_disk 'the disk is back'
check 'and works' dd if="${node}n1" of=/dev/null bs=4096 count=16 iflag=direct
rmmod nvme
