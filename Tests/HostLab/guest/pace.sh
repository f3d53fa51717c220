# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

# node MODEL: the first namespace of the controller with this model.
node() {
  for entry in /sys/block/nvme*; do
    if grep -q "^$1" "$entry/device/model" 2>/dev/null && [ -b "/dev/${entry##*/}" ]; then echo "/dev/${entry##*/}"; fi
  done
}
has_both() { [ -n "$(node epfnvme)" ] && [ -n "$(node QEMU)" ]; }
# reads DISK DEPTH: completed in a second, on the average of four.
reads() {
  fio --name=pace --filename="$1" --direct=1 --ioengine=libaio --rw=randread --bs=4k --iodepth="$2" --time_based --runtime=4 \
    --output-format=json | jq '.jobs[0].read.iops | floor'
}
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

modprobe nvme
wait_for 'both disks' has_both || exit
for depth in 1 32; do
  all_ours='' all_own='' ratios=''
  # Each round compares what ran side by side: a machine that others use is not the same for a minute.
  for round in 1 2 3 4 5; do
    ours=$(reads "$(node epfnvme)" "$depth") own=$(reads "$(node QEMU)" "$depth")
    check "queue depth $depth, round $round: both have read" test "$ours" -gt 0 -a "$own" -gt 0 || continue
    all_ours="$all_ours $ours" all_own="$all_own $own" ratios="$ratios $((ours * 100 / own))"
  done
  # shellcheck disable=SC2086 # lists of words
  diag "queue depth $depth, medians: $(median $all_ours) reads a second of 4 KiB, QEMU's own controller $(median $all_own): $(median $ratios) %" \
    "(rounds:$ratios)"
done
