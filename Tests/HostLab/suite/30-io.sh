# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Verified I/O and file systems on memory, a file, and a disk that keeps nothing.
cpus=4 memory=1280
for behaviour in $behaviours; do
  profile_of_all_backings all.json
  # shellcheck disable=SC2046 # a list of words
  serve all.json $(behaviour_options "$behaviour") || continue
  boot "$behaviour" io
  served "$behaviour"
done
