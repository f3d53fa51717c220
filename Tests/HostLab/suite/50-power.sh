# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The machine reboots, crashes and powers off under load; flushed data is preserved.
for behaviour in $behaviours; do
  profile_of_all_backings all.json
  # shellcheck disable=SC2046 # a list of words
  serve all.json $(behaviour_options "$behaviour") || continue
  state=$work/state.img
  rm -f "$state"
  truncate -s 64K "$state"
  # Rounds of reboots and crashes in one machine, which then powers off; then one machine each.
  reboots=yes expected_boots=$((2 * rounds + 1))
  boot "$behaviour" power "rounds=$rounds"
  reboots=no expected_boots=1
  machines=0
  while [ $((machines += 1)) -le "$rounds" ]; do
    boot "$behaviour, another machine" power "rounds=$rounds"
  done
  served "$behaviour"
done
