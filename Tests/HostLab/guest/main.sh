# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The part of init.sh that is on the image: runs the script of this boot.
/run/busybox/busybox --install -s /run/busybox
export PATH=/lab/bin:/usr/sbin:/usr/bin:/run/busybox HOME=/tmp LC_ALL=C
export KTAP=/tmp/ktap
: >"$KTAP"
. /lab/lib.sh
. /lab/env
mkdir /tmp/work
cd /tmp/work || exit
# Not busybox: its shell prefers its own lspci, lsblk and mount to what the PATH has.
/usr/bin/dash "/lab/guest/$guest.sh" >/tmp/stray 2>&1
status=$?
if [ "$status" -ne 0 ]; then
  fail "the guest's script ran to its end (status $status)"
  diag_file stray /tmp/stray
fi
finish
poweroff -f
