# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 1 || exit
disk=$(disk 1)
equal 'lsblk shows it with its size' "${disk#/dev/} 402653184" "$(lsblk -bdno NAME,SIZE "$disk" 2>&1)"
check 'fio writes and reads it back' quick_fio own --filename="$disk" --rw=randwrite --bs=4k --size=1m --verify=crc32c

# Its own ids, so that the check gets as far as looking.
sed "s/\"vendorID\": \"0x15b7\"/\"vendorID\": \"0x$(lspci -n -s "$(function_address)" | sed 's/.* \(....\):\(....\).*/\1/')\"/
  s/\"deviceID\": \"0x5fff\"/\"deviceID\": \"0x$(lspci -n -s "$(function_address)" | sed 's/.* \(....\):\(....\).*/\2/')\"/" \
  /lab/files/howto.json >same-ids.json
run check /lab/files/howto.json --host auto
status_is 'check --host finds no disk with our ids' 66
run check same-ids.json --host auto --kernel-release 6.12 --json
status_is 'check --host fails' 1
json 'it says where' '[.cases[] | select(.passed | not) | .id] | contains(["identify mn", "identify subnqn", "namespace 1 nsze"])'
json 'and with what' '.cases[] | select(.id == "identify mn") | .actual | startswith("QEMU NVMe Ctrl")'
run check same-ids.json --host auto --kernel-release 6.12 --lockstep --destructive --json
status_is 'check --host --lockstep fails' 1
json 'it says at which step' '[.cases[] | select(.passed | not) | .id] | any(startswith("lockstep"))'
