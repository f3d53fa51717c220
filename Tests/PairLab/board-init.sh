#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of a machine with the lab's kernel: the board, or the host of pci-epf-test. It does what the agents are told.
export PATH=/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
ip link set lo up
for module in virtio_pci virtio_console; do modprobe -q "$module"; done
cd /tmp || exit
# The other machine's way to this one, in place of ssh.
sh /lab/agent.sh peer >/dev/null 2>&1 &
sh /lab/agent.sh agent >/tmp/stray 2>&1
poweroff -f
