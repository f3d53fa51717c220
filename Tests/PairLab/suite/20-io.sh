# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Verified I/O through the real driver: by DMA, by windows only, with MSI only, and with INTx only; ext4.

# io NAME: 4 KiB at depths 1 and 32, 128 KiB, each read back.
io() {
  check "$1: queue depth 1" on host \
    'quick_fio one --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=1 --size=256k --verify=crc32c --do_verify=1'
  check "$1: queue depth 32" on host \
    'quick_fio many --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=32 --offset=8m --size=1m --verify=crc32c --do_verify=1'
  check "$1: 128 KiB" on host \
    'quick_fio large --filename="$(disk 1)" --rw=write --bs=128k --iodepth=4 --offset=16m --size=1m --verify=crc32c --do_verify=1'
}
# interrupts: how the driver of the host is interrupted: msix, msi or intx.
host_interrupts() {
  cat <<'SCRIPT'
irqs=/sys/bus/pci/devices/$(function_address)/msi_irqs
if [ ! -d "$irqs" ]; then echo intx; else cat "$irqs"/* | sort -u; fi
SCRIPT
}
# line_counts: the interrupts of the host by the function's line, and the commands of the disk, so far.
line_counts() {
  cat <<'SCRIPT'
line=$(cat "/sys/bus/pci/devices/$(function_address)/irq")
echo "$(awk -v line="$line:" '$1 == line { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts) \
  $(awk '{ print $1 + $5 }' "/sys/block/$(basename "$(disk 1)")/stat")"
SCRIPT
}
# few_interrupts COUNTS: some, and less than ten a command. A line that stays asserted interrupts thousands of times.
few_interrupts() { [ "$1" -gt 0 ] && [ "$1" -lt $((10 * $2)) ]; }

for way in dma windows msi intx; do
  case $way in
    dma) module_options= expected=msix ;;
    windows) module_options='dma=0 dma_memcpy=0' expected=msix ;;
    msi) module_options=msix=0 expected=msi ;;
    intx) module_options='msix=0 msi=0' expected=intx ;;
  esac
  start_link
  start_board || return
  set_up "$way"
  behaviour=$way # for accepted.txt
  start_host
  host_finds_disk "$way" || return
  equal "$way: the host's interrupts" "$expected" "$(on host "$(host_interrupts)")"
  io "$way"
  if [ "$way" = intx ]; then
    # shellcheck disable=SC2046 # two numbers
    set -- $(on host "$(line_counts)")
    check "$way: interrupts by the line ($1 for $2 commands)" few_interrupts "$1" "$2"
  fi
  if [ "$way" = dma ]; then
    check 'ext4: mkfs' on host 'mkfs.ext4 -q -F "$(disk 1)"'
    check 'ext4: mount' on host 'mkdir -p mnt && mount -t ext4 "$(disk 1)" mnt'
    check 'ext4: write' on host \
      'cp -r /usr/share/bash-completion mnt/tree 2>/dev/null || cp -r /lab mnt/tree; (cd mnt/tree && find . -type f -exec sha256sum {} + | sort) >sums'
    check 'ext4: unmount' on host 'umount mnt'
    check 'ext4: fsck' on host 'e2fsck -f -n "$(disk 1)"'
    check 'ext4: mount again' on host 'mount -t ext4 "$(disk 1)" mnt'
    check 'ext4: the files are as they were' on host '(cd mnt/tree && find . -type f -exec sha256sum {} + | sort) | cmp - sums && [ -s sums ]'
    check 'ext4: unmount again' on host 'umount mnt'
  fi
  end_host "$way"
  end_board "$way"
  stop_link "$way"
  case $way in
    windows) check "$way: no transfer was DMA" link_counted '.transfers == 0 and .windowWrites > 0' ;;
    *) check "$way: transfers were DMA" link_counted '.transfers > 0 and .failedTransfers == 0' ;;
  esac
done
