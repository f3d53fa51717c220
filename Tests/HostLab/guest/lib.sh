# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Shared by the guest's scripts, in addition to ktap.sh: the ports to the host's side, finding the disk, and fio.
. /lab/ktap.sh

port() {
  for lib_entry in /sys/class/virtio-ports/*; do
    if [ "$(cat "$lib_entry/name")" = "$1" ]; then echo "/dev/${lib_entry##*/}"; fi
  done
}
# tell WORD…: a line for the host's side of this boot.
tell() { echo "$*" >"$(port marks)"; }
# finish: sends the results of this boot before it ends.
finish() {
  dmesg >"$(port kernel_log)"
  {
    cat "$KTAP"
    echo '# boot complete'
  } >"$(port results)"
  : >"$KTAP"
}

# ---- The disk ----

# The only NVMe function of the machine, as 0000:00:03.0.
function_address() {
  for lib_device in /sys/bus/pci/devices/*; do
    if [ "$(cat "$lib_device/class")" = 0x010802 ]; then echo "${lib_device##*/}"; fi
  done
}
# controller: its name, as nvme0; nothing while no driver has it.
controller() {
  for lib_entry in "/sys/bus/pci/devices/$(function_address)"/nvme/nvme*; do
    if [ -e "$lib_entry" ]; then echo "${lib_entry##*/}"; fi
  done
}
is_live() { [ "$(cat "/sys/class/nvme/$(controller)/state")" = live ]; }
# disk NSID: the node of a namespace. (With several paths allowed, the path itself is hidden and has no node.)
disk() {
  for lib_entry in /sys/block/nvme*; do
    if [ "$(cat "$lib_entry/nsid" 2>/dev/null)" = "$1" ] && [ -b "/dev/${lib_entry##*/}" ]; then
      echo "/dev/${lib_entry##*/}"
    fi
  done
}
has_disk() { [ -n "$(disk "$1")" ]; }
no_disk_left() { [ -z "$(ls /sys/class/nvme)" ] && ! ls /dev/nvme*n* 2>/dev/null; }

# bring_up NSID…: the driver, and the disks with it.
bring_up() {
  modprobe nvme
  for lib_nsid; do
    wait_for "namespace $lib_nsid" has_disk "$lib_nsid" || return 1
  done
}

# ---- fio ----

# quick_fio NAME ARGUMENT…: direct, and verified where the arguments say so. When the disk goes, fio must not make a file of
# its name. With lib_exec=exec it takes the shell's place.
quick_fio() {
  lib_fio=$1
  shift
  ${lib_exec:-} fio --name="$lib_fio" --direct=1 --ioengine=libaio --thread --group_reporting --randrepeat=1 --output-format=terse \
    --allow_file_create=0 --verify_fatal=1 --verify_dump=0 "$@"
}
# keep DISK; kept DISK: a region that is written once, and is the same ever after.
kept_region='--bs=64k --iodepth=8 --offset=0 --size=4m --verify=crc32c'
# shellcheck disable=SC2086 # lists of words
keep() { quick_fio keep --filename="$1" --rw=write --do_verify=0 --end_fsync=1 $kept_region; }
# shellcheck disable=SC2086
kept() { quick_fio kept --filename="$1" --rw=read $kept_region; }

# load_start DISK: writes to another region and reads it back all the time, compared unless load_verify is empty; load_is_alive, load_stop.
load_verify='--verify=crc32c --verify_backlog=64'
load_start() {
  rm -f load.out
  # The process to be ended is fio's, not that of a shell around it.
  (
    lib_exec=exec
    quick_fio load --filename="$1" --rw=randwrite --bssplit=4k/70:32k/20:128k/10 --iodepth=16 --offset=16m --size=16m \
      $load_verify --time_based --runtime=3600 --fsync=64
  ) >load.out 2>&1 &
  load=$!
  # Under way: the disk has done something since.
  lib_stat=/sys/block/${1#/dev/}/stat
  lib_before=$(cat "$lib_stat")
  wait_for 'the load is under way' load_moved
}
load_moved() { [ "$(cat "$lib_stat")" != "$lib_before" ] && load_is_alive; }
load_is_alive() { kill -0 "$load" 2>/dev/null; }
# load_goes_on DISK: the load does something, from now on.
load_goes_on() {
  lib_stat=/sys/block/${1#/dev/}/stat
  lib_before=$(awk '{ print $5 }' "$lib_stat")
  wait_for 'the load continues' load_wrote
}
load_wrote() { [ "$(awk '{ print $5 }' "$lib_stat")" != "$lib_before" ] && load_is_alive; }
load_stop() {
  kill -TERM "$load" 2>/dev/null
  wait "$load"
}
# No block came back other than it was written.
load_saw_no_corruption() { ! grep -q -i 'verify' load.out; }

# ---- Flushed blocks ----

# write_block DISK INDEX TEXT: 4 KiB that say TEXT, and the flush after them. Done only when both are.
write_block() {
  printf '%-4095s\n' "$3" |
    dd of="$1" bs=4096 seek="$2" count=1 iflag=fullblock conv=fsync,notrunc 2>/dev/null
}
# block_says DISK INDEX TEXT: what the disk itself has there, not the page cache.
block_says() {
  [ "$(dd if="$1" bs=4096 skip="$2" count=1 iflag=direct 2>/dev/null | tr -d '\0')" = "$(printf '%-4095s' "$3")" ]
}
