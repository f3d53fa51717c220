# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Shared by this lab's suites, in addition to ktap.sh: the virtual controller's knobs, and the state of the three trees.
# A suite is a script NN-NAME.sh that sources this; init.sh runs it with an empty $WORK as its directory. The shell's
# variables are all global, so what belongs to these functions alone is called lib_*.

# shellcheck disable=SC2034 # for the suites
controller=a40000000.pcie-ep
config=/sys/kernel/config
knobs=/sys/module/epfnvme_epc/parameters

. /lab/suite/ktap.sh

# closing STATUS LOG-LINES-BEFORE: called by init.sh after each suite.
closing() {
  if [ "$1" -ne 0 ]; then
    fail "the suite ran to its end (status $1)"
    diag_file stray "$WORK/stray"
  fi
  dmesg | tail -n +"$(($2 + 1))" |
    grep -n -E 'WARNING: |BUG: |Oops|general protection|blocked for more than|detected buffer overflow|kernel BUG' \
      >"$WORK/complaints"
  if [ -s "$WORK/complaints" ]; then
    fail "the kernel had nothing to complain about"
    diag_file kernel "$WORK/complaints"
  fi
}

# ---- The kernel ----

# Asked of the files: the shell prefers busybox's own modinfo and modprobe -n, and both are content with a module that
# doesn't exist.
have_module() {
  lib_module=$(echo "$1" | tr - _)
  [ -d "/sys/module/$lib_module" ] ||
    cat "/lib/modules/$(uname -r)"/modules.dep "/lib/modules/$(uname -r)"/modules.builtin 2>/dev/null | tr - _ |
    grep -q "/$lib_module\.ko"
}
has_nvmet_pci_epf() { have_module nvmet-pci-epf; }
has_pci_epf_nvme() { have_module pci-epf-nvme; }
has_controller() { have_module epfnvme_epc; }

# The driver that epfnvme takes on this kernel, and what is different between the two: their lines, where the MSI-X table begins, the
# BAR's flags, the attribute that a live controller keeps busy, the largest transfer in KiB, and the transport behind the function.
# shellcheck disable=SC2034 # for the suites
if has_nvmet_pci_epf; then
  driver=nvmet_pci_epf
  table_offset=0x1400
  bar_flags=0x4
  busy_attribute=portid
  standard_mdts=512
  transport=pci
elif has_pci_epf_nvme; then
  driver=pci_epf_nvme
  table_offset=0x1080
  bar_flags=0x0
  busy_attribute=ctrl_opts
  standard_mdts=128
  transport=loop
else
  driver=
fi
has_driver() { [ -n "$driver" ]; }
is_nvmet_pci_epf() { [ "$driver" = nvmet_pci_epf ]; }

# The I/O queues of a function whose subsystem allows 4: pci_epf_nvme's host side takes no more than there are processors.
# shellcheck disable=SC2034
if is_nvmet_pci_epf; then io_queues=4; else io_queues=$(nproc); fi

# The driver's messages when it has created the controller of a subsystem, and when it destroys it.
created_line() {
  if is_nvmet_pci_epf; then
    echo "New PCI ctrl \"$1\", $io_queues I/O queues"
  else
    echo "NVMe PCI controller: $io_queues I/O queues"
  fi
}
deleted_line() {
  if is_nvmet_pci_epf; then echo "Destroying PCI ctrl \"$1\""; else echo 'Deleting controller'; fi
}
# controller_exists NQN: nvmet has a controller for the subsystem.
controller_exists() { ls -d /sys/kernel/debug/nvmet/"$1"/ctrl* >/dev/null 2>&1; }
# is_busy FUNCTION: its driver keeps its attributes.
is_busy() {
  lib_attribute=$config/pci_ep/functions/$driver/$1/nvme/$busy_attribute
  [ -e "$lib_attribute" ] || return 1
  ! cat "$lib_attribute" 2>/dev/null >"$lib_attribute"
}
# header_is IDS VECTORS: what the controller has been programmed with.
header_is() {
  controller_state |
    grep -q "^function 0 $1 .*class 010802 .*msix $2 bar 0 offset $table_offset bar0 8192 flags $bar_flags"
}

# nvme_disk: the PCI function of QEMU's own NVMe disk; nothing on a machine without one.
nvme_disk() {
  for lib_device in /sys/bus/pci/devices/*; do
    [ "$(cat "$lib_device/class")" != 0x010802 ] || echo "${lib_device##*/}"
  done | tail -n 1
}

mount_configfs() { grep -q " $config " /proc/mounts || mount -t configfs configfs "$config"; }

# knob NAME VALUE
knob() { echo "$2" >"$knobs/$1"; }
held() { [ "$(cat "$knobs/held")" = "$1" ]; }
controller_state() { cat "$knobs/state"; }

