# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 1 || exit
check 'it works' quick_fio before --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=32 --size=1m --verify=crc32c
tell idle
sleep 20
check 'it works after the rest' quick_fio after --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=32 --size=1m --verify=crc32c
