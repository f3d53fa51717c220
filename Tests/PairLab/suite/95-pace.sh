# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Reads per second through the link and from a virtio disk in the same guest, and the processor time of the link for each command. Measurements
# without a verdict: the case is that there are figures.
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
for case in '4k 1' '4k 32' '128k 4'; do
  # shellcheck disable=SC2086 # a list of words
  set -- $case
  before=$(ticks_of "$link")
  linked=$(on host "rate \"\$(disk 1)\" $1 $2 10")
  after=$(ticks_of "$link")
  virtio=$(on host "rate \$virtio $1 $2 10")
  check "$1, queue depth $2: figures" test "${linked% *}" -gt 0 -a "${virtio% *}" -gt 0
  diag "$1, queue depth $2: link ${linked% *}/s, virtio ${virtio% *}/s," \
    "link's processor time $(((after - before) * 10000 / ${linked#* })) us a command"
done
end_host pace
end_board pace
stop_link pace
