# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Sourced by the first process of a machine with the lab's kernel: the file systems, and the virtio ports.
export PATH=/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
ip link set lo up
for module in virtio_pci virtio_console; do modprobe -q "$module"; done

# port NAME: the device of a virtio port.
port() {
  for entry in /sys/class/virtio-ports/*; do
    [ "$(cat "$entry/name")" = "$1" ] && echo "/dev/${entry##*/}"
  done
}
