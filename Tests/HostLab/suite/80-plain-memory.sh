# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# A guest whose memory the server cannot map: every transfer is a message.
shared=no
for behaviour in $behaviours; do
  profile_of_all_backings all.json
  # shellcheck disable=SC2046 # a list of words
  serve all.json $(behaviour_options "$behaviour") || continue
  boot "$behaviour" plain-memory
  served "$behaviour"
done
