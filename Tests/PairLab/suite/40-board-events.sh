# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What happens to the board while a host uses it: a namespace that is added, resized and removed, a bounce, stop and start, a crash.
module_options=
start_link
start_board || return
set_up board
start_host
host_finds_disk board || return
check 'a region is written' on host 'keep "$(disk 1)"'

# ---- Namespaces ----

namespaces() { sed "s/\"namespaces\": .*/\"namespaces\": [ $1 ]/" pair.json >changed.json && put board changed.json; }
second='"second": { "file": { "path": "/tmp/second.img", "sizeMiB": SIZE, "create": true } }'
with_second() {
  jq --argjson size "$1" '.backings.second = { file: { path: "/tmp/second.img", sizeMiB: $size, create: true } }
    | .subsystems[0].namespaces += [ { id: 2, backing: "second" } ]' pair.json >changed.json
  put board changed.json
}
with_second 16
check 'a namespace is added' on board epfnvme setup /tmp/changed.json
check 'the host finds the new namespace' on host wait_for 'the new namespace' has_disk 2
check 'the new namespace keeps data' on host 'quick_fio two --filename="$(disk 2)" --rw=randwrite --bs=4k --iodepth=8 --size=256k --verify=crc32c --do_verify=1'
with_second 32
on board 'truncate -s 32M /tmp/second.img; n=$(ls -d /sys/kernel/config/nvmet/subsystems/*/namespaces/2); echo 1 >$n/revalidate_size' >/dev/null
check 'the host sees the new size' on host wait_for 'the new size' eval '[ "$(blockdev --getsize64 "$(disk 2)")" = 33554432 ]'
check 'a namespace is removed' on board epfnvme setup --force /tmp/pair.json
check 'the host removes the namespace' on host wait_for 'the namespace goes' eval '! has_disk 2'
check 'the region is as it was' on host 'kept "$(disk 1)"'

# ---- The link ----

check 'a bounce under a host is refused' board_refuses 'epfnvme bounce pair'
check 'the host is unaffected' on host 'kept "$(disk 1)"'
check 'host: remove' on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
check 'a bounce' on board epfnvme bounce pair --force
check 'host: rescan' on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
check 'after the bounce the region is as it was' on host 'kept "$(disk 1)"'
check 'host: remove before stop' on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
check 'stop' on board epfnvme stop pair --force
check 'start' on board epfnvme start pair
check 'host: rescan after start' on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
check 'after start the region is as it was' on host 'kept "$(disk 1)"'

# ---- The board dies ----

check 'the load starts' on host 'load_start "$(disk 1)"'
judge_board board
off board
wait_for 'the link reports it' link_changed boardLeft
check 'the host removes the disk' on host 'wait_for "the disk is gone" no_disk_left'
on host 'load_stop' >/dev/null
check 'host: the dead function is removed' on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
start_board || return
set_up 'the board boots again'
check 'host: rescan after the board has booted' on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
check 'the new disk works' on host 'quick_fio new --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=8 --size=256k --verify=crc32c --do_verify=1'
end_host board
end_board 'the second board'
stop_link board
