# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The controller is reset in every way that a host has, under load, and works on with the data that it had.
for behaviour in $behaviours; do
  profile_of_all_backings all.json
  # shellcheck disable=SC2046 # a list of words
  serve all.json $(behaviour_options "$behaviour") || continue
  boot "$behaviour" resets "rounds=$rounds"
  served "$behaviour"
done
