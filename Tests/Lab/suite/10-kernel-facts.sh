# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The machine itself, without epfnvme: the whole bring-up by hand, and the facts that the program's rules rest
# on. When a case fails here, look at the kernel, the virtual controller or the fact, not at epfnvme.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

if ! has_controller; then
  skip 'a virtual endpoint controller' 'this kernel has no epfnvme_epc module'
  exit 0
fi
begin "$@"
check 'the controller is in configfs' test -d "$config/pci_ep/controllers/$controller"
check 'and in sysfs' test -e "/sys/class/pci_epc/$controller"
equal 'start reads 0' 0 "$(cat "$config/pci_ep/controllers/$controller/start")"

# errno_of COMMAND…: the error text of a command that has to fail.
errno_of() {
  if "$@" 2>errno.err; then
    echo success
  else
    sed -n '$s/.*: //p' errno.err
  fi
}
# put FILE VALUE: one write(2), which configfs parses on its own; subsysnqn loses its last byte, so every value has \n.
put() { echo "$2" >"$1"; }

# The kernel itself loads what it needs: it calls /sbin/modprobe.
modprobe -q -r nvmet-tcp
mkdir "$config/nvmet/subsystems/modules" "$config/nvmet/ports/9"
put "$config/nvmet/ports/9/addr_trtype" tcp
put "$config/nvmet/ports/9/addr_adrfam" ipv4
put "$config/nvmet/ports/9/addr_traddr" 127.0.0.1
put "$config/nvmet/ports/9/addr_trsvcid" 4420
check 'the kernel loads the transport of a port' ln -s "$config/nvmet/subsystems/modules" "$config/nvmet/ports/9/subsystems/modules"
check 'and it is loaded' test -d /sys/module/nvmet_tcp
rm "$config/nvmet/ports/9/subsystems/modules"
rmdir "$config/nvmet/ports/9" "$config/nvmet/subsystems/modules"

if ! has_driver; then
  skip 'bring-up by hand' 'this kernel has no NVMe function driver'
  exit 0
fi
if ! is_nvmet_pci_epf; then
  # shellcheck source=pci-epf-nvme-facts.sh
  . "${0%/*}/pci-epf-nvme-facts.sh"
  exit 0
fi

nqn=nvmepf.0.nqn
subsystem=$config/nvmet/subsystems/$nqn
port=$config/nvmet/ports/1
function=$config/pci_ep/functions/nvmet_pci_epf/nvmepf.0
epc=$config/pci_ep/controllers/$controller

target_up() {
  mkdir "$config/nullb/nullb0" && put "$config/nullb/nullb0/size" 64 && put "$config/nullb/nullb0/power" 1 &&
    mkdir "$subsystem" && put "$subsystem/attr_allow_any_host" 1 && put "$subsystem/attr_vendor_id" 0x1b96 &&
    put "$subsystem/attr_qid_max" 4 && mkdir "$subsystem/namespaces/1" &&
    put "$subsystem/namespaces/1/device_path" /dev/nullb0 && put "$subsystem/namespaces/1/enable" 1 &&
    mkdir "$port" && put "$port/addr_trtype" pci && ln -s "$subsystem" "$port/subsystems/$nqn"
}
target_down() {
  rm -f "$port/subsystems/$nqn"
  rmdir "$port" "$subsystem/namespaces/1" "$subsystem" "$config/nullb/nullb0"
}
function_up() {
  mkdir "$function" && put "$function/deviceid" 0xbeef && put "$function/msix_interrupts" 32 &&
    put "$function/nvme/portid" 1 && put "$function/nvme/subsysnqn" "$nqn"
}

tree before.tree
check 'null_blk, subsystem and pci port by hand' target_up
check 'function by hand' function_up
log_mark
check 'link to the controller' ln -s "$function" "$epc/f"
wait_for 'MMIO fallback line' logged 'DMA not supported, falling back to MMIO'
for line in 'PCI endpoint controller supports MSI-X, 32 vectors' "nvmet: Created nvm controller 1 for subsystem $nqn" \
  "New PCI ctrl \"$nqn\", 4 I/O queues, mdts 524288 B"; do
  check "log: $line" logged "$line"
done
if controller_state | grep -q '^function 0 1b96:beef .* class 010802 .* msix 32 bar 0 offset 0x1400 bar0 8192 flags 0x4$'; then
  pass 'header, MSI-X table and BAR 0 as programmed'
else
  fail 'header, MSI-X table and BAR 0 as programmed'
  diag "$(controller_state)"
fi
check 'debugfs shows the controller' test -d "/sys/kernel/debug/nvmet/$nqn/ctrl1"
equal 'nvme/portid is busy while the controller lives' 'Device or resource busy' "$(errno_of sh -c "echo 1 >$function/nvme/portid")"
equal 'vendorid shows the value of the subsystem' 0x1b96 "$(cat "$function/vendorid")"
check 'start' put "$epc/start" 1
equal 'a second start is refused' 'Operation already in progress' "$(errno_of sh -c "echo 1 >$epc/start")"
wait_for 'PCI link up' logged 'nvmet_pci_epf.0: PCI link up' && pass 'log: PCI link up'
check 'stop' put "$epc/start" 0
check 'unlink' rm "$epc/f"
check 'log: Destroying PCI ctrl' logged "Destroying PCI ctrl \"$nqn\""
check 'log: PCI link down' logged 'nvmet_pci_epf.0: PCI link down'

# symlink(2) does not report that the NVMe controller was not created: the program must check.
silent_failure() {
  log_mark
  knob "$1" 5
  check "$1: the link succeeds all the same" ln -s "$function" "$epc/f"
  check "$1: the kernel says \"$2\"" logged "$2"
  equal "$1: nvme/portid stays writable" success "$(errno_of sh -c "echo 1 >$function/nvme/portid")"
  knob "$1" 0
  rm "$epc/f"
}
silent_failure fail_write_header 'Failed to write configuration header (err=-5)'
silent_failure fail_set_bar 'Failed to set BAR 0 (err=-5)'
silent_failure fail_set_msix 'Failed to configure MSI-X'

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
refused_bind 'No such device' 'BAR 0 is not free'
knob bar0 fixed
refused_bind 'Cannot allocate memory' 'BAR 0 size 128 B too small, need 5640 B'
knob bar0 programmable

log_mark
knob fail_start 5
equal 'a failing start says EINVAL whatever the cause' 'Invalid argument' "$(errno_of sh -c "echo 1 >$epc/start")"
check 'a failing start has its line' logged "pci_epc $controller: failed to start endpoint controller"
knob fail_start 0

check 'rmdir of the function' rmdir "$function"
check 'the target goes' target_down
same_tree 'the trees are as before' before.tree

# Two controllers, and one whose initialisation waits for PERST#.
load_controller controllers=2
equal 'two controllers' 2 "$(find "$config/pci_ep/controllers" -mindepth 1 -maxdepth 1 | wc -l)"
load_controller late_init=1
target_up && function_up
log_mark
check 'link before PERST# is released' ln -s "$function" "$epc/f"
check 'makes no controller yet' test ! -d "/sys/kernel/debug/nvmet/$nqn/ctrl1"
knob init 1
check 'PERST# released: the controller exists' test -d "/sys/kernel/debug/nvmet/$nqn/ctrl1"
knob init 0
check 'PERST# asserted: it is gone' test ! -d "/sys/kernel/debug/nvmet/$nqn/ctrl1"
rm "$epc/f"
rmdir "$function"
target_down
same_tree 'the trees are as before, again' before.tree
