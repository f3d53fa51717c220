# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The server's processor time while the guest is idle.
is_idle() { grep -q '^idle' "$boot.marks" || ! kill -0 "$machine"; }
for behaviour in $behaviours; do
  profile_of_all_backings all.json
  # shellcheck disable=SC2046 # a list of words
  serve all.json $(behaviour_options "$behaviour") || continue
  start_guest idle
  wait_for "$behaviour: the guest is idle" is_idle
  sleep 7 # nvmet_pci_epf polls fast for 5 s after the last command
  before=$(ticks_of "$server")
  sleep 10
  after=$(ticks_of "$server")
  diag "$behaviour: $((after - before)) hundredths of a second of processor time in 10 s with an idle guest; $before before"
  check "$behaviour: the server's processor time can be seen" test "$before" -gt 0
  check "$behaviour: an idle guest costs less than a tenth of a processor" test "$((after - before))" -lt 100
  end_guest "$behaviour"
  served "$behaviour"
done
