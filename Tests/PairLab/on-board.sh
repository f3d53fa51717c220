#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# on-board COMMAND…: runs a command on the board, with this standard input, through the port between the two machines: the lab's ssh.
for entry in /sys/class/virtio-ports/*; do
  if [ "$(cat "$entry/name")" = peer ]; then exec 3<>"/dev/${entry##*/}"; fi
done
printf '%s\n' "printf '%s' '$(base64 -w 0)' | base64 -d | $*" | base64 -w 0 >&3
echo >&3
# The agent's `ready` may still be there.
while read -r status text <&3; do [ "$status" = ready ] || break; done
printf '%s' "$text" | base64 -d
exit "$status"
