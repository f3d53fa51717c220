#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of the machine: runs CompareKernel with the words of /lab/command, sends what it prints through a virtio port and powers
# off. A kernel that crashes or hangs ends the machine; run.sh sees by the last line how far it came.
. /lab/boot.sh

# Once a boot, on x86, the kernel warns that its PCI domains are not generic when a controller is created.
modprobe -q epfnvme_epc && rmmod epfnvme_epc
# Without a notifier the driver reports the link at once, and not from a work item.
modprobe -q epfnvme_epc linkup_notifier=0 max_functions=4
mount -t configfs configfs /sys/kernel/config

results=$(port results)
kernel_log=$(port kernel_log)
# Grace periods are most of the time otherwise.
echo 1 >/sys/kernel/rcu_expedited
cd / || exit
echo "lab: $(cat /lab/command)" >/dev/kmsg
# shellcheck disable=SC2046 # words
CompareKernel $(cat /lab/command) >"$results" 2>/dev/console
echo "ended	$?" >"$results"
dmesg >"$kernel_log"
poweroff -f
