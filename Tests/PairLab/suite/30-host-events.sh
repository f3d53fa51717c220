# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What happens to a host while it writes: resets, a reboot, a crash, a power failure; the link's resets as hot resets and as PERST#.
module_options=
for reset in hot perst; do
  start_link --reset "$reset"
  start_board || return
  set_up "$reset"
  reboots=yes
  start_host
  guest=events # for accepted.txt
  host_finds_disk "$reset" || return
  check "$reset: a region is written" on host 'keep "$(disk 1)"'

  # nvmet_pci_epf answers commands that have not been executed when their queue is deleted with success, so that a write may be lost, and a read
  # may bring nothing (nvmet_pci_epf.md#deleted-queue-commands-succeed): what is under load at `nvme reset` is not compared.
  for way in FLR 'nvme reset'; do
    verify='--verify=crc32c --verify_backlog=64'
    [ "$way" = FLR ] || verify=
    check "$reset: $way: the load starts" on host "load_verify='$verify'; load_start \"\$(disk 1)\""
    round=0
    while [ $((round += 1)) -le "$rounds" ]; do
      case $way in
        'nvme reset') check "$reset: $way, $round" on host 'nvme reset "/dev/$(controller)"' || break ;;
        FLR) check "$reset: $way, $round" on host \
          'f=/sys/bus/pci/devices/$(function_address); echo flr >$f/reset_method; echo 1 >$f/reset' || break ;;
      esac
      check "$reset: $way, $round: back in service" on host 'wait_for live is_live && wait_for disk has_disk 1' || break
      check "$reset: $way, $round: the load continues" on host 'load_goes_on "$(disk 1)"' || break
    done
    check "$reset: $way: the load has lived through all resets" on host load_is_alive
    on host load_stop >/dev/null
    check "$reset: $way: every block under load came back as written" on host load_saw_no_corruption || {
      on host 'cat load.out; dmesg | tail -n 20' >load.out
      diag_file load load.out
    }
    check "$reset: $way: the region is as it was" on host 'kept "$(disk 1)"'
  done

  check "$reset: unbind" on host 'echo "$(function_address)" >/sys/bus/pci/drivers/nvme/unbind'
  check "$reset: bind" on host 'echo "$(function_address)" >/sys/bus/pci/drivers/nvme/bind && wait_for disk has_disk 1'
  check "$reset: remove" on host 'echo 1 >/sys/bus/pci/devices/$(function_address)/remove'
  check "$reset: rescan" on host 'echo 1 >/sys/bus/pci/rescan && wait_for disk has_disk 1'
  check "$reset: the region is as it was after it" on host 'kept "$(disk 1)"'

  for way in reboot crash; do
    on host 'load_start "$(disk 1)"' >/dev/null
    case $way in
      reboot) echo "$(echo 'reboot -f' | base64 -w 0)" >&7 ;;
      crash) echo "$(echo 'echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger' | base64 -w 0)" >&7 ;;
    esac
    await_agent host || return
    check "$reset: $way under load: the disk is back" on host bring_up 1
    check "$reset: $way under load: the region is as it was" on host 'kept "$(disk 1)"'
  done

  on host 'load_start "$(disk 1)"' >/dev/null
  off host
  wait_for 'the link goes down' link_changed hostLeft
  start_host
  host_finds_disk "$reset: after a power failure" || return
  check "$reset: after a power failure: the region is as it was" on host 'kept "$(disk 1)"'
  end_host "$reset"
  reboots=
  end_board "$reset"
  stop_link "$reset"
done