# load_controller PARAMETER…: a fresh controller.
load_controller() {
  if [ -d /sys/module/epfnvme_epc ]; then rmmod epfnvme_epc || return 1; fi
  modprobe epfnvme_epc "$@"
}
load_drivers() {
  for lib_driver in nvmet nvme-loop nvmet-tcp null_blk loop nvmet-pci-epf pci-epf-nvme; do
    case $lib_driver in
      # Not even one device: what a profile has not made must not be there.
      null_blk) modprobe -q null_blk nr_devices=0 ;;
      *) modprobe -q "$lib_driver" ;;
    esac
  done
  mount_configfs
}
begin() {
  clean
  load_controller "$@" && load_drivers && return
  fail "the machine is ready"
  exit 1
}

# tree FILE: every name of the three trees, links with their targets, attributes with their values, loop devices and disks.
tree() {
  {
    for lib_subsystem in nullb nvmet pci_ep; do
      [ -d "$config/$lib_subsystem" ] || continue
      find "$config/$lib_subsystem" | sort | while read -r lib_path; do
        if [ -L "$lib_path" ]; then
          echo "$lib_path -> $(readlink "$lib_path")"
        elif [ -d "$lib_path" ]; then
          echo "$lib_path/"
        else
          echo "$lib_path = $(cat "$lib_path" 2>/dev/null)"
        fi
      done
    done
    for lib_backing in /sys/block/loop*/loop/backing_file; do
      [ ! -e "$lib_backing" ] || echo "$lib_backing = $(cat "$lib_backing")"
    done
    for lib_disk in /sys/block/*; do
      # Loop devices are nodes that exist in advance; their files are listed above.
      case $lib_disk in */loop*) ;; *) echo "$lib_disk" ;; esac
    done
  } >"$1"
}
# same_tree NAME BEFORE: the trees are as they were.
same_tree() {
  tree after.tree
  if diff -U 0 "$2" after.tree >tree.diff; then
    pass "$1"
  else
    fail "$1"
    diag_file tree tree.diff
  fi
}

# ---- epfnvme ----

# journals [NAME…]: what epfnvme remembers about unfinished or standing work, without what it has under these names.
journals() {
  find /run/epfnvme -name '*.json*' 2>/dev/null | sort | while read -r lib_journal; do
    lib_own=$(basename "$lib_journal")
    for lib_name; do [ "${lib_own%%.json*}" != "$lib_name" ] || lib_own=; done
    [ -z "$lib_own" ] || echo "$lib_journal"
  done
}
# no_journal TITLE [NAME…]
no_journal() {
  lib_title=$1
  shift
  equal "$lib_title" '' "$(journals "$@")"
}

# Removes leftovers of a failed case, in the safe order and without the program, so that one failure does not cause others.
clean() {
  for lib_knob in "$knobs"/fail_* "$knobs/hold"; do
    [ ! -e "$lib_knob" ] || echo 0 >"$lib_knob"
  done
  {
    for lib_start in "$config"/pci_ep/controllers/*/start; do
      [ "$(cat "$lib_start")" = 0 ] || echo 0 >"$lib_start"
    done
    find "$config/pci_ep" -type l -exec rm {} +
    find "$config/pci_ep/functions" -mindepth 2 -maxdepth 2 -type d -exec rmdir {} +
    # pci_epf_nvme leaves its connections; QEMU's disk is on PCIe.
    for lib_fabric in /sys/class/nvme/nvme*; do
      case $(cat "$lib_fabric/transport") in
        pcie) ;;
        *) echo 1 >"$lib_fabric/delete_controller" ;;
      esac
    done
    find "$config/nvmet" -type l -exec rm {} +
    find "$config/nvmet/ports" -path '*/ana_groups/*' -type d ! -name 1 -exec rmdir {} +
    find "$config/nvmet/ports" -mindepth 1 -maxdepth 1 -exec rmdir {} +
    find "$config/nvmet/subsystems" -mindepth 3 -maxdepth 3 -path '*/namespaces/*' -exec rmdir {} +
    find "$config/nvmet/subsystems" "$config/nvmet/hosts" "$config/nullb" -mindepth 1 -maxdepth 1 -type d -exec rmdir {} +
    for lib_loop in /sys/block/loop*/loop; do
      [ ! -d "$lib_loop" ] || losetup -d "/dev/$(basename "${lib_loop%/loop}")"
    done
    rm -rf /run/epfnvme /tmp/lab-*.img
  } >/dev/null 2>&1
  true
}

# wait_for_disk TITLE: waits for QEMU's NVMe disk; leaves the controller's node in `node`, its namespace is ${node}n1. The number is the
# kernel's choice: a fabrics controller that pci_epf_nvme has leaked keeps its own.
wait_for_disk() { wait_for "$1" find_disk && find_disk; }
find_disk() {
  for lib_node in /sys/class/nvme/nvme*; do
    [ "$(cat "$lib_node/transport" 2>/dev/null)" = pcie ] || continue
    node=/dev/${lib_node##*/}
    [ -b "${node}n1" ] && return 0
  done
  return 1
}
