# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Sourced by the labs with guests: runs their suites, some at a time, and prints their KTAP. The caller sets
#   here      its directory, with suite/NN-NAME.sh and lib.sh    output   the directory of the last run
#   hostlab   the directory of this file
#   filter    run only suites whose file names contain this      jobs     how many run at a time
#   epfnvme   the program

rm -rf "$output"
mkdir -p "$output"
temporary=$(mktemp -d) # short: a socket's path has at most 107 characters
running=
end() {
  # shellcheck disable=SC2086 # a list of words
  [ -z "$running" ] || { kill $running && wait $running; } 2>/dev/null || true
  rm -rf "$temporary"
}
trap end EXIT
trap 'exit 130' INT TERM
stripped=$temporary/epfnvme
cp "$epfnvme" "$stripped"
strip "$stripped"

# run_suite NUMBER FILE: writes its cases as separate KTAP.
run_suite() {
  number=$1
  suite=$(basename "$2" .sh)
  suite=${suite#*-}
  work=$temporary/$number
  KTAP=$temporary/ktap.$number
  export KTAP
  : >"$KTAP"
  mkdir "$work"
  say "$suite"
  began=$(date +%s)
  # Without -e: a suite judges for itself.
  (
    set +eu
    cd "$work" || exit
    server= machine=
    trap end_processes EXIT
    trap 'exit 130' INT TERM
    . "$hostlab/../Lab/suite/ktap.sh"
    . "$here/lib.sh"
    . "$2"
  ) >"$output/$suite.stray" 2>&1 &
  inner=$!
  trap 'kill "$inner"; wait "$inner"; exit 143' TERM
  wait "$inner" || echo 'not ok 0 the suite ran to its end' >>"$KTAP"
  [ -s "$output/$suite.stray" ] || rm -f "$output/$suite.stray"
  {
    echo '  KTAP version 1'
    echo "  # Subtest: $suite"
    echo "  1..$(grep -c -E '^(not )?ok' "$KTAP")"
    sed 's/^/  /' "$KTAP"
    echo "  # $(($(date +%s) - began)) s"
    if grep -q '^not ok' "$KTAP" || ! grep -q '^ok' "$KTAP"; then
      echo "not ok $number $suite"
    else
      echo "ok $number $suite"
    fi
  } >"$temporary/results.$number"
  rm -rf "$work"
}

# Some at a time, and what they found in their order.
started=0
finished=0
finish_oldest() {
  # shellcheck disable=SC2086 # a list of words
  set -- $running
  wait "$1"
  shift
  running=$*
  finished=$((finished + 1))
  tee -a "$output/results.ktap" <"$temporary/results.$finished"
}

# run_suites TITLE: all of them. The status is 0 when every case passed.
run_suites() {
  title=$1
  shift
  # A suite is sourced: it has the functions, and cannot leave anything behind but files.
  for file in "$here"/suite/[0-9]*.sh; do
    case ${file##*/} in *"$filter"*) set -- "$@" "$file" ;; esac
  done
  export CONSOLE=/dev/null
  start=$(date +%s)
  {
    echo 'KTAP version 1'
    echo "1..$#"
  } | tee "$output/results.ktap"
  for file; do
    started=$((started + 1))
    run_suite "$started" "$file" &
    running="$running $!"
    if [ $((started - finished)) -ge "$jobs" ]; then finish_oldest; fi
  done
  while [ "$finished" -lt "$started" ]; do finish_oldest; done
  results=$output/results.ktap
  echo "# $title: $(grep -c -E '^ +ok' "$results") passed, $(grep -c -E '^ +not ok' "$results") failed," \
    "$(grep -c -E '^ +ok.*# SKIP' "$results") of the passed skipped; Linux" \
    "$(basename "$HOSTLAB_ROOT"/usr/lib/modules/*); $(($(date +%s) - start)) s"
  [ "$#" -gt 0 ] && ! grep -q -E '^ *not ok' "$results"
}
