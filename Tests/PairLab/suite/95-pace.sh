# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Reads per second through the link and from a virtio disk in the same guest, one after the other; the processor time of the link for each command,
# and as a share of what each machine used meanwhile. Measurements without a verdict: the case is that there are figures.

# qemu_of WATCHER: the process that it watches.
qemu_of() { awk -v parent="$1" '$4 == parent && $2 ~ /qemu|ld-linux/ { print $1; exit }' /proc/[0-9]*/stat 2>/dev/null; }
# ticks_of_all: of the link, the board and the host.
ticks_of_all() { echo "$(ticks_of "$link") $(ticks_of "$board_qemu") $(ticks_of "$host_qemu")"; }
truncate -s 128M virtio.img
state=$work/virtio.img
module_options=
start_link
start_board || return
set_up pace
start_host
state=
host_finds_disk pace || return
on host 'virtio=/dev/vdb; quick_fio fill --filename="$(disk 1)" --rw=write --bs=128k --iodepth=4 --size=16m' >/dev/null

# rate DISK BLOCK-SIZE DEPTH TIME: reads per second.
cat >files.rate <<'SCRIPT'
rate() {
  fio --name=rate --filename="$1" --direct=1 --ioengine=libaio --thread --rw=randread --bs="$2" --iodepth="$3" --size=16m \
    --time_based --runtime="$4" --output-format=json | jq '.jobs[0].read | "\(.iops | floor) \(.total_ios)"' -r
}
SCRIPT
on host "$(cat files.rate)" >/dev/null
board_qemu=$(qemu_of "$board")
host_qemu=$(qemu_of "$machine")
for case in '4k 1' '4k 32' '128k 4'; do
  # shellcheck disable=SC2086 # a list of words
  set -- $case
  before=$(ticks_of_all)
  linked=$(on host "rate \"\$(disk 1)\" $1 $2 10")
  after=$(ticks_of_all)
  virtio=$(on host "rate \$virtio $1 $2 10")
  check "$1, queue depth $2: figures" test "${linked% *}" -gt 0 -a "${virtio% *}" -gt 0
  diag "$1, queue depth $2: link ${linked% *}/s, virtio ${virtio% *}/s, $(awk -v ios="${linked#* }" 'BEGIN { getline; split($0, before)
    getline; for (i = 1; i <= 3; i++) used[i] = $i - before[i]
    printf "processor time a command: link %d us, board %d us, host %d us; link %.1f %% of the board, %.1f %% of the host",
      used[1] * 10000 / ios, used[2] * 10000 / ios, used[3] * 10000 / ios, 100 * used[1] / used[2], 100 * used[1] / used[3] }' <<FIGURES
$before
$after
FIGURES
)"
done
end_host pace
end_board pace
stop_link pace
