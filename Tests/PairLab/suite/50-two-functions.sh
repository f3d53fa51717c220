# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Two functions of one controller, with their own subsystems: two disks at the host.
module_options=
disk_profile first.json first
disk_profile second.json second
jq -s '.[0] * { name: "two" }
  | .backings.other = .backings.memory
  | .subsystems += $second[0].subsystems | .subsystems[1].namespaces[0].backing = "other"
  | .functions += $second[0].functions' --slurpfile second second.json first.json >two.json
start_link --host "$work/host2"
start_board || return
put board two.json
check 'board: modprobe' on board modprobe epfnvme_epc
check 'board: epfnvme setup' on board epfnvme setup /tmp/two.json
host_devices="-device $(vfio_user host2)"
start_host
await_agent host || return
host_devices=
check 'the host finds both disks' on host \
  'modprobe nvme; two() { [ "$(cat /sys/block/nvme*/device/serial 2>/dev/null | sort -u | xargs)" = "first second" ]; }; wait_for disks two'
on host 'disk_of() { for d in /sys/block/nvme*; do if [ "$(cat "$d/device/serial" | xargs)" = "$1" ] && [ -b "/dev/${d##*/}" ]; then echo "/dev/${d##*/}"; fi; done; }' >/dev/null
for name in first second; do
  check "$name: verified writes" on host \
    "quick_fio $name --filename=\"\$(disk_of $name)\" --rw=randwrite --bs=4k --iodepth=8 --size=512k --verify=crc32c --do_verify=1"
done
check 'both at once' on host \
  'quick_fio a --filename="$(disk_of first)" --rw=randwrite --bs=4k --iodepth=4 --size=256k --verify=crc32c --do_verify=1 &
   quick_fio b --filename="$(disk_of second)" --rw=randwrite --bs=4k --iodepth=4 --size=256k --verify=crc32c --do_verify=1 && wait $!'
check 'the data of one is not in the other' on host \
  '! cmp -s -n 262144 "$(disk_of first)" "$(disk_of second)"'
end_host 'two functions'
end_board 'two functions'
stop_link 'two functions'
