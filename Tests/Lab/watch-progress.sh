#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# watch-progress.sh SECONDS FILE… -- COMMAND…: runs a command for as long as it takes, and ends it when none of the files
# has grown for SECONDS: a machine that hangs, not one that is slow. The exit status is 124 then, as with timeout(1), and
# the command's otherwise. SIGTERM ends the command.
set -u

limit=$1
shift
count=0
for file; do
  [ "$file" != -- ] || break
  count=$((count + 1))
done

start() {
  shift $((count + 1))
  "$@" &
  watched=$!
}
start "$@"

# sum FILE…: the sizes of the first $count files. One that is not there yet has none.
sum() {
  total=0
  left=$count
  for file; do
    [ "$left" -gt 0 ] || break
    left=$((left - 1))
    bytes=$(stat -c %s "$file" 2>/dev/null) || bytes=0
    total=$((total + bytes))
  done
}
ended() { ! kill -0 "$watched" 2>/dev/null; }
# A process that does not end after SIGTERM gets SIGKILL.
end() {
  kill -TERM "$watched" 2>/dev/null
  for _ in 1 2 3 4 5; do
    ended && return
    sleep 1
  done
  kill -KILL "$watched" 2>/dev/null
}
trap 'end; exit 143' TERM INT

sum "$@"
before=$total
still=0
until ended; do
  sleep 1
  sum "$@"
  if [ "$total" -eq "$before" ]; then still=$((still + 1)); else still=0; fi
  before=$total
  if [ "$still" -ge "$limit" ]; then
    end
    wait "$watched" 2>/dev/null
    exit 124
  fi
done
wait "$watched"
