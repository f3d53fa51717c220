#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of the machine: runs CompareKernel with the words of /lab/command, sends what it prints through a virtio port and powers
# off. A kernel that crashes or hangs ends the machine; run.sh sees by the last line how far it came.
export PATH=/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
ip link set lo up
for module in virtio_pci virtio_console; do modprobe -q "$module"; done

# Once a boot, on x86, the kernel warns that its PCI domains are not generic when a controller is created.
modprobe -q epfnvme_epc && rmmod epfnvme_epc
# Without a notifier the driver reports the link at once, and not from a work item.
modprobe -q epfnvme_epc linkup_notifier=0 max_functions=4
mount -t configfs configfs /sys/kernel/config

for entry in /sys/class/virtio-ports/*; do
  case $(cat "$entry/name") in
    results) results=/dev/${entry##*/} ;;
    kernel_log) kernel_log=/dev/${entry##*/} ;;
  esac
done
# Grace periods are most of the time otherwise.
echo 1 >/sys/kernel/rcu_expedited
cd / || exit
echo "lab: $(cat /lab/command)" >/dev/kmsg
# shellcheck disable=SC2046 # words
CompareKernel $(cat /lab/command) >"$results" 2>/dev/console
echo "ended	$?" >"$results"
dmesg >"$kernel_log"
poweroff -f
