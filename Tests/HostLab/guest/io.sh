# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 1 2 3 || exit

# shellcheck disable=SC2086 # a list of words
for backing in memory:1 file:2 nothing:3; do
  name=${backing%:*}
  disk=$(disk "${backing#*:}")
  # A process on each processor, so that every queue is used.
  jobs='--numjobs=4 --cpus_allowed=0-3 --cpus_allowed_policy=split --offset_increment=16m --size=3m --rw=randwrite
    --bssplit=4k/60:16k/15:64k/10:256k/10:1m/5'
  verify='--verify=crc32c --do_verify=1'
  [ "$name" != nothing ] || verify=
  for depth in 1 32 128; do
    check "$name: random writes${verify:+, verified}, queue depth $depth, 4 KiB to 1 MiB" \
      quick_fio "depth-$depth" --filename="$disk" --iodepth="$depth" $jobs $verify
  done
  check "$name: random reads, queue depth 32" quick_fio reads --filename="$disk" --iodepth=32 ${jobs%--rw=*} \
    --rw=randread --bs=4k --io_size=1m
  check "$name: flush" nvme flush "$disk"
  check "$name: blkdiscard" blkdiscard -f "$disk"
  check "$name: blkdiscard -z (write zeroes)" blkdiscard -z -f --offset 1048576 --length 16777216 "$disk"
  if [ "$name" != nothing ]; then
    dd if=/dev/zero bs=1M count=16 2>/dev/null | sha256sum >zeroes.sum
    dd if="$disk" bs=1M skip=1 count=16 iflag=direct 2>/dev/null | sha256sum >read.sum
    check "$name: what was zeroed reads as zeroes" cmp zeroes.sum read.sum
  fi
done

# with_files NAME DISK: a tree of files, read back after the file system was away.
mkdir -p mnt tree
i=0
while [ $((i += 1)) -le 20 ]; do
  dd if=/dev/urandom of="tree/$i" bs=$((i * 4321)) count=3 2>/dev/null
done
(cd tree && find . -type f -exec sha256sum {} + | sort) >tree.sums
same_files() { (cd mnt/tree && find . -type f -exec sha256sum {} + | sort) | cmp - tree.sums; }
file_system() {
  check "$1: mkfs" $3 "$2" || return
  check "$1: mount" mount -t "$4" -o discard "$2" mnt || return
  check "$1: write" cp -r tree mnt/
  rm -rf mnt/gone
  cp -r tree mnt/gone && rm -rf mnt/gone
  check "$1: sync" sync
  check "$1: fstrim" fstrim mnt
  check "$1: unmount" umount mnt
  check "$1: fsck" $5 "$2"
  check "$1: mount again" mount -t "$4" "$2" mnt || return
  check "$1: the files are as they were" same_files
  check "$1: unmount again" umount mnt
}
for backing in memory:1 file:2; do
  disk=$(disk "${backing#*:}")
  file_system "${backing%:*}, ext4" "$disk" 'mkfs.ext4 -q -F' ext4 'e2fsck -f -n'
  file_system "${backing%:*}, xfs" "$disk" 'mkfs.xfs -q -f' xfs 'xfs_repair -n'
done
