# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The rate of 4 KiB reads from the served disk, and from QEMU's NVMe controller in the same boot; neither has
# anything behind it. Figures, not cases: a busy machine says what it likes.
more='-drive driver=null-co,size=1G,if=none,id=nothing -device nvme,drive=nothing,serial=own'
for behaviour in $behaviours; do
  profile disk.json '"nothing": { "nullBlock": { "sizeMiB": 1024, "blockSize": 512, "memoryBacked": false } }' \
    '{ "id": 1, "backing": "nothing" }'
  # shellcheck disable=SC2046 # a list of words
  serve disk.json $(behaviour_options "$behaviour") || continue
  boot "$behaviour" pace
  served "$behaviour"
done
