#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# The guest's first process: finds the image with the tools, makes it the root, and runs there the script that /lab/env
# names. KTAP and marks for the host's side go through virtio ports. A guest that its script does not end powers off.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "$module"; done </modules/order
mkdir /image
mount -t ext4 -o ro /dev/vda /image || exec sh
for directory in run tmp lab; do mount -t tmpfs tmpfs "/image/$directory"; done
cp -r /lab /image
mkdir /image/run/busybox
cp /bin/busybox /image/run/busybox/
for directory in dev proc sys; do mount -o move "/$directory" "/image/$directory"; done
exec switch_root /image /run/busybox/busybox sh /lab/main.sh
