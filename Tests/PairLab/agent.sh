#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# agent.sh PORT: runs scripts that arrive at a virtio port, one base64 line each, in this shell, and answers each with a line: the exit status
# and what it printed, in base64. Says `ready` first. `end` ends it.
for entry in /sys/class/virtio-ports/*; do
  if [ "$(cat "$entry/name")" = "$1" ]; then exec 3<>"/dev/${entry##*/}"; fi
done
agent=/tmp/agent.$1
echo "ready $(uname -r)" >&3
while read -r agent_line <&3; do
  [ "$agent_line" != end ] || break
  printf '%s' "$agent_line" | base64 -d >"$agent.script"
  # shellcheck disable=SC1090 # what arrived
  . "$agent.script" >"$agent.out" 2>&1 </dev/null 3>&-
  echo "$? $(base64 <"$agent.out" | tr -d '\n')" >&3
done
