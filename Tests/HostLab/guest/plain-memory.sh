# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 1 2 || exit
for nsid in 1 2; do
  check "namespace $nsid: random writes, verified" quick_fio plain --filename="$(disk "$nsid")" --rw=randwrite \
    --bssplit=4k/80:64k/15:1m/5 --iodepth=8 --size=4m --verify=crc32c --do_verify=1
  check "namespace $nsid: flush" nvme flush "$(disk "$nsid")"
done
check 'nvme reset' nvme reset "/dev/$(controller)"
wait_for 'back in service' is_live
check 'it works on' quick_fio after --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=8 --size=256k --verify=crc32c
