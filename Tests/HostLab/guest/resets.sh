# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 1 2 || exit
check 'a region is written' keep "$(disk 1)"
address=$(function_address)
function=/sys/bus/pci/devices/$address
in_service() { is_live && has_disk 1; }
# lost: what there is in place of a controller in service.
lost() {
  {
    ls -l /dev/nvme* /sys/class/nvme /sys/block
    grep . /sys/class/nvme/*/state /sys/block/nvme*/nsid
    dmesg | tail -n 25
  } >lost.out 2>&1
  diag_file lost lost.out
  exit 1
}

# A driver that stays bound resubmits outstanding commands to the reset controller: the load is not affected.
load_start "$(disk 1)"
for way in 'nvme reset' FLR; do
  round=0
  while [ $((round += 1)) -le "$rounds" ]; do
    load_goes_on "$(disk 1)" || break
    case $way in
      'nvme reset') check "$way, $round" nvme reset "/dev/$(controller)" || break ;;
      FLR)
        echo flr >"$function/reset_method"
        check "$way, $round" sh -c "echo 1 >$function/reset" || break
        ;;
    esac
    wait_for "$way, $round: back in service" in_service || lost
    load_goes_on "$(disk 1)" || break
  done
  equal "$way: all rounds are done" "$((rounds + 1))" "$round"
done
check 'the load has lived through all resets' load_is_alive
load_stop
check 'every block under load came back as written' load_saw_no_corruption
diag_file load load.out
check 'the region is as it was' kept "$(disk 1)"

# Here the disk goes, and the load's I/O fails; that is what unplugging is. (What the load verified last says nothing: a read
# of a disk without capacity gives no bytes, and fio looks at those that it had.)
for way in unbind remove; do
  round=0
  while [ $((round += 1)) -le "$rounds" ]; do
    load_start "$(disk 1)" || exit
    case $way in
      unbind)
        check "unbind, $round" sh -c "echo $address >/sys/bus/pci/drivers/nvme/unbind"
        load_stop
        wait_for 'the disk is gone' no_disk_left || lost
        check "bind, $round" sh -c "echo $address >/sys/bus/pci/drivers/nvme/bind" || exit
        ;;
      remove)
        check "remove, $round" sh -c "echo 1 >$function/remove"
        load_stop
        wait_for 'the disk is gone' no_disk_left || lost
        check "rescan, $round" sh -c 'echo 1 >/sys/bus/pci/rescan' || exit
        ;;
    esac
    wait_for "$way, $round: back in service" in_service || lost
    check "$way, $round: the region is as it was" kept "$(disk 1)"
  done
  equal "$way: all rounds are done" "$((rounds + 1))" "$round"
done
check 'it works on' quick_fio after --filename="$(disk 1)" --rw=randwrite --bs=4k --iodepth=32 --offset=64m --size=1m --verify=crc32c
