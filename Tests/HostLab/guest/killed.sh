# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 2 || exit
disk=$(disk 2)
if [ "$phase" = write ]; then
  # Until the server goes away. Each line is told after the flush has completed.
  quick_fio load --filename="$disk" --rw=randwrite --bs=4k --iodepth=4 --offset=128m --size=64m --fsync=4 --time_based \
    --runtime=3600 >/dev/null 2>&1 &
  for writer in 0 1 2 3; do
    index=0
    while write_block "$disk" "$((writer * 4096 + index))" "writer $writer, block $index"; do
      tell "flushed $writer $index"
      index=$((index + 1))
    done &
  done
  wait
  exit
fi
lost=0
while read -r _ writer index; do
  block_says "$disk" "$((writer * 4096 + index))" "writer $writer, block $index" || {
    lost=$((lost + 1))
    diag "lost: writer $writer, block $index"
  }
done </lab/files/flushed
equal "every one of $(wc -l </lab/files/flushed) flushed blocks is there" 0 "$lost"
