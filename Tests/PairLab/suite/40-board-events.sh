# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What happens to the board while a host uses it: a namespace that is added, resized and removed, a bounce, stop and start, a crash.
module_options=
start_link
start_board || return
set_up board
start_host
guest=events # for accepted.txt
host_finds_disk board || return
check 'a region is written' on host 'keep "$(disk 1)"'

# ---- Namespaces ----

# with_second MIB: the profile with a second namespace, a file of that size.
with_second() {
  jq --argjson size "$1" '.backings.second = { file: { path: "/tmp/second.img", sizeMiB: $size, create: true } }
    | .subsystems[0].namespaces += [ { id: 2, backing: "second" } ]' pair.json >changed.json
  put board changed.json
}
with_second 16
check 'a namespace is added' on board epfnvme setup /tmp/changed.json
check 'the host finds the new namespace' on host 'wait_for namespace has_disk 2'
check 'the new namespace keeps data' on host 'quick_fio two --filename="$(disk 2)" --rw=randwrite --bs=4k --iodepth=8 --size=256k --verify=crc32c --do_verify=1'
with_second 32
on board 'truncate -s 32M /tmp/second.img; n=$(ls -d /sys/kernel/config/nvmet/subsystems/*/namespaces/2); echo 1 >$n/revalidate_size' >/dev/null
check 'the host sees the new size' on host 'resized() { [ "$(blockdev --getsize64 "$(disk 2)")" = 33554432 ]; }; wait_for size resized'
check 'a namespace is removed' on board epfnvme setup --force /tmp/pair.json
check 'the host removes the namespace' on host 'gone() { ! has_disk 2; }; wait_for removal gone'
check 'the region is as it was' on host 'kept "$(disk 1)"'

# ---- The link ----

epc=$(on board ls /sys/kernel/config/pci_ep/controllers)
on board epfnvme bounce "$epc" >bounce.out
equal 'a bounce under a host is refused' 64 $?
check 'the host is unaffected' on host 'kept "$(disk 1)"'
check 'host: remove' on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
check 'a bounce' on board epfnvme bounce "$epc" --force
check 'host: rescan' on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
check 'after the bounce the region is as it was' on host 'kept "$(disk 1)"'
check 'host: remove before stop' on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
check 'stop' on board epfnvme stop "$epc" --force
check 'start' on board epfnvme start "$epc"
check 'host: rescan after start' on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
check 'after start the region is as it was' on host 'kept "$(disk 1)"'

# ---- The board dies ----

check 'the load starts' on host 'load_start "$(disk 1)"'
judge_board board
off board
wait_for 'the link reports it' link_changed boardLeft
# Its commands time out after 30 s. The disk is shared with other controllers, as CMIC says: its I/O waits until the function is removed.
check 'the host gives the controller up' on host 'patience=6000; given_up() { dmesg | grep -q "Disabling device after reset failure"; }
  wait_for "the reset fails" given_up; status=$?; patience=600; [ "$status" = 0 ]'
check 'host: the dead function is removed' on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
on host load_stop >/dev/null
check 'the disk is gone' on host 'wait_for "the disk is gone" no_disk_left'
start_board || return
set_up 'the board boots again'
check 'host: rescan after the board has booted' on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
check 'the new disk works' on host 'quick_fio new --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=8 --size=256k --verify=crc32c --do_verify=1'
end_host board
end_board 'the second board'
stop_link board
