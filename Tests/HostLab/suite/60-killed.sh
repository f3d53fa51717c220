# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The server is killed under fio with fsync; a new server and a new guest find every block whose flush had completed.
enough_acknowledged() { [ "$(grep -c '^flushed' "$boot.marks")" -ge 200 ] || ! kill -0 "$machine"; }
for behaviour in $behaviours; do
  rm -rf files
  profile_of_all_backings all.json
  # shellcheck disable=SC2046 # a list of words
  serve all.json $(behaviour_options "$behaviour") || continue
  start_guest killed phase=write
  wait_for "$behaviour: 200 blocks are flushed" enough_acknowledged
  kill -KILL "$server"
  wait "$server" 2>/dev/null
  server=
  kill -TERM "$machine"
  wait "$machine"
  machine=
  mkdir files
  # Only whole lines: the guest was stopped in the middle of something.
  sed '$d' "$boot.marks" | grep '^flushed' >files/flushed
  check "$behaviour: 200 blocks were flushed when the server was killed" test "$(wc -l <files/flushed)" -ge 190
  # shellcheck disable=SC2046
  serve all.json $(behaviour_options "$behaviour") || continue
  boot "$behaviour" killed phase=read
  served "$behaviour"
done
