# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The real driver against its emulation: a host in process does the same to both. The host lab's machines are not needed: CompareDriver is the
# host at the link's socket. Differences that Docs/Reference explains are in differences.tsv.
if [ -z "$compare" ]; then
  skip 'the real driver and its emulation' 'CompareDriver was not built'
  return
fi
driver=nvmet_pci_epf
case $board_release in 6.12*) driver=pci_epf_nvme ;; esac

# fresh_board: a board that has just set up the profile.
fresh_board() {
  if [ -n "$board" ]; then
    off board
    stop_link 'a lost board' >/dev/null
  fi
  start_link
  start_board && set_up 'compare' >/dev/null
}
# with_board MODE ARGUMENT…: runs a comparison, on a fresh board after each row or sequence that leaves it dead. Its output goes to the file found.
with_board() {
  lib_mode=$1
  lib_first=0
  : >found
  while :; do
    fresh_board || return
    lib_status=0
    case $lib_mode in
      table) set -- table "$board_boot.console" ;;
      random | windows) set -- "$lib_mode" "$seed" "$sequences" 40 "$board_boot.console" ;;
    esac
    "$compare" "$work/host" pair.json "$driver" "$@" "$lib_first" >part 2>part.err || lib_status=$?
    cat part >>found
    [ "$lib_status" -eq 3 ] || break
    lib_first=$(sed -n 's/^lost\t//p' part)
  done
  [ "$lib_status" -ne 0 ] || return 0
  fail "$lib_mode: the comparison ran to its end (status $lib_status)"
  diag_file errors part.err
  diag_file output part
}
# actions: how many the random hosts have done, and how long one took on average.
actions() {
  awk -F '\t' '/^actions/ { n += $2; ms += $3 } END { printf "%d actions, %d ms each", n, n ? ms / n : 0 }' found
}
# judge TITLE NAME: every difference is explained. NAME is that of the list among the results.
judge() {
  cp found "$output/compare.$2"
  sed -n "s/^same\t/$board_release\t/p" found >>"$output/compare.observed"
  lib_compared=$(awk -F '\t' '/^compared/ { n += $2 } END { print n + 0 }' found)
  sed -n 's/^difference\t//p' found | awk -F '\t' -v driver="$driver" '
    NR == FNR { if (!/^#/ && NF >= 3 && $1 == driver) explained[++count] = $2; next }
    { for (i = 1; i <= count; i++) if ($1 ~ explained[i]) next; print }' "$here/differences.tsv" - >unexplained
  if [ "$lib_compared" -gt 0 ] && [ ! -s unexplained ]; then
    pass "$1: $lib_compared compared, $(grep -c '^difference' found) explained differences"
  else
    fail "$1: $lib_compared compared, $(wc -l <unexplained) differences that are not explained"
    diag_file difference unexplained
  fi
}

modes=${PAIRLAB_MODES:-conformance table random windows}
# is_mode NAME
is_mode() { case " $modes " in *" $1 "*) true ;; *) false ;; esac }

module_options=
if is_mode conformance; then
  with_board conformance all
  judge 'rules of the conformance host' conformance
  # One board each.
  for rule in identify-invalid-nsid identify-list-nsid identify-reserved log-reserved log-short read-range; do
    with_board conformance "$rule"
    judge "rule $rule" "conformance.$rule"
  done
fi
if is_mode table; then
  with_board table
  judge 'rows of the conformance tables' table
fi
sequences=${PAIRLAB_SEQUENCES:-25}
if is_mode random; then
  seed=${PAIRLAB_SEED:-1}
  with_board random
  judge "random sequences, by DMA, $(actions)" random
fi
if is_mode windows; then
  module_options='dma=0 dma_memcpy=0'
  seed=${PAIRLAB_SEED:-2}
  with_board windows
  judge "random sequences, by windows, $(actions)" random-windows
fi
off board
stop_link compare
