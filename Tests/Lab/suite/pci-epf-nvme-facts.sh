# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# 10-kernel-facts on a kernel with the out-of-tree pci_epf_nvme: its bring-up by hand. Sourced.

# shellcheck disable=SC2154 # of lib.sh and of 10-kernel-facts
{
  nqn=pci_epf_nvme.0.nqn
  subsystem=$config/nvmet/subsystems/$nqn
  port=$config/nvmet/ports/1
  function=$config/pci_ep/functions/pci_epf_nvme/pci_epf_nvme.0
  epc=$config/pci_ep/controllers/$controller
}

target_up() {
  mkdir "$config/nullb/nullb0" && put "$config/nullb/nullb0/size" 64 && put "$config/nullb/nullb0/power" 1 &&
    mkdir "$subsystem" && put "$subsystem/attr_allow_any_host" 1 && mkdir "$subsystem/namespaces/1" &&
    put "$subsystem/namespaces/1/device_path" /dev/nullb0 && put "$subsystem/namespaces/1/enable" 1 &&
    mkdir "$port" && put "$port/addr_trtype" loop && ln -s "$subsystem" "$port/subsystems/$nqn"
}
target_down() {
  rm -f "$port/subsystems/$nqn"
  rmdir "$port" "$subsystem/namespaces/1" "$subsystem" "$config/nullb/nullb0"
}
# connections: this machine's NVMe controllers but for QEMU's disk.
connections() {
  for connection in /sys/class/nvme/nvme*; do
    case $(cat "$connection/transport" 2>/dev/null) in
      pcie | '') ;;
      *) echo "${connection##*/}" ;;
    esac
  done
}
disconnect_all() { for name in $(connections); do echo 1 >"/sys/class/nvme/$name/delete_controller"; done; }
options=transport=loop,nqn=$nqn,nr_io_queues=2

tree before.tree
check 'null_blk, subsystem and loop port by hand' target_up
check 'function by hand' mkdir "$function"
equal 'ctrl_opts is empty' '' "$(cat "$function/nvme/ctrl_opts")"
equal 'dma_enable is on' 1 "$(cat "$function/nvme/dma_enable")"
equal 'mdts_kb' 128 "$(cat "$function/nvme/mdts_kb")"
put "$function/vendorid" 0x15b7
put "$function/deviceid" 0x5fff
put "$function/msix_interrupts" 32
log_mark
equal 'without ctrl_opts the link is refused' 'Invalid argument' "$(errno_of ln -s "$function" "$epc/f")"
check 'and the driver says why' logged 'No nvme fabrics options specified'
log_mark
printf %s transport=nothing,nqn=$nqn >"$function/nvme/ctrl_opts"
equal 'a transport without a driver is refused' 'Invalid argument' "$(errno_of ln -s "$function" "$epc/f")"
check 'and the kernel says so' logged 'no handler found for transport nothing'
printf %s "$options" >"$function/nvme/ctrl_opts"
equal 'the driver appends hidden_ns' "$options,hidden_ns" "$(cat "$function/nvme/ctrl_opts")"

# The driver had the EPF bound once, so that the option is not what the next bind finds.
modprobe -q -r nvme-loop
log_mark
check 'link to the controller' ln -s "$function" "$epc/f"
check 'the kernel loaded the transport' test -d /sys/module/nvme_loop
for line in 'NVMe fabrics controller created, 2 I/O queues' 'NVMe PCI controller supports MSI-X, 32 vectors' \
  'NVMe PCI controller: 2 I/O queues'; do
  check "log: $line" logged "$line"
done
if header_is 15b7:5fff 32; then
  pass 'header, MSI-X table and BAR 0 as programmed'
else
  fail 'header, MSI-X table and BAR 0 as programmed'
  diag "$(controller_state)"
fi
equal 'a machine without a DMA engine: the driver clears dma_enable' 0 "$(cat "$function/nvme/dma_enable")"
equal 'nvme/ctrl_opts is busy while the controller lives' 'Device or resource busy' \
  "$(errno_of sh -c "echo x >$function/nvme/ctrl_opts")"
equal 'one connection' 1 "$(connections | grep -c .)"
equal 'it is live' live "$(cat "/sys/class/nvme/$(connections)/state")"
check 'start' put "$epc/start" 1
equal 'a second start is refused' 'Operation already in progress' "$(errno_of sh -c "echo 1 >$epc/start")"
wait_for 'Link UP' logged 'Link UP' && pass 'log: Link UP'
check 'stop' put "$epc/start" 0
log_mark
check 'unlink' rm "$epc/f"
check 'log: Deleting controller' logged 'Deleting controller'
equal 'the connection stays' 1 "$(connections | grep -c .)"
disconnect_all
equal 'until it is deleted' 0 "$(connections | grep -c .)"

# Failures at initialisation are only in the log. (Set BAR 0 failed is 99-set-bar-failed's.)
for failure in 'fail_write_header:Write configuration header failed' 'fail_set_msix:MSI-X configuration failed'; do
  put "$function/nvme/dma_enable" 1
  log_mark
  knob "${failure%%:*}" 5
  check "${failure%%:*}: the link succeeds all the same" ln -s "$function" "$epc/f"
  check "${failure%%:*}: the kernel says \"${failure#*:}\"" logged "${failure#*:}"
  knob "${failure%%:*}" 0
  rm "$epc/f"
  disconnect_all
done
refused_bind() {
  log_mark
  equal "bind refused: $1" "$1" "$(errno_of ln -s "$function" "$epc/f")"
  check "bind refused: the kernel says \"$2\"" logged "$2"
  check 'bind refused: no link is left' test ! -e "$epc/f"
}
knob fail_features 1
refused_bind 'Operation not supported' 'epc_features not implemented'
knob fail_features 0
knob bar0 reserved
refused_bind 'Invalid argument' 'BAR 0 is not free'
knob bar0 fixed
refused_bind 'Cannot allocate memory' 'BAR 0 size 128 B too small'
knob bar0 programmable
check 'rmdir of the function' rmdir "$function"
disconnect_all
check 'the target goes' target_down
same_tree 'the trees are as before' before.tree
