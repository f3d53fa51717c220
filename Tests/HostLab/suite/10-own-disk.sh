# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The lab itself, on QEMU's own NVMe controller: it sees a disk, and `check --host` knows that this is none of ours.
own_disk
mkdir files
cp "$root/Configs/profiles/null_blk-loop.json" files/howto.json
boot "QEMU's own disk" own-disk
stop_server
